"""What test results of several builds say together: what has changed, and how a test fared."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, TypeVar

from domain.build import Verdict
from domain.testreport import FAILING, Test, TestStatus

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class TestChanges:
    """A build's tests against what was known of its stream before. Each set is sorted.

    Without anything to compare with (`compared` is False) only `failing` is known. A `partial` report is one of a
    build that did not get through its tests: what is not in it is not known, and so `vanished` is empty.
    """

    __test__ = False  # not a test class, whatever pytest thinks of the name

    failing: tuple[Test, ...] = ()  # all that fail: new ones and those that failed before
    newly_failing: tuple[Test, ...] = ()
    still_failing: tuple[Test, ...] = ()
    fixed: tuple[Test, ...] = ()  # failed before, pass now
    vanished: tuple[Test, ...] = ()  # were there before, whatever their status
    newly_skipped: tuple[Test, ...] = ()  # ran before
    compared: bool = False
    partial: bool = False


class TestFate(StrEnum):
    """What has become of a test that had failed, as far as is known after a build."""

    __test__ = False

    FAILING = "failing"
    FIXED = "fixed"
    SKIPPED = "skipped"  # nobody looks any more
    VANISHED = "vanished"
    UNKNOWN = "unknown"  # the build did not get that far


class Trial(NamedTuple):
    """A build of a stream whose tests were read, or that passed: then none of them had failed."""

    build_id: int
    generation: int
    number: int
    attempt: int
    verdict: Verdict | None
    commit: str | None
    labels: int | None  # equal for builds with the same labels
    finished_at: datetime
    total: int  # different tests; 0 without a report
    failed: int


class Course(NamedTuple):
    """How one test fared in each of some builds; None where it was not among the tests."""

    suite: str
    name: str
    statuses: tuple[TestStatus | None, ...]
    retried: tuple[int, ...] = ()  # places of builds in which it had failed before it passed


@dataclass(frozen=True, slots=True, kw_only=True)
class TestStand:
    """The tests of a stream after its newest build that says anything of them: by a report, or because it passed."""

    __test__ = False

    build_id: int
    generation: int
    number: int
    finished_at: datetime
    verdict: Verdict
    changes: TestChanges
    fates: Mapping[Test, TestFate] = field(default_factory=dict)  # of the tests that were asked for
    known_flaky: frozenset[Test] = frozenset()  # of those that fail newly


class ErrorGroup(NamedTuple):
    """Tests of one build that fail with the same error."""

    error: str  # without what differs from test to test
    size: int  # tests
    tests: tuple[Test, ...]  # the first of them


class Gap(NamedTuple):
    """A file that a build must leave behind, and that is missing, or that cannot be read."""

    artifact: str  # missing: the glob as in config.yaml; unreadable: the name of the file
    reason: str | None  # why it cannot be read; None: it is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A build that got so far that the files asked for must be there, and which of them are not."""

    build_id: int
    generation: int
    number: int
    finished_at: datetime
    gaps: tuple[Gap, ...] = ()  # none: all are there


class Reading(NamedTuple):
    """What one build of a stream says of its tests. `statuses` is None when no report was read."""

    statuses: Mapping[int, TestStatus] | None
    all_well: bool  # it passed, and not with failing tests: what it does not say, did not fail
    partial: bool  # what it does not name was not reached


def standing(readings: Iterable[Reading], *, most: int = 5) -> dict[int, TestStatus] | None:
    """What is known of each test after some builds of a stream, which come newest first.

    The newest word on each test counts; what a complete report does not name is gone. At most so many reports are
    looked at. None: nothing is known at all.
    """
    known: dict[int, TestStatus] = {}
    well = informed = False
    for reading in readings:
        for test, status in (reading.statuses or {}).items():
            known.setdefault(test, TestStatus.PASSED if well and status in FAILING else status)
        well = well or reading.all_well
        informed = informed or reading.all_well or reading.statuses is not None
        most -= reading.statuses is not None
        if reading.statuses is not None and (not reading.partial or not most):
            break
    return known if informed else None


def compare(
    now: Mapping[Key, TestStatus], before: Mapping[Key, TestStatus] | None, *, partial: bool = False
) -> Mapping[str, list[Key]]:
    """The fields of TestChanges that are sets, by name, from what a build says and what was known before it."""
    failing = [test for test, status in now.items() if status in FAILING]
    if before is None:
        return {"failing": failing}
    failed = {test for test, status in before.items() if status in FAILING}
    return {
        "failing": failing,
        "newly_failing": [test for test in failing if test not in failed],
        "still_failing": [test for test in failing if test in failed],
        "fixed": [test for test in failed if now.get(test) is TestStatus.PASSED],
        "vanished": [] if partial else [test for test in before if test not in now],
        "newly_skipped": [
            test
            for test, status in now.items()
            if status is TestStatus.SKIPPED and before.get(test, TestStatus.SKIPPED) is not TestStatus.SKIPPED
        ],
    }
