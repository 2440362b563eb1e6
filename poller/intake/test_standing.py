"""How the tests of streams stand, for those streams of which something new may be known."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from alerts.decision import firing
from alerts.kinds.test_regression import KIND, remembered
from domain.alert import Alert, AlertKind
from domain.build import Verdict
from domain.stream import Settled, Signature
from domain.testhistory import Checked, TestStand
from metrics.flakiness import known_flaky
from store import pipelines
from store.engine import Session
from store.streams import Place
from store.test_history import history
from store.test_stand import stand


def is_concerned(stored: Sequence[Alert], *, reported: bool) -> bool:
    """Whether the tests of a stream matter: a report was read, or an alert about them fires."""
    return reported or firing(stored, KIND) is not None


def stand_of(session: Session, place: Place, stored: Sequence[Alert]) -> TestStand | None:
    """How the tests of a stream stand, with what is known of those that fail newly, and of those an alert is about.

    What failed before we met the pipeline is no news.
    """
    found = stand(session, place, remembered(stored))
    if found is None or not found.changes.newly_failing:
        return found
    if found.finished_at <= _met(session, place):
        return replace(found, changes=replace(found.changes, newly_failing=()))
    if found.verdict is Verdict.FAILED and firing(stored, AlertKind.FAILURE) is not None:
        return found  # which tells them anyway
    until = found.generation, found.number
    before = history(session, place, until=until, tests=found.changes.newly_failing)
    return replace(found, known_flaky=known_flaky(*before))


def since_contact(session: Session, place: Place, checked: Checked | None) -> Checked | None:
    """What was found of a build's files, unless the build is older than our acquaintance with the pipeline."""
    return checked if checked is not None and checked.finished_at > _met(session, place) else None


def _met(session: Session, place: Place) -> datetime:
    return pipelines.find(session, [place[:2]])[place[:2]].watched_since


def steady(session: Session, place: Place, failed: Settled, signature: Signature, stored: Sequence[Alert]) -> Signature:
    """What a failure looks like, without flaky tests that a failure alert has not told: these are no news to it."""
    alert = firing(stored, AlertKind.FAILURE)
    told = None if alert is None else alert.evidence.get("tests")
    if told is None or signature.tests is None or signature.tests <= set(told):
        return signature
    runs, courses = history(session, place, until=(failed.generation, failed.number))
    flaky = {f"{suite}::{name}" for suite, name in known_flaky(runs, courses)}
    return signature._replace(tests=signature.tests - (flaky - set(told)))
