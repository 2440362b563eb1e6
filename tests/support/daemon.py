"""The real daemon in a thread of the test, over real servers on loopback."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from poller.cli.views import views
from poller.config import Configuration, load
from poller.daemon import Daemon, Surroundings
from poller.running.clock import Clock
from store import pipelines
from store.engine import Database, open_database
from store.lock import hold

PATIENCE = 20.0


class Running:
    """A daemon that runs, and its store to look into."""

    def __init__(self, daemon: Daemon, database: Database, path: Path) -> None:
        self.daemon = daemon
        self.database = database
        self.config = path

    def knows(self, provider: str, key: str) -> bool:
        """Whether a pipeline has been met."""
        return bool(self.database.read(lambda session: pipelines.find(session, [(provider, key)])))


@contextmanager
def running(path: Path, clock: Clock | None = None, environ: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Run the daemon with the config.yaml at `path`, until the end of the block."""

    def read() -> Configuration:
        return load(path, environ={})

    configuration = read()
    database = open_database(configuration.store.url.get_secret_value())
    surroundings = Surroundings(
        environ=environ or {}, clock=clock or Clock(), load=read, configured=lambda _: None, views=views()
    )
    with hold(database, owner="test") as lock:
        daemon = Daemon(surroundings, configuration, database, lock)
        thread = threading.Thread(target=daemon.run, name="daemon")
        thread.start()
        try:
            yield Running(daemon, database, path)
        finally:
            daemon.signals.ask_to_stop()
            thread.join(40)
            database.close()
            assert not thread.is_alive(), "the daemon does not stop"


def eventually(claim: Callable[[], object], within: float = PATIENCE) -> None:
    """Wait until a claim is true; fail with what it was worth last."""
    until = time.monotonic() + within
    while True:
        asked = time.monotonic()
        if last := claim():
            return
        now = time.monotonic()
        assert now < until, f"not within {within} s; last: {last!r}"
        # Claims that read a whole store must not take the processor from what they wait for.
        threading.Event().wait(max(0.02, 4 * (now - asked)))
