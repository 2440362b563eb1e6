"""`buildwatch run`: the daemon, in the foreground."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Annotated, TypeVar

import typer

from poller.cli.opening import ConfigOption, load_configuration, opened
from poller.cli.views import views
from poller.config import Configuration
from poller.running.clock import Clock
from poller.running.logs import form_for, set_up
from store.engine import Database
from store.errors import StoreUnavailable
from store.lock import LockHeld, StoreLock, hold

T = TypeVar("T")

STANDBY_LOOK = 2.0  # seconds between two tries to take over
PATIENT_LOOK = 1.0  # seconds between two tries with --wait

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def run(
    config: ConfigOption = None,
    log: Annotated[str | None, typer.Option(help="text, journal or json; default: what fits stderr.")] = None,
    standby: Annotated[bool, typer.Option(help="Wait while another daemon holds the store, then take over.")] = False,
    wait: Annotated[float, typer.Option(metavar="SECONDS", help="How long a store may be down or in use.")] = 0.0,
) -> None:
    """Poll, judge and deliver until SIGTERM. SIGHUP reads config.yaml again at once."""
    from poller.daemon import STUCK, Daemon, Surroundings
    from poller.running.process import share_one_heap, spare_the_collector

    share_one_heap()
    configuration = load_configuration(config)

    def configured(new: Configuration) -> None:
        form = log or (form_for(os.environ) if new.log.format == "auto" else new.log.format)
        set_up(new.log.level, form, new.secrets)
        for warning in new.warnings:
            logging.getLogger(__name__).warning("%s", warning)

    configured(configuration)
    surroundings = Surroundings(
        environ=os.environ,
        clock=Clock(),
        load=lambda: load_configuration(config),
        configured=configured,
        views=views(),
    )
    until = surroundings.clock.monotonic() + wait
    with ExitStack() as stack:
        database = _patiently(lambda: stack.enter_context(opened(configuration)), until, surroundings.clock)
        held = stack.enter_context(_patiently(lambda: _lock(database, standby=standby), until, surroundings.clock))
        daemon = Daemon(surroundings, configuration, database, held)
        spare_the_collector()
        status = daemon.run()
        if status == STUCK:
            logging.shutdown()
            os._exit(0)  # a thread hangs in a call that nothing can end; all it did is safe to repeat
        sys.exit(status)


def _patiently(call: Callable[[], T], until: float, clock: Clock) -> T:
    """Try again until then: a database that boots later, a lock that a dead daemon's connection still holds.

    Giving up at once would be ten restarts in half a minute, and systemd would try no more.
    """
    told = False
    while True:
        try:
            return call()
        except (StoreUnavailable, LockHeld) as error:
            if clock.monotonic() >= until:
                raise
            if not told:
                logging.getLogger(__name__).warning("store not available, waiting error=%s", error)
            told = True
            threading.Event().wait(PATIENT_LOOK)


def _lock(database: Database, *, standby: bool) -> StoreLock:
    while True:
        try:
            return hold(database, owner="buildwatch run")
        except LockHeld as holder:
            if not standby:
                raise
            logging.getLogger(__name__).info("standing by %s", holder)
            threading.Event().wait(STANDBY_LOOK)
