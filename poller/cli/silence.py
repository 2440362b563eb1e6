"""`buildwatch silence`: keep quiet about something, for a reason and until an end."""

import sys
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alerts.policies.silence import conditions, holds, until
from domain.alert import AlertKind
from domain.silence import Silence
from poller.cli.alerts import place, summarized
from poller.cli.conditions import MOST, ends_from, match_from
from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, login, opened, opened_to_read, present
from poller.cli.showing import DIM, GOOD, WARN, Cell, ago, complain, iso, print_json, print_table, say
from poller.config import Configuration
from poller.telling.handling import CannotHandleError, Silenced
from poller.telling.handling import silence as keep_quiet
from poller.telling.handling import silence_alert as keep_quiet_about
from store import silences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from store.engine import Session

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

HEADERS = ("ID", "STATE", "COVERS", "UNTIL", "REASON", "BY", "SINCE")


@app.command()
def silence(
    pipeline: Annotated[
        str | None,
        typer.Argument(metavar="PIPELINE_GLOB", help="Full name or name; * in a folder, ** across folders."),
    ] = None,
    *,
    config: ConfigOption = None,
    branch: Annotated[str | None, typer.Option("--branch", metavar="GLOB")] = None,
    provider: Annotated[str | None, typer.Option("--provider", metavar="NAME")] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="KEY=GLOB", help="May be given several times.")
    ] = None,
    kind: Annotated[AlertKind | None, typer.Option("--kind", help="Only alerts of this kind.")] = None,
    alert: Annotated[
        int | None,
        typer.Option("--alert", metavar="ID", min=1, max=MOST, help="What this alert is about, instead of a pipeline."),
    ] = None,
    lasting: Annotated[str | None, typer.Option("--for", metavar="4h", help="Until so long from now.")] = None,
    until_fixed: Annotated[bool, typer.Option("--until-fixed", help="Until nothing it covers is broken.")] = False,
    until_build: Annotated[
        int | None,
        typer.Option("--until-build", metavar="N", min=1, max=MOST, help="Until build N has passed or failed."),
    ] = None,
    until_new_bucket: Annotated[
        bool, typer.Option("--until-new-bucket", help="Until something else is wrong: another cause, or other tests.")
    ] = False,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; always needed.")] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who asks; default: your login.")] = None,
    listing: Annotated[bool, typer.Option("--list", help="Show the silences that hold.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="With --list: also those that are over.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell nobody about what this covers, until the first of the ends that are given.

    Nothing is lost: what still fires at the end is told then, and the end of what was told before is always told.
    """
    configuration, now = load_configuration(config), present()
    if listing:
        _list(configuration, now, everything=everything, as_json=as_json)
        return
    if not reason:
        raise typer.BadParameter("say why: those who wonder will read it", param_hint="--reason")
    ends = ends_from(lasting, now, fixed=until_fixed, build=until_build, new_bucket=until_new_bucket)
    match = match_from(configuration, pipeline, branch=branch, provider=provider, labels=label or [], kind=kind)
    if bool(match) == (alert is not None):
        raise typer.BadParameter("give a pipeline (or other conditions), or --alert ID", param_hint="PIPELINE_GLOB")

    def unit(session: "Session") -> Silenced:
        author = by or login()
        if alert is not None:
            return keep_quiet_about(session, alert, ends, now, reason=reason, author=author)
        return keep_quiet(session, match, ends, now, reason=reason, author=author)

    with opened(configuration, create=False) as database:
        try:
            done = database.transact(unit)
        except CannotHandleError as error:
            complain(str(error))
            sys.exit(Exit.FOUND_SOMETHING_WRONG)
    if as_json:
        print_json({**described(done.silence), "firing": [summarized(each) for each in done.firing]})
    else:
        _print(done, configuration.timezone)


def _print(done: Silenced, zone: tzinfo) -> None:
    new = done.silence
    say(f"silence {new.id}: {conditions(new)}; {until(new, zone)}", GOOD)
    if not done.firing:
        say("  nothing that it covers fires now")
        return
    for each in done.firing:
        heard = f"told to {', '.join(each.channels)}: its end will be, nothing else" if each.channels else "untold"
        say(f"  alert {each.id}: {place(each)}: {each.summary} ({heard})")


def _list(configuration: Configuration, now: datetime, *, everything: bool, as_json: bool) -> None:
    with opened_to_read(configuration) as database:
        found: Sequence[Silence] = database.read(silences.listing if everything else silences.unended)
    if as_json:
        print_json([described(each) for each in found])
    elif found:
        print_table(HEADERS, [_row(each, now, configuration.timezone) for each in found])
    else:
        say("no silences" if everything else "nothing is silenced")


def described(found: Silence) -> dict[str, Any]:
    """A silence as `silence --json` shows it; the keys are a contract."""
    ends = found.ends
    return {
        "id": found.id,
        "match": dict(found.match),
        "until": {
            "at": iso(ends.at),
            "fixed": ends.fixed,
            "build": ends.build,
            "new_bucket": ends.new_bucket,
        },
        "reason": found.reason,
        "by": found.author,
        "created_at": iso(found.created_at),
        "ended_at": iso(found.ended_at),
        "ended_because": found.ended_because,
    }


def _row(found: Silence, now: datetime, zone: tzinfo) -> list[Cell]:
    state: Cell = ("holds", WARN) if holds(found, now) else ("over", DIM)
    over = f"{found.ended_because}, {ago(found.ended_at, now)}" if found.ended_at is not None else None
    return [
        str(found.id),
        state,
        conditions(found),
        over or until(found, zone),
        found.reason,
        found.author or "-",
        ago(found.created_at, now),
    ]
