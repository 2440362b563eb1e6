"""What buildwatch costs before it does anything: commands, start, memory at rest, with a big store, and over time."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text

from bench.fakes import running
from bench.measure import Timing, goal, heading, note, rows, table
from bench.windows import BUILDS, SQLITE_NUMBERS, driver
from simulator.house import Simulator
from store.columns import to_ms
from store.engine import Session, open_database
from tests.support.process import DaemonProcess
from tests.support.scene import bot, github, jenkins, save, scene

PIPELINES = 1000
HISTORY = timedelta(days=90)
SETTLED = 3.0  # seconds after READY in which the first polls are done
ASKED_FOR = "apscheduler.schedulers.background, requests, sqlalchemy, jenkins, pydantic_settings, slack_sdk"
MEMORY = ("VmRSS", "RssAnon", "VmHWM")


def memory(pid: int) -> dict[str, float]:
    """Resident memory of a process, its private part, and its most so far, in MiB."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: int(lines[name].split()[0]) / 1024 for name in MEMORY}


def processor_time(pid: int) -> float:
    """What a process has used so far, in seconds."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def bench_commands(folder: Path, rounds: int) -> None:
    """Short commands against a Python that does nothing."""
    entries = [{"provider": "ci", "job": f"team-{n % 20}/job-{n}", "branches": ["main"]} for n in range(PIPELINES)]
    configuration = {
        "store": {"url": f"sqlite:///{folder}/check.db"},
        "providers": {"ci": {"kind": "jenkins", "url": "https://ci.example.com", "poll_every": "60s"}},
        "pipelines": entries,
        "channels": {"terminal": {"kind": "console"}},
    }
    path = save(folder / "check.yaml", configuration)
    buildwatch = [sys.executable, "-m", "poller"]
    timings = spawned(
        {
            "python -c pass": [sys.executable, "-c", "pass"],
            "the asked-for packages": [sys.executable, "-c", f"import {ASKED_FOR}"],
            "buildwatch --help": [*buildwatch, "--help"],
            f"check of {PIPELINES:,} pipelines": [*buildwatch, "check", "--config", str(path)],
        },
        rounds,
    )
    heading("commands")
    table(timings, "python -c pass")
    for name, limit in (("buildwatch --help", 0.15), (f"check of {PIPELINES:,} pipelines", 1.5)):
        goal(name, timings[name].median, limit, " s")
        note(f"       of that {timings[name].cpu_median:.3g} s are ours: processor time")


def spawned(subjects: Mapping[str, list[str]], rounds: int) -> dict[str, Timing]:
    """Processes in interleaved rounds, with their processor time; the first round writes the bytecode."""
    timings = {name: Timing() for name in subjects}
    for number in range(rounds + 1):
        for name, command in subjects.items():
            began = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, command
            if number:
                timings[name].wall.append(time.perf_counter() - began)
                timings[name].cpu.append(used.ru_utime + used.ru_stime)
    return timings


class Round:
    """One start of the daemon over the simulated servers, and what it takes."""

    def __init__(self, folder: Path, configure: Callable[[Simulator, str], dict[str, Any]]) -> None:
        self._folder = folder
        self._configure = configure
        self.first_poll = self.ready = self.cpu = 0.0
        self.idle: dict[str, float] = {}
        self.sent: dict[str, float] = {}

    def run(self) -> None:
        """Start, rest, let something break, rest."""
        with Simulator(1) as house, tempfile.TemporaryDirectory(dir=self._folder) as name:
            populate(house)
            path = save(Path(name, "config.yaml"), self._configure(house, f"sqlite:///{name}/bench.db"))
            began = time.perf_counter()
            asked: list[float] = []
            house.jenkins.before = lambda: asked.append(time.perf_counter() - began)
            with DaemonProcess(path) as daemon:
                assert daemon.listen("READY=1"), daemon.log()
                self.ready = time.perf_counter() - began
                self.cpu = processor_time(daemon.process.pid)
                time.sleep(SETTLED)
                self.first_poll = asked[0]
                self.idle = memory(daemon.process.pid)
                house.world.jenkins.job("team/api").build("FAILURE")
                until = time.monotonic() + 20
                while not (house.slack.messages and house.smtp.mails) and time.monotonic() < until:
                    time.sleep(0.1)
                time.sleep(1)
                self.sent = memory(daemon.process.pid)
                daemon.stop()


def populate(house: Simulator) -> None:
    """A few jobs and a repository with some history."""
    for job in ("team/api", "team/web", "nightly"):
        for _ in range(5):
            house.world.jenkins.job(job).build("SUCCESS")
    for _ in range(5):
        house.world.github.repo("acme/web").run("success")


def resting(house: Simulator, store: str) -> dict[str, Any]:
    """Jenkins, GitHub, a Slack bot and mail."""
    return scene(house, store, providers={"ci": jenkins(house, poll_every="1s"), "gh": github(house, poll_every="1s")})


def bench_start(folder: Path, rounds: int) -> None:
    """How soon it polls, and what it holds when nothing happens."""
    done = []
    for _ in range(rounds):
        each = Round(folder, resting)
        each.run()
        done.append(each)
    packages = packages_alone()
    heading("run: Jenkins, GitHub, a Slack bot and mail")
    timings = {
        name: Timing(wall=[getattr(each, name) for each in done], cpu=[each.cpu for each in done])
        for name in ("first_poll", "ready")
    }
    table(timings, "ready")
    goal("first poll after start", timings["first_poll"].median, 0.9, " s")
    goal("READY after start", timings["ready"].median, 3, " s")
    note(f"       of that {timings['ready'].cpu_median:.3g} s are ours: processor time")
    middle = sorted(done, key=lambda each: each.idle["VmRSS"])[len(done) // 2]
    rows(
        ("memory, MiB", "resident", "private", "peak"),
        [
            ("the asked-for packages, imported", *_figures(packages)),
            ("idle, after the first polls", *_figures(middle.idle)),
            ("after the first messages", *_figures(middle.sent)),
        ],
    )
    goal("idle", middle.idle["VmRSS"], 55, " MiB")
    note(f"       {middle.idle['VmRSS'] / packages['VmRSS']:.2f} x the asked-for packages alone")


def packages_alone() -> dict[str, float]:
    """The memory of a Python that has imported what buildwatch was asked to use."""
    script = f"import {ASKED_FOR}; print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = memory(process.pid)
        process.communicate("\n")
    return found


def _figures(found: Mapping[str, float]) -> list[str]:
    return [f"{found[name]:.1f}" for name in MEMORY]


def fill(session: Session, count: int) -> None:
    """A quarter of a year until now, as `bench/windows.py` makes it, of the pipelines that the fake Jenkins has."""
    now = datetime.now(UTC)
    pipelines = [{"id": n, "key": f"job-{n - 1:04}", "at": to_ms(now - HISTORY)} for n in range(1, PIPELINES + 1)]
    session.execute(
        text(
            "INSERT INTO pipelines (id, provider, key, name, labels, branched, watched_since) "
            "VALUES (:id, 'ci', :key, :key, '{}', 0, :at)"
        ),
        pipelines,
    )
    session.execute(
        text("INSERT INTO names (id, text) VALUES (:id, :text)"),
        [{"id": n, "text": f"branch-{n}"} for n in range(1, 6)],
    )
    numbers = SQLITE_NUMBERS.format(last=count - 1)
    span = HISTORY // timedelta(milliseconds=1)
    driver(
        session,
        BUILDS.format(start=to_ms(now - HISTORY), span=span, builds=count, pipelines=PIPELINES, numbers=numbers),
    )
    driver(session, "ANALYZE")


def bench_big(folder: Path, count: int, seconds: float) -> None:
    """A start on a big store, and its memory while 1,000 jobs are polled."""
    store = f"sqlite:///{folder}/big.db"
    database = open_database(store)
    database.transact(partial(fill, count=count), deadline=600)
    database.close()
    with running("jenkins", PIPELINES, 5) as fake:
        provider = {"kind": "jenkins", "url": fake.url, "poll_every": "2s"}
        configuration = {
            "store": {"url": store},
            "providers": {"ci": provider},
            "pipelines": [{"provider": "ci", "job": "*"}],
            "channels": {"terminal": {"kind": "console"}},
        }
        path = save(folder / "big.yaml", configuration)
        began = time.perf_counter()
        with DaemonProcess(path) as daemon:
            assert daemon.listen("READY=1"), daemon.log()
            ready = time.perf_counter() - began
            until, found = time.monotonic() + seconds, []
            while time.monotonic() < until:
                fake.change(20)
                time.sleep(2)
                found.append(memory(daemon.process.pid))
            daemon.stop()
    heading(f"run: {PIPELINES:,} pipelines, {count:,} builds in the store")
    goal("READY after start", ready, 3, " s")
    rows(("memory, MiB", "resident", "private", "peak"), [("at the end", *_figures(found[-1]))])
    goal("resident", found[-1]["VmRSS"], 150, " MiB")


def bench_growth(folder: Path, seconds: float) -> None:
    """Memory over some hundred polls, a tenth of which find something new, once each page is as long as it gets."""
    with Simulator(1) as house, tempfile.TemporaryDirectory(dir=folder) as name:
        populate(house)
        providers = {"ci": jenkins(house, poll_every="0.1s"), "gh": github(house, poll_every="0.1s")}
        store = f"sqlite:///{name}/bench.db"
        path = save(Path(name, "config.yaml"), scene(house, store, providers=providers, channels={"bot": bot(house)}))
        with DaemonProcess(path) as daemon:
            assert daemon.listen("READY=1"), daemon.log()
            for number in range(110):
                build(house, number)
                time.sleep(0.2)
            house.jenkins.forget()
            house.github.forget()
            began, found, number = time.monotonic(), [], 0
            while time.monotonic() < began + seconds:
                number += 1
                build(house, number)
                time.sleep(1)
                found.append(memory(daemon.process.pid)["VmRSS"])
            daemon.stop()
        requests = len(house.jenkins.requests) + len(house.github.requests)
    heading(f"run: {requests} requests in {seconds:.0f} s, {2 * number} new builds")
    quarters = [found[0], *(found[len(found) * part // 4 - 1] for part in (1, 2, 3, 4))]
    note("resident at the start and after each quarter, MiB: " + ", ".join(f"{each:.1f}" for each in quarters))
    goal("growth over the second half", quarters[4] - quarters[2], 1, " MiB")


def build(house: Simulator, number: int) -> None:
    """One more build on each provider; one in ten of Jenkins fails."""
    house.world.jenkins.job("team/api").build("FAILURE" if number % 10 == 0 else "SUCCESS")
    house.world.github.repo("acme/web").run("success")


def main() -> None:
    """Parse the command line, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builds", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="100,000 builds, fewer rounds and polls")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    quick = options.quick
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bw-bench-")))
        # As after an installation: the bytecode is there, whoever may write to the packages.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(folder / "bytecode"))
        bench_commands(folder, max(options.rounds, 5))
        bench_start(folder, 2 if quick else options.rounds)
        bench_growth(folder, 20 if quick else 120)
        bench_big(folder, 100_000 if quick else options.builds, 10 if quick else 30)


if __name__ == "__main__":
    main()
