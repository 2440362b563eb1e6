"""Live updates: how soon many WebSocket clients know of a commit, made by this process while another one serves.

One client never reads and one stands still in the middle of a message: neither may hold up the others.
"""

import argparse
import asyncio
import contextlib
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from alerts.verdict import verdict_of
from bench.measure import Timing, goal, heading, note
from domain.build import Build, Outcome, Pipeline, Status
from store import builds
from store.engine import Database, open_database
from tests.support.postgres import NoPostgres, postgres_server

LIMIT = 1.0  # second from the commit
IDLE = 20.0  # seconds in which nothing changes
IDLE_SHARE = 0.02  # of a core, with everybody connected: looks, pings, and a word every 25 seconds
SUMMARY, DELTA = "/ws/metrics", "/api/live"
SERVE = """
import sys
from dataclasses import replace
from pathlib import Path
from store.engine import open_database
from tests.support.site import premises, site_over
from datetime import UTC, datetime
from web.listening import listen
from web.server import WebServer
database = open_database(sys.argv[1], create=False)
given = premises(Path(sys.argv[2]))
site = replace(site_over(database, given), now=lambda: datetime.now(UTC))
server = WebServer(site, listen("127.0.0.1", 0))
server.start()
server.wait(10)
print(server.url, flush=True)
sys.stdin.read()
server.stop()
"""


def made(pipeline: Pipeline, number: int) -> Build:
    """A build that has just ended."""
    now = datetime.now(UTC)
    return Build(
        pipeline=pipeline,
        external_id=str(number),
        number=number,
        status=Status.FINISHED,
        outcome=Outcome.FAILURE if number % 5 == 0 else Outcome.SUCCESS,
        branch="main",
        started_at=now - timedelta(minutes=3),
        finished_at=now - timedelta(milliseconds=number % 1000),
    )


def fill(database: Database, pipelines: list[Pipeline], each: int) -> None:
    """A day of builds."""
    for number in range(1, each + 1):
        page = [made(pipeline, number) for pipeline in pipelines]
        database.transact(lambda session, page=page: builds.upsert(session, page, verdict_of, datetime.now(UTC)))  # type: ignore[misc]


@contextmanager
def served(url: str, folder: Path) -> Iterator[tuple[str, int]]:
    """Another process that serves the store: its address and process id."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, url, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip().replace("http", "ws"), process.pid
    finally:
        process.stdin.close()
        process.wait(timeout=20)


class Client:
    """Notes when it is told."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self.told: list[tuple[float, str]] = []

    async def listen(self) -> None:
        """Until the connection is closed."""
        async for message in self._connection:
            assert isinstance(message, str)
            self.told.append((time.perf_counter(), message))


def standing_still(address: str, path: str) -> socket.socket:
    """A client that asks for a WebSocket and never reads a byte of it."""
    host, _, port = address.removeprefix("ws://").partition(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, int(port)))
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    client.sendall(head.encode())
    return client


async def measure(
    address: str, database: Database, pipelines: list[Pipeline], *, path: str, clients: int, commits: int
) -> Timing:
    """The time from each commit until the last client was told of it."""
    async with contextlib.AsyncExitStack() as stack:
        still = [standing_still(address, path) for _ in range(2)]
        listening = [
            Client(await stack.enter_async_context(connect(address + path, compression=None, max_size=None)))
            for _ in range(clients)
        ]
        tasks = [asyncio.create_task(each.listen()) for each in listening]
        await asyncio.sleep(2)
        slowest, one = Timing(), Timing()
        number = int(time.time())
        for turn in range(commits):
            for each in listening:
                each.told.clear()
            build = made(pipelines[turn % len(pipelines)], number + turn)

            def commit(build: Build = build) -> None:
                database.transact(lambda session: builds.upsert(session, [build], verdict_of, datetime.now(UTC)))

            await asyncio.to_thread(commit)
            committed = time.perf_counter()
            until = committed + 5
            while not all(each.told for each in listening) and time.perf_counter() < until:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            latencies = sorted((each.told[0][0] if each.told else until) - committed for each in listening)
            slowest.wall.append(max(latencies[-1], 0.0))
            one.wall.append(max(latencies[len(latencies) // 2], 0.0))
            await asyncio.sleep(0.05 + 0.13 * (turn % 6))
        size = len(listening[0].told[0][1]) / 1024
        note(f"{path}: {clients} clients and two that never read, {size:.1f} KiB a message")
        note(f"the median client told after {1000 * one.median:.0f} ms")
        for client in still:
            client.close()
        for task in tasks:
            task.cancel()
        return slowest


def spent(process: int) -> float:
    """Seconds of processor time that a process has taken so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def idle(address: str, process: int, *, clients: int) -> float:
    """The share of a core that the serving process takes while nothing changes."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(clients):
            await stack.enter_async_context(connect(address + DELTA, compression=None))
        await asyncio.sleep(2)
        began, before = time.perf_counter(), spent(process)
        await asyncio.sleep(IDLE)
        return (spent(process) - before) / (time.perf_counter() - began)


def run(url: str, folder: Path, options: argparse.Namespace) -> None:
    """One kind of database."""
    with contextlib.closing(open_database(url)) as database:
        pipelines = [
            Pipeline(provider="ci", key=f"team/job-{n}", name=f"job-{n}", url=None) for n in range(options.pipelines)
        ]
        fill(database, pipelines, options.each)
        heading(f"{database.dialect}: {options.pipelines} pipelines, {options.pipelines * options.each:,} builds today")
        with served(url, folder) as (address, process):
            for path in (DELTA, SUMMARY):
                timing = asyncio.run(
                    measure(address, database, pipelines, path=path, clients=options.clients, commits=options.commits)
                )
                note(
                    f"all clients told after: median {1000 * timing.median:.0f} ms, "
                    f"p99 {1000 * timing.percentile(0.99):.0f} ms, longest {1000 * max(timing.wall):.0f} ms"
                )
                goal(f"{path}: every client knows within a second of the commit", max(timing.wall), LIMIT, " s")
            alone, watched = (asyncio.run(idle(address, process, clients=each)) for each in (0, options.clients))
            note(f"while nothing changes: {100 * alone:.2f} % of a core with nobody connected")
            goal(
                f"{options.clients} clients that nothing is told take", 100 * watched, 100 * IDLE_SHARE, " % of a core"
            )
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
            note(f"the serving process has {pages * resource.getpagesize() / 2**20:.0f} MiB")


def main() -> None:
    """Parse the command line and measure both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--pipelines", type=int, default=1_000)
    parser.add_argument("--each", type=int, default=20, help="builds of each pipeline")
    parser.add_argument("--commits", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="SQLite only, 10 commits")
    parser.add_argument("--rounds", type=int, default=1, help="ignored: every commit is a round")
    options = parser.parse_args()
    options.commits = 10 if options.quick else options.commits
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bw-bench-")))
        run(f"sqlite:///{folder / 'live.db'}", folder, options)
        if not options.quick:
            try:
                server = stack.enter_context(postgres_server())
            except NoPostgres as error:
                note(f"no PostgreSQL: {error}")
            else:
                run(server.database_url(), folder, options)


if __name__ == "__main__":
    main()
