"""Two hundred failures at once: what reading their details does to the polls that go on meanwhile.

The daemon's own parts run: the schedule, polls, the threads that read details. The server is a stand-in that answers
after some milliseconds; its logs are long and real in shape. The same failures with `details: off` are the reference.
"""

import argparse
import logging
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.measure import goal, heading, note, rows
from domain.build import Build, Outcome, Pipeline, Status
from domain.details import Artifact, Changes, Commit, Details, Log, Stage
from domain.testreport import TestCase, TestReport, TestStatus
from poller.config import Configuration, load
from poller.details.workers import Workers
from poller.intake.ingest import Ingested
from poller.running.clock import Clock
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from poller.watching.health import Health
from poller.watching.polling import Polling
from poller.watching.schedule import Schedule
from providers._base import Page, Target, Wanted
from store import details, outbox
from store.engine import Database, open_database
from store.providers import ProviderHealth

FAILURES, QUICK = 200, 40
TARGETS = 10  # that are polled beside the one that breaks
EVERY = timedelta(seconds=1)
ANSWERS_AFTER = 0.02  # seconds
LOG_LINES = 6000  # half a megabyte
LIMIT = 120.0

CONFIG = """
store: {{url: "{url}"}}
providers: {{ci: {{kind: jenkins, url: "http://127.0.0.1:9", username: a, token: b}}}}
pipelines: [{{provider: ci, job: "**"}}]
channels: {{desk: {{kind: console}}}}
{details}
"""

Cursors = Mapping[str, Mapping[str, Any]]


@dataclass(slots=True)
class Server:
    """Builds of many jobs; those of one target all fail when it is told to."""

    failures: int
    name: str = "ci"
    broken: threading.Event = field(default_factory=threading.Event)
    told: int = 0  # details
    log: str = ""
    spans: list[tuple[float, float]] = field(default_factory=list)  # of polls beside it: began, ended

    def targets(self) -> Sequence[Target]:
        """One that breaks, and the others."""
        return [Target(provider=self.name, key=f"part-{number}", every=EVERY) for number in range(TARGETS + 1)]

    def poll(self, target: Target, cursors: Cursors, now: datetime) -> Iterator[Page]:
        """A new build that passed; of the first part once all that failed."""
        number = int(cursors.get("at", {}).get("number", 0)) + 1
        breaks = target.key == "part-0" and self.broken.is_set() and not cursors.get("broken")
        if breaks:
            failed = [_build(f"broken/job-{count}", 2, Outcome.FAILURE, now) for count in range(self.failures)]
            for start in range(0, self.failures, 50):
                yield Page(builds=failed[start : start + 50], cursors={"broken": {"yes": 1}})
        builds = [_build(f"{target.key}/job-{count}", number, Outcome.SUCCESS, now) for count in range(5)]
        if target.key == "part-0" and number == 1:
            builds += [_build(f"broken/job-{count}", 1, Outcome.SUCCESS, now) for count in range(self.failures)]
        yield Page(builds=builds, cursors={"at": {"number": number}})

    def details(self, build: Build, wanted: Wanted) -> Details:
        """A stage, a long log, some tests and a change."""
        del build, wanted
        time.sleep(ANSWERS_AFTER)  # a server, not a computation
        self.told += 1
        cases = tuple(
            TestCase(suite="web.api", name=f"test_{n}", status=TestStatus.FAILED if n < 3 else TestStatus.PASSED)
            for n in range(300)
        )
        return Details(
            stages=(Stage(name="Build", outcome=Outcome.SUCCESS), Stage(name="Test", outcome=Outcome.FAILURE)),
            failing_stage="Test",
            logs=(Log(name=None, text=self.log, whole=True),),
            tests=TestReport(passed=297, failed=3, skipped=0, cases=cases),
            changes=Changes(commits=(Commit(id="c0ffee", title="Round up", author="Ada"),), total=1),
        )

    def artifacts(self, build: Build) -> Sequence[Artifact]:
        """None."""
        del build
        return ()

    def read_artifact(self, build: Build, artifact: Artifact, limit: int) -> bytes:
        """None."""
        raise NotImplementedError


def _build(job: str, number: int, outcome: Outcome, now: datetime) -> Build:
    return Build(
        pipeline=Pipeline(provider="ci", key=job, name=job, branched=False),
        external_id=f"{job}-{number}",
        number=number,
        status=Status.FINISHED,
        outcome=outcome,
        commit=f"{number:040x}",
        started_at=now - timedelta(seconds=90),
        finished_at=now,
    )


