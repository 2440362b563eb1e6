"""`buildwatch backfill`: history, read once."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from domain.build import Pipeline
from domain.duration import format_duration
from domain.globs import matches
from poller.cli.arguments import since_moment
from poller.cli.exits import Exit
from poller.cli.history import Asked, History, Progress
from poller.cli.opening import ConfigOption, load_configuration, opened, present
from poller.cli.showing import complain, is_terminal, say
from poller.config import Configuration
from poller.running.clock import Clock
from poller.running.logs import form_for, set_up
from poller.watching.connections import connect
from providers._base import Provider, ProviderError, Target
from store import pipelines
from store.engine import Database

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def backfill(
    since: Annotated[str, typer.Option(metavar="TIME", help="A span like 90d, or a date like 2026-01-01.")],
    pipeline: Annotated[str | None, typer.Option(metavar="GLOB", help="Only these, by full or display name.")] = None,
    config: ConfigOption = None,
) -> None:
    """Read history into the store. Raises no alerts, runs beside a daemon, and goes on where it was interrupted."""
    configuration = load_configuration(config)
    set_up("warning", form_for(os.environ), configuration.secrets)
    asked = Asked(since=since_moment(since, present()).replace(microsecond=0), words=since, glob=pipeline)
    found = failed = 0
    with opened(configuration) as database, _display() as tell:
        history = History(configuration, database, Clock(), tell=tell)
        for provider in connect(configuration).providers.values():
            try:
                for target, keys in _chosen(provider, asked, database, configuration):
                    found += 1
                    failed += not _read(history, provider, target, asked, keys)
            except ProviderError as error:
                complain(f"{provider.name}: {error}")
                failed += 1
            finally:
                provider.close()
    if not found and not failed:
        complain(f"no pipeline is like {pipeline}" if pipeline else "nothing is watched: there are no pipelines")
    sys.exit(Exit.UNAVAILABLE if failed else Exit.FINE if found else Exit.FOUND_SOMETHING_WRONG)


def _read(history: History, provider: Provider, target: Target, asked: Asked, keys: Sequence[str]) -> bool:
    try:
        history.read(provider, target, asked, keys)
    except ProviderError as error:
        complain(f"{target}: {error}; the same command goes on from here")
        return False
    return True


def _chosen(
    provider: Provider, asked: Asked, database: Database, configuration: Configuration
) -> list[tuple[Target, Sequence[str]]]:
    """Each target, with the pipelines that are meant; without a glob, all that are watched (no keys)."""
    keys = [] if asked.glob is None else _keys(provider, asked.glob, database, configuration)
    if asked.glob is not None and not keys:
        return []
    return [(target, keys) for target in provider.targets()]


def _keys(provider: Provider, glob: str, database: Database, configuration: Configuration) -> list[str]:
    """Among the stored pipelines; while none is known, among those that the provider can list."""

    def meant(each: Pipeline) -> bool:
        return (matches(glob, each.key) or matches(glob, each.name)) and configuration.entry_of(each) is not None

    known = database.read(lambda session: pipelines.all(session, provider.name))
    met = (each.pipeline for each in known) if known else (each.pipeline for each in provider.discover())
    return [each.key for each in met if meant(each)]


@contextmanager
def _display() -> Iterator[Callable[[Progress], None]]:
    """A bar for each target on a terminal; elsewhere a line for each that is done."""
    if not is_terminal():
        yield _print_end
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.fields[name]}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[count]}", markup=False),
        TimeElapsedColumn(),
    )
    with Bars(*columns) as bars:
        tasks: dict[str, Any] = {}

        def tell(progress: Progress) -> None:
            name = str(progress.target)
            if name not in tasks:
                tasks[name] = bars.add_task("", total=1.0, name=name, count="")
            bars.update(tasks[name], completed=progress.share, count=_counted(progress))

        yield tell


def _print_end(progress: Progress) -> None:
    if progress.share >= 1.0 or progress.waiting:
        say(f"{progress.target}: {_counted(progress)}")


def _counted(progress: Progress) -> str:
    if progress.waiting:
        return f"waiting {format_duration(progress.waiting)} for the rate limit"
    return f"{progress.builds} builds since {progress.since:%Y-%m-%d}, {progress.new} new"
