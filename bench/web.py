"""The web over 1,000,000 builds of 1,000 pipelines: how long each address takes, and what it costs.

Another process serves; this one asks, one request at a time, and commits between them. Processor time is that of the
serving process: what a busy machine does not blur.
"""

import argparse
import asyncio
import http.client
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from sqlalchemy import text

from alerts.verdict import verdict_of
from bench.fakes import running
from bench.footprint import memory
from bench.measure import Timing, goal, heading, note, rows
from bench.web_live import DELTA, SUMMARY, measure, served
from bench.windows import BUILDS, HISTORY, PIPELINES, POSTGRESQL_NUMBERS, SQLITE_NUMBERS, driver
from domain.alert import Alert, AlertKind, AlertState, Scope, Severity
from domain.build import Build, Outcome, Pipeline, Status
from store import alerts, builds, pipelines
from store.columns import to_ms
from store.engine import Database, Session, open_database
from tests.support.browser import READY, chromium
from tests.support.postgres import NoPostgres, postgres_server
from tests.support.process import DaemonProcess
from tests.support.scene import save

LIMIT = 50  # milliseconds
NOT_MODIFIED = 304
NOTHING = "/api/health"  # what a request costs that asks for nothing
GOALS = ("/api/metrics/summary", "/metrics/summary", "/api/builds", "/api/runs", "/builds", "/")
OTHERS = (
    "/api/windows",
    "/details",
    "/pipelines",
    "/pipelines/1",
    "/api/pipelines",
    "/api/releases",
    "/api/modules",
    "/api/jobs",
    "/api/scripts",
    "/api/executions",
    "/api/trends/pass-rate",
    "/api/stats/database",
    "/api/labels",
    "/api/buckets",
    "/?label.cloud=cloud-1",
    "/alerts",
    "/metrics",
    "/cc.xml",
)
CLOUDS, RELEASES, MODULES = 4, 5, 20
FIRING = 40  # alerts


def fill(session: Session, builds_count: int) -> None:
    """A quarter of a year until now as in bench/windows.py, with labels, commits, causes of failures and alerts."""
    now = datetime.now(UTC)
    start, sqlite = to_ms(now - HISTORY), session.dialect.name == "sqlite"
    known = [
        {"id": n, "key": f"job-{n - 1:04}", "at": start, "labels": orjson.dumps(_labels(n)).decode(), "no": False}
        for n in range(1, PIPELINES + 1)
    ]
    session.execute(
        text(
            "INSERT INTO pipelines (id, provider, key, name, labels, branched, watched_since) "
            "VALUES (:id, 'ci', :key, :key, :labels, :no, :at)"
        ),
        known,
    )
    if not sqlite:
        driver(session, f"SELECT setval('pipelines_id_seq', {PIPELINES})")
        driver(session, "SELECT setval('names_id_seq', 5)")
    words = ["", *(f"branch-{n}" for n in range(1, 5))]
    session.execute(
        text("INSERT INTO names (id, text) VALUES (:id, :text)"),
        [{"id": place, "text": word} for place, word in enumerate(words, 1)],
    )
    numbers = (SQLITE_NUMBERS if sqlite else POSTGRESQL_NUMBERS).format(last=builds_count - 1)
    span = HISTORY // timedelta(milliseconds=1)
    driver(session, BUILDS.format(start=start, span=span, builds=builds_count, pipelines=PIPELINES, numbers=numbers))
    driver(
        session,
        "INSERT INTO build_details (build_id, bucket, reason) SELECT id, 'cause ' || id % 12, 'it did not work' "
        "FROM builds WHERE verdict = 0 AND id % 10 < 9",
    )
    for number in range(FIRING):
        scope = Scope(provider="ci", pipeline=f"job-{number:04}", branch="branch-1")
        alert = Alert(
            kind=AlertKind.FAILURE,
            scope=scope,
            severity=Severity.WARNING,
            state=AlertState.FIRING,
            started_at=now - timedelta(hours=number),
            summary="fails",
        )
        alerts.save(session, alert)
    driver(session, "ANALYZE")


def _labels(number: int) -> dict[str, str]:
    return {
        "cloud": f"cloud-{number % CLOUDS}",
        "release": f"{number % RELEASES}.0",
        "module": f"module-{number % MODULES}",
    }


@dataclass(slots=True)
class Asked:
    """What the requests for one address came to."""

    first: Timing = field(default_factory=Timing)  # byte
    whole: Timing = field(default_factory=Timing)  # answer, with the server's processor time
    size: int = 0
    tag: str | None = None
    repeats: int = 0  # answers that say: you have it already


