"""Tests over all pipelines: which fail now, which are flaky."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from domain.testhistory import TestStand
from domain.testreport import Test
from metrics.flakiness import Flaky, flaky_tests
from store import pipelines, test_history, test_stand
from store.engine import Session
from store.pipelines import Known
from store.test_line import Place

SINCE = timedelta(days=30)
MOST_STREAMS = 40
FEW = 50


class Standing(NamedTuple):
    """The tests of one stream."""

    known: Known
    branch: str
    stand: TestStand


class FlakyTest(NamedTuple):
    """A flaky test, and where."""

    known: Known
    branch: str
    flaky: Flaky


@dataclass(frozen=True, slots=True, kw_only=True)
class Tests:
    """What there is to see."""

    standings: Sequence[Standing]  # of streams with failing tests
    flaky: Sequence[FlakyTest]
    streams: int  # that have tests at all
    looked_at: int


def tests(session: Session, now: datetime, *, text: str) -> Tests:
    """Failing and flaky tests of the streams that have reports; `text`: only of pipelines that are called so."""
    places = test_history.places(session, now - SINCE)
    known = pipelines.find(session, {place[:2] for place in places})
    wanted = [place for place in places if place[:2] in known and _is_about(known[place[:2]], text)]
    standings: list[Standing] = []
    flaky: list[FlakyTest] = []
    for place in wanted[:MOST_STREAMS]:
        owner = known[place[:2]]
        stand = test_stand.stand(session, place)
        if stand is not None and stand.changes.failing:
            standings.append(Standing(owner, place[2], stand))
        flaky += [FlakyTest(owner, place[2], each) for each in _flaky(session, place)]
    standings.sort(key=lambda each: (-len(each.stand.changes.newly_failing), -len(each.stand.changes.failing)))
    flaky.sort(key=lambda each: -each.flaky.rate)
    return Tests(standings=standings, flaky=flaky[:FEW], streams=len(wanted), looked_at=min(len(wanted), MOST_STREAMS))


def shown(changes: Sequence[Test]) -> Sequence[Test]:
    """The first of many."""
    return changes[:FEW]


def _flaky(session: Session, place: Place) -> list[Flaky]:
    runs, lines = test_history.history(session, place)
    return flaky_tests(runs, lines)


def _is_about(known: Known, text: str) -> bool:
    where = f"{known.pipeline.name} {known.pipeline.key}".casefold()
    return all(word in where for word in text.casefold().split())
