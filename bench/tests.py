"""1,000 nightly runs of 5,000 tests in the store: how large, how fast written, how fast asked; on both databases."""

import argparse
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from bench.measure import goal, heading, note, rows
from domain.build import Build, Outcome, Pipeline, Status, Verdict
from domain.testreport import TestCase, TestReport, TestStatus
from metrics.flakiness import flaky_tests
from store import builds, tests
from store.engine import Database, Session, open_database
from store.test_history import history
from store.test_stand import stand
from tests.support.postgres import NoPostgres, postgres_server

NIGHTLY = Pipeline(provider="ci", key="regression/nightly", name="nightly", branched=False)
PLACE = ("ci", NIGHTLY.key, "")
START = datetime(2024, 1, 1, 2, tzinfo=UTC)
MESSAGE = (
    "java.lang.AssertionError: expected:<200> but was:<503>\n"
    + "\tat com.acme.shop.CartTest.adds(CartTest.java:42)\n" * 8
)


class Nights:
    """Runs of a suite in which a few tests are flaky, a few are broken for a while, and now and then one is new."""

    def __init__(self, size: int, seed: int = 7) -> None:
        self._random = random.Random(seed)
        self._names = [self._name(number) for number in range(size)]
        self._usual = [self._random.lognormvariate(-2, 1.5) for _ in range(size)]
        self._flaky = {number for number in range(size) if self._random.random() < 1 / 100}
        self._broken: dict[int, int] = {}  # tests, and the night that mends them
        self._skipped = {number for number in range(size) if self._random.random() < 1 / 50}

    def _name(self, number: int) -> tuple[str, str]:
        team = self._random.choice(("shop", "billing", "search", "login"))
        suite = f"com.acme.{team}.module{number // 50}.Suite{number // 25}Test"
        return suite, f"does_what_it_has_to_do_in_case_{number}[{number % 7}]"

    def report(self, night: int) -> TestReport:
        """One night; every hundredth hardly a test works."""
        chance = self._random
        if chance.random() < 1 / 4:
            self._broken[chance.randrange(len(self._names))] = night + chance.randrange(1, 8)
        if chance.random() < 1 / 10:
            self._names[chance.randrange(len(self._names))] = self._name(10**6 + night)
        down = night % 100 == 99
        return _report([self._case(number, night, down=down) for number in range(len(self._names))])

    def _case(self, number: int, night: int, *, down: bool) -> TestCase:
        suite, name = self._names[number]
        took = self._usual[number] * self._random.uniform(0.9, 1.15)
        if number in self._skipped:
            return TestCase(suite=suite, name=name, status=TestStatus.SKIPPED)
        odds = 0.95 if down else 0.05 if number in self._flaky else 0.0
        fails = self._broken.get(number, -1) >= night or (odds and self._random.random() < odds)
        status = TestStatus.FAILED if fails else TestStatus.PASSED
        return TestCase(suite=suite, name=name, status=status, duration=took, message=MESSAGE if fails else None)


def _report(cases: list[TestCase]) -> TestReport:
    count = [case.status for case in cases].count
    failed, skipped = count(TestStatus.FAILED), count(TestStatus.SKIPPED)
    return TestReport(passed=len(cases) - failed - skipped, failed=failed, skipped=skipped, cases=tuple(cases))


def _build(night: int, report: TestReport) -> Build:
    started = START + timedelta(days=night)
    return Build(
        pipeline=NIGHTLY,
        external_id=str(night + 1),
        number=night + 1,
        status=Status.FINISHED,
        outcome=Outcome.UNSTABLE if report.failed else Outcome.SUCCESS,
        commit=f"{night // 2:040x}",
        started_at=started,
        finished_at=started + timedelta(hours=1),
    )


def fill(database: Database, runs: int, size: int) -> tuple[float, int]:
    """Seconds that recording took in all, and the builds."""
    nights, took = Nights(size), 0.0
    for night in range(runs):
        report = nights.report(night)

        def unit(session: Session, night: int = night, report: TestReport = report) -> float:
            (change,) = builds.upsert(session, [_build(night, report)], _verdict, START)
            began = perf_counter()
            tests.record(session, change.id, report)
            return perf_counter() - began

        took += database.transact(unit)
    return took, runs


def _verdict(build: Build) -> Verdict:
    return Verdict.PASSED if build.outcome is Outcome.SUCCESS else Verdict.FAILED


def size_of(database: Database) -> float:
    """Of the whole store, in MiB."""

    def unit(session: Session) -> int:
        if database.dialect == "sqlite":
            return int(
                session.exec_driver_sql(
                    "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
                ).scalar_one()
            )
        return int(session.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())

    return database.read(unit) / 2**20


def asked(database: Database, runs: int) -> Iterator[tuple[str, float]]:
    """What is asked when a build was read, and by the command, in milliseconds."""
    questions: dict[str, Callable[[Session], object]] = {
        "what has changed": lambda session: tests.changes(session, [runs]),
        "what failed before": lambda session: tests.failing_before(session, runs),
        "how the stream stands": lambda session: stand(session, PLACE, [("s", "a")]),
        "all tests of a build": lambda session: tests.cases_of(session, runs),
        "flaky tests": lambda session: flaky_tests(*history(session, PLACE)),
        "one test, 400 builds": lambda session: history(session, PLACE, limit=400, tests=[("s", "a")]),
    }
    for name, question in questions.items():
        took = []
        for _ in range(5):
            began = perf_counter()
            database.read(question)
            took.append(perf_counter() - began)
        yield name, 1000 * sorted(took)[2]


@contextmanager
def _databases() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory(prefix="buildwatch-bench-") as folder:
        urls = {"SQLite": f"sqlite:///{Path(folder) / 'tests.db'}"}
        try:
            with postgres_server() as server:
                yield urls | {"PostgreSQL": server.database_url()}
        except NoPostgres as error:
            note(f"without PostgreSQL: {error}")
            yield urls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    quick = parser.parse_args().quick
    runs, size = (60, 500) if quick else (1000, 5000)
    heading(f"{runs} runs of {size} tests")
    with _databases() as urls:
        for name, url in urls.items():
            database = open_database(url)
            empty = size_of(database)
            took, count = fill(database, runs, size)
            large = size_of(database) - empty
            rows((name, ""), [(question, f"{took:.1f} ms") for question, took in asked(database, runs)])
            goal(f"{name}: size", large, 500.0, " MiB")
            goal(f"{name}: a report recorded", 1000 * took / count, 1000.0, " ms")
            database.close()


if __name__ == "__main__":
    main()