class Client:
    """One connection to the serving process."""

    def __init__(self, address: str, pid: int) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self._pid = pid

    def get(self, path: str, asked: Asked, *, tag: str | None = None) -> None:
        """Ask once."""
        used, began = processor_time(self._pid), time.perf_counter()
        self._connection.request("GET", path, headers={} if tag is None else {"If-None-Match": tag})
        answer = self._connection.getresponse()
        first = time.perf_counter() - began
        body = answer.read()
        asked.whole.wall.append(time.perf_counter() - began)
        asked.first.wall.append(first)
        asked.whole.cpu.append(processor_time(self._pid) - used)
        asked.repeats += answer.status == NOT_MODIFIED
        assert answer.status in {200, NOT_MODIFIED}, f"{path}: {answer.status} {body[:300]!r}"
        asked.size, asked.tag = len(body), answer.headers["ETag"]


def processor_time(pid: int) -> float:
    """What the threads of a process that live have used so far, in seconds; finer than ticks."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(each.read_text().split()[0]) for each in tasks) / 1e9


class Changing:
    """Commits what a poll finds: a few builds that ended just now."""

    def __init__(self, database: Database, each: int = 5) -> None:
        self._database, self._each = database, each
        self._owners = database.read(pipelines.all)
        self._numbers = count(10**7)

    def __call__(self) -> None:
        """One commit."""
        page = [self._build(next(self._numbers)) for _ in range(self._each)]
        self._database.transact(lambda session: builds.upsert(session, page, verdict_of, datetime.now(UTC)))

    def _build(self, number: int) -> Build:
        now = datetime.now(UTC)
        return Build(
            pipeline=self.owner(number),
            external_id=str(number),
            number=number,
            status=Status.FINISHED,
            outcome=Outcome.FAILURE if number % 11 == 0 else Outcome.SUCCESS,
            branch="branch-1",
            commit=f"{number:040x}",
            title="Look before you leap",
            started_at=now - timedelta(minutes=3),
            finished_at=now,
        )

    def owner(self, number: int) -> Pipeline:
        """Any of them."""
        return self._owners[number * 7919 % len(self._owners)].pipeline


def nothing() -> None:
    """No change."""


def ask(
    client: Client, paths: Mapping[str, int], before: Callable[[], None] = nothing, *, again: bool = False
) -> dict[str, Asked]:
    """Each address so often, in turn; `again`: with the tag of the answer before."""
    found = {path: Asked() for path in paths}
    for turn in range(max(paths.values())):
        for path, times in paths.items():
            if turn >= times:
                continue
            before()
            if again:
                throwaway = Asked()
                client.get(path, throwaway)
                client.get(path, found[path], tag=throwaway.tag)
            else:
                client.get(path, found[path])
    return found


def report(title: str, found: Mapping[str, Asked]) -> None:
    """A line for each address, beside one that asks for nothing."""
    heading(title)
    base = found[NOTHING].whole.cpu_median if NOTHING in found else None
    head = ("", "first byte p50", "p99", "cpu p50", "p99", "x nothing", "KiB")
    lines = []
    for path, asked in found.items():
        figures = (asked.first.median, asked.first.percentile(0.99), asked.whole.cpu_median)
        ratio = f"{asked.whole.cpu_median / base:.1f}" if base else ""
        shown = [f"{1000 * each:.1f}" for each in (*figures, asked.whole.cpu_percentile(0.99))]
        lines.append((path, *shown, ratio, f"{asked.size / 1024:.1f}"))
    rows(head, lines)


def judge(when: str, found: Mapping[str, Asked]) -> None:
    """The goals."""
    for path in GOALS:
        asked = found[path]
        goal(f"{path}, {when}, first byte, p99", 1000 * asked.first.percentile(0.99), LIMIT, " ms")
        note(f"       of that {1000 * asked.whole.cpu_percentile(0.99):.1f} ms are ours: processor time, p99")


def bench_routes(address: str, pid: int, database: Database, rounds: int) -> None:
    """Every address: the first time, again, with its tag, and after a change."""
    client = Client(address, pid)
    changing = Changing(database)
    client.get(NOTHING, Asked())
    report("the first time (ms)", ask(client, dict.fromkeys((NOTHING, *GOALS, *OTHERS), 1)))
    few = max(rounds // 5, 3)
    many = dict.fromkeys((NOTHING, *GOALS), rounds) | dict.fromkeys(OTHERS, few)
    warm = ask(client, many)
    report("again, nothing has changed (ms)", warm)
    judge("again", warm)
    tagged = ask(client, dict.fromkeys(GOALS, few), again=True)
    report("with the tag of the answer before (ms)", tagged)
    note("not sent again: " + ", ".join(f"{path} {each.repeats}/{few}" for path, each in tagged.items()))
    changed = ask(client, many, changing)
    report("each right after a commit (ms)", changed)
    judge("after a commit", changed)
    note(f"the serving process has {memory(pid)['VmRSS']:.0f} MiB")


def bench_clients(address: str, pid: int, database: Database, clients: int, commits: int) -> None:
    """WebSocket clients over the big store."""
    heading(f"{clients} WebSocket clients over the same store")
    owners = [each.pipeline for each in database.read(pipelines.all)]
    for path in (DELTA, SUMMARY):
        timing = asyncio.run(
            measure(address.replace("http", "ws"), database, owners, path=path, clients=clients, commits=commits)
        )
        goal(f"{path}: every client knows within a second of the commit", max(timing.wall), 1.0, " s")
    note(f"the serving process has {memory(pid)['VmRSS']:.0f} MiB")


def bench_page(address: str, tries: int) -> None:
    """From the first byte asked for until the dashboard is live, nothing of it in the browser's cache."""
    heading("the dashboard in Chromium")
    took = []
    with chromium() as browser:
        for _ in range(tries):
            with closing(browser.new_context()) as context:
                page = context.new_page()
                page.add_init_script(READY)
                page.goto(address)
                page.wait_for_function("window.ready")
                took.append(float(page.evaluate("window.ready")))
    note(f"the first page of this server: {took.pop(0):.0f} ms")
    goal("live, the slowest", max(took), 1000, " ms")
    note("each (ms): " + ", ".join(f"{each:.0f}" for each in took))