def _log() -> str:
    """What a build prints: much that is fine, then what is not."""
    fine = [f"[INFO] Compiling module {number} of 900 in /workspace/src/main/java/shop" for number in range(LOG_LINES)]
    bad = ["src/cart.ts(41,7): error TS2322: Type 'string' is not assignable to type 'number'.", "npm ERR! code 2"]
    return "\n".join([*fine[: LOG_LINES * 3 // 4], *bad, *fine[LOG_LINES * 3 // 4 :], "Finished: FAILURE"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What polls took while the failures were dealt with, in seconds."""

    took: Sequence[float]
    late: float  # the longest time between two polls of one target, beyond their period
    explained: float  # seconds until all were
    first: float  # seconds from the failures to the first message that may go
    told: int


def watch(folder: Path, name: str, failures: int, more: str) -> Seen:
    """One run: everything green, then the failures, until all that is wanted of them has been read."""
    url = f"sqlite:///{folder}/{name}.db"
    (folder / f"{name}.yaml").write_text(CONFIG.format(url=url, details=more))
    configuration = load(folder / f"{name}.yaml", environ={})
    database = open_database(url)
    try:
        return _watch(database, configuration, Server(failures=failures, log=_log()))
    finally:
        database.close()


def _watch(database: Database, configuration: Configuration, server: Server) -> Seen:
    clock = Clock()
    progress, polls = Progress(clock.monotonic), _Polls()
    workers: list[Workers] = []

    def stored(ingested: Ingested) -> None:
        if ingested.details_due:
            workers[0].wake()

    polling = Polling(
        database=database,
        clock=clock,
        progress=progress,
        failpoint=Failpoints(),
        after_commit=stored,
        configuration=configuration,
        providers={"ci": server},  # type: ignore[dict-item]
        health={"ci": Health(clock, ProviderHealth(name="ci"))},
    )
    workers.append(Workers(database=database, clock=clock, progress=progress, failpoint=Failpoints(), polling=polling))
    schedule = Schedule(polls.around(polling))
    schedule.use("ci", server.targets())
    schedule.start()
    workers[0].start()
    polls.wait_for(3)
    began = time.monotonic()
    server.broken.set()
    wanted = server.failures if configuration.details is not None else 0
    first, until = 0.0, began + LIMIT
    while time.monotonic() < until and (server.told < wanted or polls.count < 60 or not first):
        first = first or _released(database, began)
        time.sleep(0.02)
    while time.monotonic() < until and database.read(details.counts)[0]:
        time.sleep(0.02)
    explained = time.monotonic() - began
    workers[0].stop()
    schedule.stop()
    workers[0].join()
    progress.drain(5)
    return Seen(took=polls.took(began), late=polls.late(began), explained=explained, first=first, told=server.told)


def _released(database: Database, began: float) -> float:
    """Seconds until the first message may go; 0 while none may."""
    now = datetime.now(UTC)
    waiting = database.read(outbox.listing)
    free = any(row.hold_until is None or row.hold_until <= now for row in waiting)
    return time.monotonic() - began if free else 0.0


class _Polls:
    """When each target was polled."""

    def __init__(self) -> None:
        self._spans: dict[str, list[tuple[float, float]]] = {}
        self._lock = threading.Lock()
        self.count = 0

    def around(self, polling: Polling) -> Any:
        """The work of a tick."""

        def poll(target: Target) -> None:
            began = time.monotonic()
            polling.poll(target)
            with self._lock:
                self._spans.setdefault(target.key, []).append((began, time.monotonic()))
                self.count += 1

        return poll

    def wait_for(self, rounds: int) -> None:
        """Until each target has been polled so often."""
        while len(self._spans) <= TARGETS or min(map(len, self._spans.values())) < rounds:
            time.sleep(0.05)
        self.count = 0

    def took(self, since: float) -> Sequence[float]:
        """How long the polls took beside the one that broke."""
        return sorted(
            ended - began
            for key, its in self._spans.items()
            if key != "part-0"
            for began, ended in its
            if began > since
        )

    def late(self, since: float) -> float:
        """The longest time from the beginning of one poll to that of the next, beyond the period."""
        gaps = [
            later[0] - earlier[0]
            for key, its in self._spans.items()
            if key != "part-0"
            for earlier, later in pairwise(its)
            if later[0] > since
        ]
        return max(gaps, default=0.0) - EVERY.total_seconds()


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(prog="bench.details")
    parser.add_argument("--quick", action="store_true", help="fewer failures")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    logging.disable(logging.ERROR)
    failures = QUICK if given.quick else FAILURES
    heading(
        f"details of {failures} failures at once, beside {TARGETS} targets polled every {EVERY.total_seconds():g} s"
    )
    lines, worst, first = [], 0.0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            for name, more in (("off", "details: off"), ("on", "")):
                seen = watch(Path(folder), f"{name}{number}", failures, more)
                middle, most = seen.took[len(seen.took) // 2], seen.took[-1]
                rate = f"{seen.told / seen.explained:.1f}/s" if seen.told else "-"
                figures = f"{1000 * middle:.0f} ms", f"{1000 * most:.0f} ms", f"{1000 * max(seen.late, 0):.0f} ms"
                lines.append((f"details {name}", len(seen.took), *figures, rate, f"{seen.first:.2f} s"))
                if name == "on":
                    worst, first = max(worst, seen.late), max(first, seen.first)
    rows(("", "polls", "median", "longest", "latest", "explained", "first message"), lines)
    note("longest: a poll took so long; latest: a poll began so much later than it should")
    goal("a poll is late by", worst, 1.0, " s")
    goal("the first message waits", first, 5.0, " s")


if __name__ == "__main__":
    main()
