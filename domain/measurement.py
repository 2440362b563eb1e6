"""Figures of builds: those that every build has, and those that are read from files that builds leave behind."""

from collections.abc import Mapping
from typing import Final

from domain.build import Build

DURATION: Final = "duration_seconds"
QUEUE: Final = "queue_seconds"
TESTS: Final = ("tests_total", "tests_passed", "tests_failed", "tests_skipped")
BUILT_IN: Final = (DURATION, QUEUE, *TESTS)
"""The names of what is known of builds without reading a file. No file may use them for something else."""


def built_in(build: Build) -> Mapping[str, float]:
    """What a build tells by itself, as far as it does."""
    found: dict[str, float] = {}
    if build.duration is not None:
        found[DURATION] = build.duration.total_seconds()
    if build.queue_time is not None:
        found[QUEUE] = build.queue_time.total_seconds()
    if (tests := build.tests) is not None:
        counts = (tests.total, tests.passed, tests.failed, tests.skipped)
        found |= dict(zip(TESTS, map(float, counts), strict=True))
    return found
