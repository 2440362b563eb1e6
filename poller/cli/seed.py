"""`buildwatch seed`: a past that never was, to look at the dashboard with something in it."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened
from poller.cli.showing import complain, print_json, say
from poller.config import Configuration
from poller.running.clock import Clock

if TYPE_CHECKING:
    from domain.testreport import TestReport
    from providers._base import Page
    from store.engine import Database, Session
    from web.settings import Settings
    from web.site import Site

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

AT_ONCE = 500  # builds in a transaction: the daemon goes on meanwhile
DAYS, A_DAY = 7, 110


@app.command()
def seed(  # noqa: PLR0917
    days: Annotated[int, typer.Option(min=1, max=366, help="Daily windows, today's included.")] = DAYS,
    count: Annotated[int, typer.Option(min=0, max=5000, help="Regression runs in each.")] = A_DAY,
    number: Annotated[int, typer.Option("--seed", help="Another seed, another past.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Also into a store that holds real builds.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill the store with a made-up history. Raises no alerts; doing it again adds only what has ended since."""
    from store import pushed
    from web.intake.made_up import MADE_UP
    from web.intake.pushing import NotTakenError

    configuration = load_configuration(config)
    if all(settings.polled for settings in configuration.providers.values()):
        complain(f"{configuration.path}: nothing takes pushed builds: add `web: {{}}`, or a provider of kind push")
        sys.exit(Exit.CONFIGURATION)
    with opened(configuration) as database:
        if not force and database.read(lambda session: pushed.has_others(session, MADE_UP)):
            complain("the store holds real builds, and made-up ones never leave it: use another store.url, or --force")
            sys.exit(Exit.FOUND_SOMETHING_WRONG)
        try:
            stored, changed = _fill(configuration, database, days=days, count=count, seed=number)
        except NotTakenError as error:  # before anything of that transaction is stored
            complain(f"{configuration.path}: {error}")
            sys.exit(Exit.CONFIGURATION)
    if as_json:
        print_json({"builds": stored, "changed": changed, "days": days, "seed": number})
    else:
        say(f"{stored:,} builds of {days} days, {changed:,} of them new")


def _fill(configuration: Configuration, database: "Database", *, days: int, count: int, seed: int) -> tuple[int, int]:
    """How many builds there are of it, and how many were new."""
    from web.intake.made_up import history, report_of
    from web.intake.pushing import Pushing
    from web.settings import Settings

    settings = configuration.web or Settings(
        host="127.0.0.1", port=0, zone=configuration.timezone, day_starts_at=configuration.day_starts_at
    )
    tellings = history(Clock().now(), settings, days=days, count=count, seed=seed)
    pushing, changed = Pushing(_quiet_site(configuration, database, settings)), 0
    for start in range(0, len(tellings), AT_ONCE):
        some = tellings[start : start + AT_ONCE]
        taken = pushing.take(some)
        changed += sum(each.changed for each in taken)
        reports = [
            (each.view.build.id, report_of(told)) for told, each in zip(some, taken, strict=True) if each.changed
        ]
        database.transact(lambda session, reports=reports: _record(session, reports))  # type: ignore[misc]
    return len(tellings), changed


def _record(session: "Session", reports: "Sequence[tuple[int | None, TestReport | None]]") -> None:
    from store import tests

    for build, report in reports:
        if build is not None and report is not None:
            tests.record(session, build, report)


def _quiet_site(configuration: Configuration, database: "Database", settings: "Settings") -> "Site":
    """A site through which builds come in as usual, but that judges nothing."""
    from poller.intake.ingest import ingest
    from poller.serving import PUSHED, Serving

    clock = Clock()

    def store(page: "Page", provider: str) -> Sequence[int]:
        ingested = database.transact(
            lambda session: ingest(
                session,
                page,
                provider=provider,
                target=PUSHED,
                configuration=configuration,
                now=clock.now(),
                judge=False,
            )
        )
        return [change.id for change in ingested.changes]

    site = Serving(database=database, clock=clock, configuration=lambda: configuration).site(lambda: settings)
    return replace(site, ingest=store)
