"""`buildwatch run`: the daemon, in the foreground."""

import logging
import os
import socket
import sys
import threading
from typing import Annotated

import typer

from poller.cli.opening import ConfigOption, load_configuration, opened
from poller.clock import Clock
from poller.config import Configuration
from poller.logs import form_for, set_up
from store.engine import Database
from store.lock import LockHeld, StoreLock, hold

STANDBY_LOOK = 2.0  # seconds between two tries to take over

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def run(
    config: ConfigOption = None,
    log: Annotated[str | None, typer.Option(help="text, journal or json; default: what fits stderr.")] = None,
    standby: Annotated[bool, typer.Option(help="Wait while another daemon holds the store, then take over.")] = False,
) -> None:
    """Poll, judge and deliver until SIGTERM. SIGHUP reads config.yaml again at once."""
    from poller.daemon import STUCK, Daemon, Surroundings

    configuration = load_configuration(config)

    def configured(new: Configuration) -> None:
        form = log or (form_for(os.environ) if new.log.format == "auto" else new.log.format)
        set_up(new.log.level, form, new.secrets)
        for warning in new.warnings:
            logging.getLogger(__name__).warning("%s", warning)

    configured(configuration)
    surroundings = Surroundings(
        environ=os.environ, clock=Clock(), load=lambda: load_configuration(config), configured=configured
    )
    with opened(configuration) as database, _lock(database, standby=standby) as held:
        status = Daemon(surroundings, configuration, database, held).run()
        if status == STUCK:
            logging.shutdown()
            os._exit(0)  # a thread hangs in a call that nothing can end; all it did is safe to repeat
        sys.exit(status)


def _lock(database: Database, *, standby: bool) -> StoreLock:
    owner = f"pid {os.getpid()} on {socket.gethostname()}"
    while True:
        try:
            return hold(database, owner=owner)
        except LockHeld as holder:
            if not standby:
                raise
            logging.getLogger(__name__).info("standing by %s", holder)
            threading.Event().wait(STANDBY_LOOK)
