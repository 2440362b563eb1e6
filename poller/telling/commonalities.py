"""What the failures of late have in common with one of them: all on one runner, all in one cloud."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from domain.build import Build
from domain.window import Window
from metrics.correlation import Group, Shared, shared_by
from metrics.windows import rolling
from store import commonalities, pipelines
from store.commonalities import Ended
from store.engine import Session

SPANS = (timedelta(hours=24), timedelta(days=7))
"""Looked at in this order: what is so since yesterday is said before what is so for a week."""

_NOW_TOO = timedelta(milliseconds=1)


def what_failures_share(session: Session, build: Build, now: datetime) -> Shared | None:
    """What all failures of a build's bucket, or of its pipeline, have in common, while builds elsewhere pass.

    For a build that failed and that is stored with its details. `Shared.text` is a line for its message, like
    `all 5 on agent-7 (0 of 23 elsewhere)`.
    """
    place = build.pipeline.provider, build.pipeline.key
    known = pipelines.find(session, [place]).get(place)
    if known is None:
        return None
    labels = {**build.pipeline.labels, **build.labels}
    for span in SPANS:
        for groups in _alike(session, build, known.id, rolling(now + _NOW_TOO, span)):
            found = shared_by(groups)
            if found and labels.get(found[0].label) == found[0].value:
                return found[0]
    return None


def _alike(session: Session, build: Build, pipeline_id: int, window: Window) -> Iterator[list[Group]]:
    if build.bucket is not None:
        everywhere = commonalities.pipelines_with(session, build.bucket, window)
        yield of_bucket(commonalities.ended(session, window, everywhere), build.bucket)
    yield of_all(commonalities.ended(session, window, [pipeline_id]))


def of_bucket(ended: Iterable[Ended], bucket: str) -> list[Group]:
    """The builds among which the failures of a bucket are looked at: failures of other buckets say nothing."""
    return [(each.labels, each.failed if each.bucket == bucket else 0, each.passed) for each in ended]


def of_all(ended: Iterable[Ended]) -> list[Group]:
    """The builds among which all failures are looked at."""
    return [(each.labels, each.failed, each.passed) for each in ended]
