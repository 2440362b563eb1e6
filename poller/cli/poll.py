"""`buildwatch poll`: one cycle, for cron."""

import os
import socket
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened
from poller.clock import Clock
from poller.config import Configuration
from poller.logs import form_for, set_up
from store.engine import Database
from store.lock import hold

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def poll(
    config: ConfigOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the messages; send and store nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Poll everything once, deliver what is due, exit. 1 when a target could not be read or a message waits."""
    configuration = load_configuration(config)
    set_up("warning", form_for(os.environ), configuration.secrets)
    if dry_run:
        _rehearse(configuration, as_json=as_json)
    with opened(configuration) as database, hold(database, owner="buildwatch poll"):
        _cycle(configuration, database, as_json=as_json)


def _cycle(configuration: Configuration, database: Database, *, as_json: bool) -> None:
    from poller.connections import connect
    from poller.cycle import Cycle

    done = Cycle(configuration, connect(configuration), database, Clock()).run()
    if as_json:
        import json

        print(json.dumps(asdict(done)))
    else:
        print(
            f"{done.targets} targets polled, {done.failed} failed; {done.new_builds} builds new or changed, "
            f"{done.transitions} alerts changed, {done.delivered} messages delivered, {done.waiting} waiting"
        )
    sys.exit(Exit.FOUND_SOMETHING_WRONG if done.failed or done.waiting else Exit.FINE)


__all__ = ["Path", "replace", "socket", "tempfile"]
