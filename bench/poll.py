"""Polling Jenkins and GitHub against the libraries that a user would pick, and against bare requests.

Compare processor times: the first to ask in a round also waits for the fake to make its answer.
Peers that would take minutes are measured on a tenth of the work and multiplied by ten; the output says so.
"""

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from bench.fakes import Fake, running
from bench.measure import Timing, add_round, goal, heading, note, peak, resident, rows
from bench.peers import BareGitHub, BareJenkins, PythonJenkins, pygithub
from domain.build import Build, Outcome, Verdict
from providers import github, jenkins
from providers._base import Cursor, Page, ProviderPlugin, Target
from store import builds as stored_builds
from store import cursors as stored_cursors
from store import pipelines
from store.engine import Session, open_database

TENTH = 10
THREADS = 5  # as the scheduler gives to one provider
INTERVAL = 60.0


@dataclass(slots=True)
class Ours:
    """One of our providers, and the cursors that the store would keep for it."""

    plugin: ProviderPlugin
    settings: Mapping[str, Any]
    entries: Sequence[Mapping[str, Any]]
    cursors: dict[str, dict[str, Cursor]] = field(default_factory=dict)
    provider: Any = None
    targets: Sequence[Target] = ()

    def open(self) -> "Ours":
        """Make the provider; reaches nothing."""
        self.provider = self.plugin.provider(
            name="ci",
            settings=self.plugin.settings(**self.settings),
            entries=[self.plugin.entry(provider="ci", **each) for each in self.entries],
        )
        self.targets = self.provider.targets()
        return self

    def poll(self, threads: int = 1, keep: Callable[[Target, Page], object] | None = None) -> int:
        """All targets once; returns the number of builds that were read."""
        if threads == 1:
            return sum(self._poll(target, keep) for target in self.targets)
        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(lambda target: self._poll(target, keep), self.targets))

    def _poll(self, target: Target, keep: Callable[[Target, Page], object] | None) -> int:
        found = 0
        known = self.cursors.setdefault(target.key, {})
        for page in self.provider.poll(target, dict(known), datetime.now(UTC)):
            found += len(page.builds)
            if keep is not None:
                keep(target, page)
            for key, cursor in page.cursors.items():
                if cursor is None:
                    known.pop(key, None)
                else:
                    # As through the store: nothing of the page stays alive.
                    known[key] = orjson.loads(orjson.dumps(cursor))
        return found


def our_jenkins(url: str) -> Ours:
    """Everything on the server."""
    return Ours(jenkins.PLUGIN, {"kind": "jenkins", "url": url}, [{"job": "**"}]).open()


def our_github(url: str, size: int) -> Ours:
    """One entry for each repository: the worst case for matching."""
    entries = [{"repo": f"acme/repo-{number:03}"} for number in range(size)]
    return Ours(github.PLUGIN, {"kind": "github", "api_url": url, "token": "made-up"}, entries).open()


# ---- first syncs, each in a process of its own


def verdict_of(build: Build) -> Verdict | None:
    """As alerts/verdict.py says for these outcomes."""
    if build.outcome is None:
        return None
    return Verdict.PASSED if build.outcome is Outcome.SUCCESS else Verdict.FAILED


def sync_into_store(ours: Ours) -> int:
    """The first contact with everything, normalized and stored as the daemon does it, in a new SQLite store."""
    with tempfile.TemporaryDirectory(prefix="bw-bench-") as folder:
        database = open_database(f"sqlite:///{Path(folder) / 'bench.db'}")

        def keep(target: Target, page: Page) -> None:
            def unit(session: Session) -> None:
                now = datetime.now(UTC)
                pipelines.remember(session, page.pipelines, now)
                stored_builds.upsert(session, page.builds, verdict_of, now)
                stored_cursors.save(session, "ci", target.key, page.cursors)

            database.transact(unit)

        found = ours.poll(keep=keep)
        database.close()
    return found


FIRST_SYNCS: Mapping[str, Callable[[str, int], int]] = {
    "jenkins: limit": lambda url, size: BareJenkins(url).first(size),
    "jenkins: ours, read only": lambda url, _: our_jenkins(url).poll(),
    "jenkins: ours, stored": lambda url, _: sync_into_store(our_jenkins(url)),
    "jenkins: python-jenkins": lambda url, _: PythonJenkins(url).first(),
    "github: limit": lambda url, size: BareGitHub(url, size).poll(),
    "github: ours, read only": lambda url, size: our_github(url, size).poll(),
    "github: ours, stored": lambda url, size: sync_into_store(our_github(url, size)),
    "github: PyGithub": pygithub,
}