def bench_daemon(folder: Path, store: str, seconds: float) -> None:
    """The daemon with its web on the same store, polling 1,000 jobs, while people look at pages."""
    with running("jenkins", PIPELINES, 5) as fake:
        port = _free_port()
        configuration = {
            "store": {"url": store},
            "providers": {"ci": {"kind": "jenkins", "url": fake.url, "poll_every": "2s"}},
            "pipelines": [{"provider": "ci", "job": "*"}],
            "channels": {"terminal": {"kind": "console"}},
            "web": {"listen": f"127.0.0.1:{port}", "requests_per_second": None},
        }
        with DaemonProcess(save(folder / "web.yaml", configuration)) as daemon:
            assert daemon.listen("READY=1"), daemon.log()
            client = Client(f"http://127.0.0.1:{port}", daemon.process.pid)
            before = memory(daemon.process.pid)["VmRSS"]
            until, turns = time.monotonic() + seconds, 0
            found = {path: Asked() for path in GOALS}
            while time.monotonic() < until:
                fake.change(20)
                for path in GOALS:
                    client.get(path, found[path])
                for path in OTHERS if turns % 5 == 0 else ():
                    client.get(path, Asked())
                turns += 1
                time.sleep(1)
            after = memory(daemon.process.pid)
            daemon.stop()
    heading(f"the daemon with its web, polling {PIPELINES:,} jobs, every page looked at {turns} times")
    note(f"before anybody looked {before:.0f} MiB, at most {after['VmHWM']:.0f} MiB")
    goal("resident", after["VmRSS"], 150, " MiB")
    report("its answers while it polls (ms; processor time is that of all its work)", found)


def _free_port() -> int:
    import socket  # noqa: PLC0415

    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def stores(stack: ExitStack, folder: Path, options: argparse.Namespace) -> Iterator[str]:
    """The kinds of database."""
    yield f"sqlite:///{folder / 'web.db'}"
    if not options.quick and not options.sqlite:
        try:
            yield stack.enter_context(postgres_server()).database_url()
        except NoPostgres as error:
            note(f"no PostgreSQL: {error}")


def main() -> None:
    """Parse the command line, fill, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builds", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="100,000 builds, SQLite only, fewer rounds")
    parser.add_argument("--sqlite", action="store_true", help="SQLite only")
    parser.add_argument("--rounds", type=int, default=100, help="requests for each address")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="a store that was filled before is there, or will be left there")
    parser.add_argument("--only", choices=("routes", "clients", "page", "daemon"))
    options = parser.parse_args()
    total = 100_000 if options.quick else options.builds
    rounds = 20 if options.quick else max(options.rounds, 20)
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bw-bench-")))
        for url in stores(stack, folder, options):
            database = stack.enter_context(closing(open_database(url)))
            if not database.read(pipelines.exist):
                began = time.perf_counter()
                database.transact(partial(fill, builds_count=total), deadline=600)
                if database.dialect == "postgresql":
                    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                        connection.exec_driver_sql("VACUUM ANALYZE")
                note(f"filled in {time.perf_counter() - began:.0f} s")
            heading(f"{database.dialect}: {total:,} builds of {PIPELINES:,} pipelines in {HISTORY.days} days")
            if options.only != "daemon":
                with served(url, folder) as (address, pid):
                    if options.only in {None, "routes"}:
                        bench_routes(address.replace("ws", "http"), pid, database, rounds)
                    if options.only in {None, "page"}:
                        bench_page(address.replace("ws", "http"), 5)
                    if options.only in {None, "clients"}:
                        bench_clients(address, pid, database, options.clients, 10 if options.quick else 40)
            if options.only in {None, "daemon"} and database.dialect == "sqlite":
                bench_daemon(folder, url, 15 if options.quick else 60)


if __name__ == "__main__":
    main()
