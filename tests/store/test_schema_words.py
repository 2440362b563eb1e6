from enum import StrEnum

import pytest

from domain.alert import AlertKind, AlertState, Delivery, Reason, Severity
from domain.build import Outcome, Status, Verdict
from store import schema


@pytest.mark.parametrize(
    ("places", "words"),
    [
        (schema.STATUSES, Status),
        (schema.OUTCOMES, Outcome),
        (schema.VERDICTS, Verdict),
        (schema.ALERT_KINDS, AlertKind),
        (schema.SEVERITIES, Severity),
        (schema.ALERT_STATES, AlertState),
        (schema.REASONS, Reason),
        (schema.DELIVERIES, Delivery),
    ],
)
def test_every_word_has_its_place_on_disk(places: tuple[StrEnum, ...], words: type[StrEnum]) -> None:
    assert sorted(places) == sorted(words)
