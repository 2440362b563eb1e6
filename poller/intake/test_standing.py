"""How the tests of streams stand, for those streams of which something new may be known."""

from collections.abc import Sequence
from dataclasses import replace

from alerts.decision import firing
from alerts.test_regression import KIND, remembered
from domain.alert import Alert
from domain.testhistory import TestStand
from metrics.flakiness import known_flaky
from store.engine import Session
from store.streams import Place
from store.test_history import history
from store.test_stand import stand


def is_concerned(stored: Sequence[Alert], *, reported: bool) -> bool:
    """Whether the tests of a stream matter: a report was read, or an alert about them fires."""
    return reported or firing(stored, KIND) is not None


def stand_of(session: Session, place: Place, stored: Sequence[Alert]) -> TestStand | None:
    """How the tests of a stream stand, with what is known of those that fail newly, and of those an alert is about."""
    found = stand(session, place, remembered(stored))
    if found is None or not found.changes.newly_failing:
        return found
    until = found.generation, found.number
    before = history(session, place, until=until, tests=found.changes.newly_failing)
    return replace(found, known_flaky=known_flaky(*before))
