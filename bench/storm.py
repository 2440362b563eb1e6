"""Ten thousand alerts of a thousand pipelines at once: a channel that takes a message a second, and one without limits.

In the second part the process that delivers is killed again and again; what the channel took is kept by another one.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.measure import goal, heading, rows
from domain.alert import Alert, AlertKind, AlertState, Delivery, Notification, Reason, Scope, Severity
from domain.message import Message, Tone
from poller.delivery.courier import Courier
from poller.running.clock import Clock
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from store import alerts, outbox, outcomes
from store.engine import Database, Session, open_database

ALERTS, PIPELINES, QUICK = 10_000, 1_000, 2_000
CHANNEL = "desk"
PAGE = 1_000
KILL_AFTER = (0.1, 0.2, 0.4, 0.6)  # seconds after which the process is killed, one after the other


class Sink:
    """Takes one message in so many seconds, and writes down which: a line a message."""

    name = CHANNEL

    def __init__(self, book: Path, min_interval: float) -> None:
        self.min_interval = min_interval
        self._book = book

    def send(self, notification: Notification) -> Mapping[str, Any]:
        """Take it."""
        with self._book.open("a") as book:
            book.write(f"{time.time()} {notification.id}\n")
        return {}

    def probe(self) -> str:
        """A file."""
        return str(self._book)

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """What became of one."""

    name: str
    messages: int
    took: float  # seconds until everything was delivered, kills and starts included
    rate: float  # alerts a second of the process that ended it
    cpu: float  # its microseconds of processor time an alert
    lost: int
    repeated: int


def write_alerts(database: Database, count: int) -> None:
    """The alerts, in pages as they arrive."""
    for start in range(0, count, PAGE):
        database.transact(lambda session, start=start: _page(session, range(start, min(start + PAGE, count))))  # type: ignore[misc]


def _page(session: Session, numbers: Sequence[int]) -> None:
    now = datetime.now(UTC)
    for number in numbers:
        pipeline = f"team/job-{number % PIPELINES:04}"
        scope = Scope(provider="ci", pipeline=pipeline, branch=f"branch-{number // PIPELINES}")
        saved = alerts.save(
            session,
            Alert(
                kind=AlertKind.FAILURE,
                scope=scope,
                severity=Severity.CRITICAL,
                state=AlertState.FIRING,
                started_at=now,
                summary="1 failure in a row since #812",
                channels=(CHANNEL,),
            ),
        )
        message = Message(
            tone=Tone.BROKEN, headline=f"🔴 {pipeline} / {scope.branch} failed", thread=f"failure-{number}", at=now
        )
        about = {"name": f"{pipeline} / {scope.branch}", "broken": "failed", "url": "https://ci.example.com/1/"}
        outbox.add(
            session,
            [
                Notification(
                    alert_id=saved.id or 0,
                    transition=1,
                    channel=CHANNEL,
                    reason=Reason.FIRST,
                    message=message,
                    created_at=now,
                    next_attempt_at=now,
                    about={**about, "commit": f"{number * 2654435761:040x}", "labels": {"team": f"t{number % 40}"}},
                )
            ],
        )


def deliver(url: str, book: Path, min_interval: float) -> None:
    """Deliver everything that waits, as the daemon does, until nothing does any more."""
    print("begun", flush=True)
    wall, cpu = time.monotonic(), time.process_time()
    database = open_database(url)
    database.transact(outcomes.recover)
    clock = Clock()
    courier = Courier(
        Sink(book, min_interval),
        database=database,
        clock=clock,
        progress=Progress(clock.monotonic),
        failpoint=Failpoints(),
    )
    courier.start()
    while _waiting(database):
        threading.Event().wait(0.1)
    courier.stop()
    courier.join(30)
    database.close()
    print(time.monotonic() - wall, time.process_time() - cpu)


def _waiting(database: Database) -> int:
    return sum(each.pending for each in database.read(outbox.counts).values())


def measure(count: int, min_interval: float, folder: Path, *, kills: Sequence[float] = ()) -> Storm:
    """One storm."""
    url, book = f"sqlite:///{folder / f'{min_interval}-{len(kills)}.db'}", folder / f"{min_interval}-{len(kills)}.txt"
    book.touch()
    database = open_database(url)
    write_alerts(database, count)
    began = time.monotonic()
    for wait in kills:
        process = _child(url, book, min_interval)
        threading.Event().wait(wait)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    said, _ = _child(url, book, min_interval).communicate()
    took = time.monotonic() - began
    wall, cpu = (float(each) for each in said.split())
    sent = database.read(lambda s: outbox.listing(s, delivery=Delivery.SENT, limit=count + 1))
    told = Counter(line.split()[1] for line in book.read_text().splitlines())
    database.close()
    name = f"{1 / min_interval:.0f} message/s" if min_interval else "no limit"
    name += f", {len(kills)} kill -9" if kills else ""
    return Storm(
        name=name,
        messages=len(told),
        took=took,
        rate=count / wall,
        cpu=1e6 * cpu / count,
        lost=count - len(sent),
        repeated=sum(times - 1 for times in told.values()),
    )


def _child(url: str, book: Path, min_interval: float) -> subprocess.Popen[str]:
    """A process that delivers; returns when it has begun."""
    line = [sys.executable, "-m", "bench.storm", "--deliver", url, str(book), str(min_interval)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    if process.stdout is not None:
        process.stdout.readline()
    return process


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--deliver", nargs=3)
    given = parser.parse_args()
    if given.deliver:
        url, book, interval = given.deliver
        deliver(url, Path(book), float(interval))
        return
    count = QUICK if given.quick else ALERTS
    heading(f"{count:,} alerts of {PIPELINES:,} pipelines at once")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        storms = [
            measure(count, 1.0, folder),
            measure(count, 1.0, folder, kills=KILL_AFTER),
            measure(count, 0.0, folder),
        ]
    head = ("channel", "messages", "seconds", "alerts/s", "us CPU/alert", "lost", "repeated")
    rows(head, [_line(each) for each in storms])
    goal("until everything was delivered", max(each.took for each in storms), 30, " s")
    goal("lost", sum(each.lost for each in storms), 0)
    goal("repeated", sum(each.repeated for each in storms), 0)
    goal("without a limit", storms[-1].rate, 2000, " alerts/s", at_least=True)
    goal("processor time", storms[-1].cpu, 200, " us an alert")


def _line(storm: Storm) -> Sequence[object]:
    figures = (f"{storm.took:.1f}", f"{storm.rate:,.0f}", f"{storm.cpu:.0f}")
    return (storm.name, storm.messages, *figures, storm.lost, storm.repeated)


if __name__ == "__main__":
    main()
