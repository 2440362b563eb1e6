"""Branches and pipelines that are gone: no build of them can come, and so nothing of them may last for ever."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from alerts.decide import Decision, closed
from domain.alert import Alert, AlertKind
from domain.build import Build, Outcome, Pipeline, Status
from domain.stream import Awaited
from poller.intake import settling
from providers._base import Page
from store import alerts, builds, pipelines
from store.engine import Session

BRANCH_GONE = "the branch is gone"
PIPELINE_GONE = "the pipeline is gone"
_WORD = "GONE"


def judge_gone(
    session: Session, page: Page, *, provider: str, now: datetime
) -> Iterator[tuple[Decision, Pipeline | None]]:
    """Close the alerts of what a page says is gone, and await nothing there any more.

    That a pipeline is missing has an alert of its own, which stays.
    """
    if not page.ended and not page.missing:
        return
    known = pipelines.find(session, [(provider, key) for key in (*page.missing, *(key for key, _ in page.ended))])

    def is_gone(build: Awaited) -> bool:
        return build.provider == provider and _why(page, build.pipeline, build.stream) is not None

    settling.forget(session, is_gone)
    for alert in alerts.firing(session):
        because = _why_over(page, alert) if alert.scope.provider == provider else None
        pipeline = known.get((provider, alert.scope.pipeline or ""))
        if because is not None and pipeline is not None:
            yield closed(alert, because=because, at=now), pipeline.pipeline


def given_up(session: Session, page: Page, *, provider: str, now: datetime) -> list[Build]:
    """The builds that waited or ran where it is gone, as they are now: nobody will ever know how they ended."""
    if not page.ended and not page.missing:
        return []
    return [
        replace(
            view.build,
            status=Status.FINISHED,
            outcome=Outcome.UNKNOWN,
            raw_outcome=_WORD,
            finished_at=max(now, view.build.started_at or now),
            reason=because,
        )
        for view in builds.unfinished(session, provider)
        if (because := _why(page, view.build.pipeline.key, view.build.stream)) is not None
    ]


def _why_over(page: Page, alert: Alert) -> str | None:
    if alert.kind is AlertKind.PIPELINE_MISSING or alert.scope.pipeline is None:
        return None
    return _why(page, alert.scope.pipeline, alert.scope.branch)


def _why(page: Page, key: str, stream: str | None) -> str | None:
    if key in page.missing:
        return PIPELINE_GONE
    return BRANCH_GONE if (key, stream) in page.ended else None