def child(what: str, url: str, size: int) -> None:
    """Measure one subject here and print the figures."""
    warm_up(what)
    gc.collect()
    before, wall, cpu = resident(), time.perf_counter(), time.process_time()
    found = FIRST_SYNCS[what](url, size)
    figures = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "found": found}
    print(json.dumps({**figures, "idle": before, "grown": peak() - before}))


def warm_up(what: str) -> None:
    """Import what an idle daemon has imported already: python-jenkins, the store."""
    import jenkins as python_jenkins  # noqa: PLC0415

    assert python_jenkins.Jenkins
    if "ours" in what:
        with tempfile.TemporaryDirectory(prefix="bw-bench-") as folder:
            open_database(f"sqlite:///{Path(folder) / 'bench.db'}").close()


def in_a_child(what: str, fake: Fake, size: int) -> dict[str, float]:
    """The figures of one subject, with what the fake counted."""
    fake.count()
    command = [sys.executable, "-m", "bench.poll", "--child", what, "--url", fake.url, "--size", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{what}: {done.stderr}")
    return {**json.loads(done.stdout), **fake.count()}


def bench_first_sync(kind: str, size: int, count: int, rounds: int, peer: str) -> None:
    """Several rounds of all subjects; the peer once, on a tenth."""
    heading(f"{kind}: first sync of {size} with {count} builds each")
    subjects = [f"{kind}: limit", f"{kind}: ours, read only", f"{kind}: ours, stored"]
    with running(kind, size, count) as fake, running(kind, max(size // TENTH, 1), count) as small:
        for subject in subjects[:2]:
            in_a_child(subject, fake, size)  # the fake makes its answers
        found: dict[str, list[dict[str, float]]] = {subject: [] for subject in subjects}
        for _ in range(rounds):
            for subject in subjects:
                found[subject].append(in_a_child(subject, fake, size))
        peer_name = f"{kind}: {peer}"
        part = in_a_child(peer_name, small, max(size // TENTH, 1))
    lines = [line_of(subject, figures) for subject, figures in found.items()]
    scaled = {
        key: value * TENTH if key in {"cpu", "wall", "requests", "bytes", "found"} else value
        for key, value in part.items()
    }
    rows(COLUMNS, [*lines, line_of(f"{peer} (a tenth, x 10)", [scaled])])
    ours, limit = found[f"{kind}: ours, stored"], found[f"{kind}: limit"]
    expected = size * count
    assert all(each["found"] == expected for each in ours), "not all builds were read"
    if kind == "jenkins":
        goal("requests", max(each["requests"] for each in ours), 25)
        goal("times less CPU than python-jenkins", scaled["cpu"] / median(ours, "cpu"), 30, at_least=True)
        goal("memory above idle", max(each["grown"] for each in ours), 80, " MiB")
        note(f"CPU of ours, stored: {median(ours, 'cpu') / median(limit, 'cpu'):.2f} x limit")
    else:
        goal("CPU, read only, x limit", median(found[f"{kind}: ours, read only"], "cpu") / median(limit, "cpu"), 1.5)
        goal("wall, read only, x limit", median(found[f"{kind}: ours, read only"], "wall") / median(limit, "wall"), 1.5)
        note(f"CPU of ours, stored: {median(ours, 'cpu') / median(limit, 'cpu'):.2f} x limit")
        note(f"PyGithub's CPU: {scaled['cpu'] / median(ours, 'cpu'):.1f} x ours, stored")


COLUMNS = ("", "requests", "MB", "cpu s (med)", "min", "max", "wall s", "MiB grown")


def line_of(name: str, figures: Sequence[Mapping[str, float]]) -> Sequence[object]:
    """One subject in the table."""
    cpu = [each["cpu"] for each in figures]
    return (
        name,
        int(max(each["requests"] for each in figures)),
        f"{max(each.get('bytes', 0) for each in figures) / 1e6:.1f}",
        f"{median(figures, 'cpu'):.2f}",
        f"{min(cpu):.2f}",
        f"{max(cpu):.2f}",
        f"{median(figures, 'wall'):.2f}",
        f"{max(each['grown'] for each in figures):.0f}",
    )


def median(figures: Sequence[Mapping[str, float]], name: str) -> float:
    """Of one figure."""
    return sorted(each[name] for each in figures)[len(figures) // 2]


# ---- steady polls


@dataclass(slots=True)
class Steady:
    """A subject that is polled again and again while the fake changes."""

    name: str
    poll: Callable[[], object]
    timing: Timing = field(default_factory=Timing)
    counted: dict[str, int] = field(default_factory=dict)

    def round(self, fake: Fake) -> None:
        """One poll, measured and counted."""
        fake.count()
        add_round(self.timing, self.poll)
        self.counted = dict(fake.count())


def steady(fake: Fake, subjects: Sequence[Steady], changed: int, rounds: int) -> None:
    """Interleaved rounds; before each of them `changed` of the fake's jobs finish a build."""
    for subject in subjects:
        subject.poll()
    for _ in range(rounds):
        fake.change(changed)
        for subject in subjects:
            subject.round(fake)


def show_steady(subjects: Sequence[Steady], counts: Sequence[str]) -> None:
    """The table."""
    lines = [
        (
            each.name,
            *(each.counted.get(name, 0) for name in counts),
            *(f"{1000 * value:.1f}" for value in (each.timing.cpu_median, min(each.timing.cpu), max(each.timing.cpu))),
            f"{1000 * each.timing.median:.1f}",
        )
        for each in subjects
    ]
    rows(("", *counts, "cpu ms (med)", "min", "max", "wall ms"), lines)


def bench_jenkins_steady(size: int, changed: int, rounds: int) -> float:
    """Returns the CPU seconds of a poll in which nothing moved."""
    heading(f"jenkins: steady, {size} jobs, {changed} newly finished")
    with running("jenkins", size, 50) as fake:
        ours, bare, peer_client = our_jenkins(fake.url), BareJenkins(fake.url), PythonJenkins(fake.url)
        subjects = [
            Steady("limit", bare.poll),
            Steady("ours", ours.poll),
            Steady("python-jenkins", peer_client.poll),
        ]
        steady(fake, subjects, changed, rounds)
        show_steady(subjects, ("requests", "bytes", "requests that load builds"))
        limit, mine, peer = (each.timing.cpu_median for each in subjects)
        goal("requests", subjects[1].counted["requests"], 1 + changed)
        goal("CPU x limit", mine / limit, 2)
        goal("times less CPU than python-jenkins", peer / mine, 20, at_least=True)
        one = [Steady("limit, one changed", bare.poll), Steady("ours, one changed", ours.poll)]
        steady(fake, one, 1, rounds)
        quiet = [Steady("limit, nothing changed", bare.poll), Steady("ours, nothing changed", ours.poll)]
        steady(fake, quiet, 0, rounds)
        show_steady([*one, *quiet], ("requests", "bytes"))
        return quiet[1].timing.cpu_median


def bench_github_steady(size: int, changed: int, rounds: int) -> float:
    """Returns the CPU seconds of a poll in which nothing moved."""
    heading(f"github: steady, {size} repositories, {changed} changed")
    with running("github", size, 30) as fake:
        ours, bare = our_github(fake.url, size), BareGitHub(fake.url, size)
        subjects = [Steady("limit", bare.poll), Steady("ours", ours.poll)]
        steady(fake, subjects, changed, rounds)
        peer = Steady("PyGithub (a tenth)", lambda: pygithub(fake.url, max(size // TENTH, 1)))
        steady(fake, [peer], changed, 1)
        show_steady([*subjects, peer], ("requests", "bytes", "answers 304", "rate limit points"))
        goal("rate limit points", subjects[1].counted.get("rate limit points", 0), changed)
        goal("CPU x limit", subjects[1].timing.cpu_median / subjects[0].timing.cpu_median, 1.5)
        note(f"PyGithub's CPU: {TENTH * peer.timing.cpu_median / subjects[1].timing.cpu_median:.0f} x ours")
        fake.latency(0.02)
        slow = Steady(f"ours, {THREADS} threads, 20 ms latency", lambda: ours.poll(threads=THREADS))
        wide = Steady("ours, 12 threads, 20 ms latency", lambda: ours.poll(threads=12))
        steady(fake, [slow], changed, 3)
        steady(fake, [wide], changed, 3)
        fake.latency(0)
        show_steady([slow, wide], ("requests", "rate limit points"))
        goal(f"wall with 20 ms latency, {THREADS} threads", slow.timing.median, 1.5, " s")
        quiet = Steady("ours, nothing changed", ours.poll)
        steady(fake, [quiet], 0, rounds)
        show_steady([quiet], ("requests", "rate limit points"))
        return quiet.timing.cpu_median


def main() -> None:
    """Parse the command line and run the five rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.url, options.size)
        return
    jobs, repositories = (100, 50) if options.quick else (1000, 500)
    idle = bench_jenkins_steady(jobs, jobs // 50, options.rounds)
    idle += bench_github_steady(repositories, repositories // 50, options.rounds)
    heading(f"idle cost: {jobs} jobs and {repositories} repositories every {timedelta(seconds=INTERVAL)}")
    goal("of one core", 100 * idle / INTERVAL, 5, " %")
    bench_first_sync("jenkins", jobs, 50, options.rounds, "python-jenkins")
    bench_first_sync("github", repositories, 30, options.rounds, "PyGithub")


if __name__ == "__main__":
    main()
