"""The kind `pipeline_missing`: a watched job, workflow or repository is gone. One notice, its history stays."""

from collections.abc import Sequence
from datetime import datetime

from alerts.decision import Decision, firing, opened, resolved
from domain.alert import Alert, AlertKind, Scope

KIND = AlertKind.PIPELINE_MISSING


def decide_missing(*, scope: Scope, missing: bool, stored: Sequence[Alert], now: datetime) -> tuple[Decision, ...]:
    """Whether it is news that a pipeline is gone, or that it is there again. `scope` has no branch."""
    current = firing(stored, KIND)
    if missing is (current is not None):
        return ()
    if current is not None:
        return (resolved(current, at=now, summary="is there again", evidence=current.evidence),)
    return (opened(KIND, scope, at=now, summary="is gone from the server"),)
