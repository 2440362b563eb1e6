"""What an alert is about, as routes, silences, quiet hours and escalations look at it."""

from collections.abc import Sequence

from alerts.policies.routing import Subject
from alerts.policies.silence import labels_of
from domain.alert import Alert, AlertKind
from domain.build import NO_LABELS, Build, Pipeline
from store import builds, pipelines
from store.engine import Session


def subject_of(alert: Alert, pipeline: Pipeline | None, build: Build | None = None) -> Subject:
    """The subject of an alert. A build has labels of its own, beside those of its pipeline, and may have a cause."""
    labels = labels_of(alert.scope)
    return Subject(
        provider=alert.scope.provider,
        pipeline=alert.scope.pipeline,
        name=pipeline.name if pipeline else None,
        branch=(alert.scope.branch or None)
        if not labels and alert.kind is not AlertKind.PROVIDER_UNREACHABLE
        else None,
        labels={**(pipeline.labels if pipeline else NO_LABELS), **(build.labels if build else NO_LABELS), **labels},
        kind=alert.kind,
        severity=alert.severity,
        bucket=build.bucket if build else None,
    )


def subjects(session: Session, stored: Sequence[Alert]) -> list[Subject]:
    """The subjects of alerts, in their order, from what the store knows now."""
    known = {key: each.pipeline for key, each in pipelines.find(session, map(_key, stored)).items()}
    wrong = [wrong_number(alert) for alert in stored]
    views = builds.get(session, [number for number in wrong if number is not None])
    found = {number: view.build for number, view in views.items()}
    return [
        subject_of(alert, known.get(_key(alert)), found.get(number) if number is not None else None)
        for alert, number in zip(stored, wrong, strict=True)
    ]


def wrong_build(session: Session, alert: Alert) -> Build | None:
    """The newest build that an alert fires for, where it fires for builds."""
    number = wrong_number(alert)
    found = builds.get(session, [number]) if number is not None else {}
    return next((view.build for view in found.values()), None)


def pipeline_of(session: Session, alert: Alert) -> Pipeline | None:
    """The pipeline in the scope of an alert, while it is known."""
    known = pipelines.find(session, [_key(alert)]).get(_key(alert))
    return known.pipeline if known is not None else None


def wrong_number(alert: Alert) -> int | None:
    """The id of that build."""
    named = alert.evidence.get("last_failed") or alert.evidence.get("fired_by")
    return named["id"] if named else None


def _key(alert: Alert) -> tuple[str, str]:
    return alert.scope.provider, alert.scope.pipeline or ""
