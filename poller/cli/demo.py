"""`buildwatch demo`: the real daemon over simulated servers on loopback, with a story that breaks and heals."""

import logging
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from domain.duration import format_duration
from poller.cli.arguments import span
from poller.cli.demo_observer import Observer, WatchedDaemon
from poller.cli.demo_screen import LogLines, Screen
from poller.cli.exits import Exit
from poller.cli.views import views
from poller.config import Configuration, load
from poller.daemon import Surroundings
from poller.running.clock import Clock
from poller.running.logs import set_up
from simulator.house import Simulator
from store.engine import open_database
from store.lock import hold

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

WEB = "\nweb: {listen: '127.0.0.1:0', simulate: true}\n"  # any port that is free
LOOK = 0.3  # seconds between two looks at what has happened
LEAVING = 10.0  # seconds that the daemon is given to stop
LAST_WORDS = 1.0  # seconds for messages under way, after the story has ended


@app.command()
def demo(
    lasting: Annotated[str | None, typer.Option("--for", metavar="TIME", help="End after so long, like 60s.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another story.")] = 1,
) -> None:
    """Watch things break and heal: what was polled, what changed, each message as people see it. Ctrl-C ends it."""
    limit = span(lasting, "--for") if lasting else None
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    screen = Screen()
    with tempfile.TemporaryDirectory(prefix="buildwatch-demo-") as folder, Simulator(seed, story=True) as house:
        path = Path(folder) / "config.yaml"
        path.write_text(house.config_text(poll_every="1s") + WEB, encoding="utf-8")
        path.chmod(0o600)
        alive = _watch(screen, house, path, limit, stopping)
    sys.exit(Exit.FINE if alive else Exit.FOUND_SOMETHING_WRONG)


def _introduce(screen: Screen, house: Simulator, path: Path, dashboard: str | None) -> None:
    screen.say("buildwatch demo: the real daemon, polling servers that are simulated on this machine", style="bold")
    screen.say(
        f"  dashboard {dashboard}/",
        f"  Jenkins   {house.jenkins_url}",
        f"  GitHub    {house.github_url}",
        f"  Slack     {house.slack_api_url}   channels #ci (a bot: its cards are edited) and #web (a webhook)",
        f"  mail      smtp://{house.smtp_host}:{house.smtp_port}   to team@example.com",
        f"  config    {path}",
        "",
        "  world     what happens on the CI servers, all of it made up",
        "  polled    builds that are new to buildwatch",
        "  alert     what they mean; then who is told, and how it looks there",
        "",
        "Ctrl-C ends it.",
        "",
    )


def _watch(screen: Screen, house: Simulator, path: Path, limit: timedelta | None, stopping: threading.Event) -> bool:
    """Run the daemon until the end; whether it was still alive then."""
    set_up("warning", "text", (), LogLines(screen))
    for name in ("apscheduler", "poller.watching.schedule"):
        logging.getLogger(name).setLevel(logging.ERROR)  # at one poll a second, a round left out is no news

    def read() -> Configuration:
        return load(path, environ={})

    configuration = read()
    database = open_database(configuration.store.url.get_secret_value())
    surroundings = Surroundings(environ={}, clock=Clock(), load=read, configured=lambda _: None, views=views())
    began = time.monotonic()
    with hold(database, owner="buildwatch demo") as lock:
        observer = Observer(screen, house)
        daemon = WatchedDaemon(surroundings, configuration, database, lock, seen=observer.ingested)
        daemon.web.use(configuration.web)
        _introduce(screen, house, path, daemon.web.url)
        thread = threading.Thread(target=daemon.run, name="daemon", daemon=True)
        thread.start()
        try:
            _follow(observer, stopping, thread.is_alive, None if limit is None else began + limit.total_seconds())
        except KeyboardInterrupt:
            screen.say("")
        alive = thread.is_alive()
        try:
            _stop(daemon, thread, observer)
        except KeyboardInterrupt:
            screen.say("asked twice: leaving at once")
            return alive
        passed = format_duration(timedelta(seconds=round(time.monotonic() - began)))
        observer.summarize(database, daemon.polls(), passed)
    database.close()
    return alive


def _follow(observer: Observer, stopping: threading.Event, alive: Callable[[], bool], until: float | None) -> None:
    while alive() and not stopping.is_set() and (until is None or time.monotonic() < until):
        observer.look()
        stopping.wait(LOOK)


def _stop(daemon: WatchedDaemon, thread: threading.Thread, observer: Observer) -> None:
    if thread.is_alive():
        daemon.signals.ask_to_stop()
    thread.join(LEAVING)
    observer.look()
