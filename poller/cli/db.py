"""`buildwatch db`: the store itself."""

import sys
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened, opened_to_read, present
from poller.cli.showing import complain, iso, print_json, print_table, say
from poller.config import Configuration
from store import maintenance, retention
from store.errors import StoreError, StoreUnavailable

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


class Action(StrEnum):
    """What to do with the store."""

    UPGRADE = "upgrade"
    STATS = "stats"
    BACKUP = "backup"
    PRUNE = "prune"


@app.command()
def db(
    action: Annotated[Action, typer.Argument(help="prune: forget what is older than store.keep says.")],
    file: Annotated[Path | None, typer.Argument(help="Where the backup goes; must not exist.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The store: upgrade its tables (after a copy), figures, a backup while it is in use, forgetting old builds."""
    configuration = load_configuration(config)
    if file is not None and action is not Action.BACKUP:
        raise typer.BadParameter(f"{action} takes no file", param_hint="FILE")
    if action is Action.UPGRADE:
        _upgrade(configuration, as_json=as_json)
    elif action is Action.STATS:
        _stats(configuration, as_json=as_json)
    elif action is Action.PRUNE:
        _prune(configuration, as_json=as_json)
    elif file is None:
        raise typer.BadParameter("where to? `buildwatch db backup FILE`", param_hint="FILE")
    else:
        _backup(configuration, file, as_json=as_json)


def _upgrade(configuration: Configuration, *, as_json: bool) -> None:
    from store.engine import stored_revision

    with opened(configuration) as database:
        revision = database.read(stored_revision)
        if as_json:
            print_json({"url": database.url, "revision": revision})
        else:
            say(f"{database.url} is at revision {revision}, the newest that this buildwatch knows")


def _stats(configuration: Configuration, *, as_json: bool) -> None:
    with opened_to_read(configuration) as database:
        figures = asdict(maintenance.stats(database))
    shown = {name: iso(value) if isinstance(value, datetime) else value for name, value in figures.items()}
    if as_json:
        print_json(shown)
    else:
        print_table(
            ("WHAT", "HOW MUCH"),
            [
                (name, "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value))
                for name, value in shown.items()
            ],
        )


def _backup(configuration: Configuration, file: Path, *, as_json: bool) -> None:
    with opened(configuration, create=False) as database:
        try:
            maintenance.backup(database, file)
        except StoreUnavailable:
            raise
        except StoreError as error:
            complain(str(error))
            sys.exit(Exit.FOUND_SOMETHING_WRONG)
        size = file.stat().st_size
        if as_json:
            print_json({"url": database.url, "file": str(file.absolute()), "bytes": size})
        else:
            say(f"{file}: {size:,} bytes, readable by its owner only")


def _prune(configuration: Configuration, *, as_json: bool) -> None:
    keep = configuration.store.keep
    with opened(configuration, create=False) as database:
        gone = asdict(retention.prune(database, retention.Keep(builds=keep.builds, logs=keep.logs), present()))
    if as_json:
        print_json(gone)
    else:
        say("forgotten: " + ", ".join(f"{count:,} {name}" for name, count in gone.items()))
