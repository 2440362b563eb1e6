"""1,000 pipelines with 100 builds each, all at once, through the real daemon.

`python -m tests.support.flood STORE_URL` prints one line of JSON: what was stored and said, how long the poll took
(seconds, and seconds of CPU), and the memory of the process (KiB) before and at its highest.
"""

import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from alerts.channels._base import ChannelPlugin, ChannelSettings
from domain.alert import Notification
from domain.build import Build, Outcome, Pipeline, Status
from poller.config import load
from poller.config.plugins import Kinds, Plugins
from poller.daemon import Daemon, Surroundings
from poller.running.clock import Clock
from providers._base import Cursor, Page, PipelineEntry, ProviderPlugin, ProviderSettings, Target
from store.engine import open_database
from store.lock import hold
from store.maintenance import stats

PIPELINES = 1000
BUILDS = 100  # of each pipeline
PIPELINES_A_PAGE = 10
BROKEN_EVERY = 20  # pipelines: so many are failing at first contact
CONFIG = """\
store: {{url: "{store}"}}
providers:
  flood: {{kind: flood, poll_every: 1h}}
pipelines:
  - {{provider: flood}}
channels:
  one: {{kind: heap}}
  two: {{kind: heap}}
"""


class Settings(ProviderSettings):
    kind: Literal["flood"]


class Entry(PipelineEntry):
    def matches(self, key: str) -> bool:
        return bool(key)


class HeapSettings(ChannelSettings):
    kind: Literal["heap"]


class Heap:
    """A channel that takes everything."""

    min_interval = 0.0

    def __init__(self, name: str, settings: HeapSettings) -> None:
        del settings
        self.name = name

    def send(self, notification: Notification) -> Mapping[str, Any]:
        said.setdefault(self.name, []).append(notification.message.headline)
        return {}

    def probe(self) -> str:
        return "a heap"

    def close(self) -> None:
        pass


said: dict[str, list[str]] = {}
poll_began: list[float] = []
poll_ended: list[float] = []


class Flood:
    """A provider with everything at once."""

    def __init__(self, name: str, settings: Settings, entries: Sequence[Entry]) -> None:
        del settings, entries
        self.name = name
        self._now = datetime.now(UTC)

    def targets(self) -> Sequence[Target]:
        return [Target(provider=self.name, key="all", every=timedelta(hours=1))]

    def poll(self, target: Target, cursors: Mapping[str, Cursor], now: datetime) -> Iterator[Page]:
        del target, now
        poll_began.append(time.monotonic())
        if not cursors:
            for first in range(0, PIPELINES, PIPELINES_A_PAGE):
                yield self._page(range(first, first + PIPELINES_A_PAGE))
        poll_ended.append(time.monotonic())

    def _page(self, numbers: range) -> Page:
        pipelines = [self._pipeline(number) for number in numbers]
        return Page(
            pipelines=pipelines,
            builds=[
                build for number, each in zip(numbers, pipelines, strict=True) for build in self._builds(number, each)
            ],
            cursors={each.key: {"last": BUILDS, "open": {}, "since": self._now.isoformat()} for each in pipelines},
        )

    def _pipeline(self, number: int) -> Pipeline:
        key = f"team-{number % 40}/service-{number}"
        url = f"https://jenkins.example.com/job/team-{number % 40}/job/service-{number}/"
        return Pipeline(provider=self.name, key=key, name=key.rpartition("/")[2], url=url, default_branch="main")

    def _builds(self, number: int, pipeline: Pipeline) -> Iterator[Build]:
        chance = random.Random(number)  # noqa: S311  (a repeatable world, not a secret)
        for count in range(1, BUILDS + 1):
            ended = self._now - timedelta(minutes=30 * (BUILDS - count) + chance.randrange(20))
            started = ended - timedelta(seconds=chance.randrange(60, 900))
            last_fails = count == BUILDS and number % BROKEN_EVERY == 0
            failed = last_fails or (count < BUILDS and chance.random() < 0.1)
            yield Build(
                pipeline=pipeline,
                external_id=str(count),
                number=count,
                status=Status.FINISHED,
                outcome=Outcome.FAILURE if failed else Outcome.SUCCESS,
                raw_outcome="FAILURE" if failed else "SUCCESS",
                branch="main",
                commit=f"{chance.getrandbits(160):040x}",
                title=f"Change {count} of {pipeline.name}",
                trigger="SCMTriggerCause",
                actor=f"person-{chance.randrange(50)}",
                queued_at=started - timedelta(seconds=chance.randrange(30)),
                started_at=started,
                finished_at=ended,
                url=f"{pipeline.url}{count}/",
            )

    def close(self) -> None:
        pass


def main(store: str) -> None:
    """Run the daemon until everything is stored and said, and print what it took."""
    plugins = Plugins(
        providers=Kinds(
            "tests", ProviderPlugin, (), {"flood": ProviderPlugin(settings=Settings, entry=Entry, provider=Flood)}
        ),  # type: ignore[arg-type]
        channels=Kinds("tests", ChannelPlugin, (), {"heap": ChannelPlugin(settings=HeapSettings, channel=Heap)}),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_text(CONFIG.format(store=store))
        configuration = load(path, environ={}, plugins=plugins)
        database = open_database(store)
        surroundings = Surroundings(
            environ={}, clock=Clock(), load=lambda: load(path, environ={}, plugins=plugins), configured=lambda _: None
        )
        with hold(database, owner="flood") as lock:
            daemon = Daemon(surroundings, configuration, database, lock)
            before = _memory()
            thread = threading.Thread(target=daemon.run)
            thread.start()
            while not (poll_ended and len(said) == 2):
                threading.Event().wait(0.05)
            daemon.signals.ask_to_stop()
            thread.join()
        figures = stats(database)
        database.close()
    print(  # noqa: T201  (this is a command)
        json.dumps(
            {
                "builds": figures.builds,
                "pipelines": figures.pipelines,
                "alerts": figures.alerts,
                "bytes": figures.bytes,
                "messages": said,
                "seconds": round(poll_ended[0] - poll_began[0], 2),
                "cpu": round(time.process_time(), 2),
                "before": before,
                "peak": _memory(),
            }
        )
    )


def _memory() -> int:
    """The most so far. Not ru_maxrss: that begins with what the parent had before exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(sys.argv[1])
