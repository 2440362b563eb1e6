"""What the failures of late have in common with one of them: all on one runner, all in one cloud."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from domain.build import Build
from domain.window import Window
from metrics.correlation import MIN_FAILED, Group, Shared, shared_by
from metrics.windows import rolling
from store import commonalities, pipelines
from store.engine import Session

DAY, WEEK = timedelta(hours=24), timedelta(days=7)
_NOW_TOO = timedelta(milliseconds=1)

Read = Callable[..., Iterable[Group]]
"""The builds of a window among which failures are looked at; with `only_failed` the failures alone."""


def what_failures_share(session: Session, build: Build, now: datetime) -> Shared | None:
    """What all failures of a build's bucket, or of its pipeline, have in common, while builds elsewhere pass.

    For a build that failed and that is stored with its details. `Shared.text` is a line for its message, like
    `all 5 on agent-7 (0 of 23 elsewhere)`. What is so since yesterday is said before what is so for a week.
    """
    place = build.pipeline.provider, build.pipeline.key
    known = pipelines.find(session, [place]).get(place)
    if known is None:
        return None
    own, labels = build.labels, {**build.pipeline.labels, **build.labels}
    reads = [(_of_pipeline(session, known.id), own, DAY), (_of_pipeline(session, known.id), own, WEEK)]
    if build.bucket is not None:
        reads.insert(0, (_of_bucket(session, build.bucket), labels, DAY))
    for read, its, span in reads:
        window = rolling(now + _NOW_TOO, span)
        # Most failures have nothing in common, and those that passed are by far the most.
        likely = _agreed(its, read(window, only_failed=True))
        found = shared_by(read(window), labels=likely) if likely else []
        if found:
            return found[0]
    return None


def _agreed(labels: Mapping[str, str], failures: Iterable[Group]) -> list[str]:
    """The labels of a build that all failures have with the same value, if there are enough of them."""
    groups = list(failures)
    if sum(failed for _, failed, _ in groups) < MIN_FAILED:
        return []
    return [
        name for name, value in labels.items() if all(its.get(name) == value for its, failed, _ in groups if failed)
    ]


def _of_pipeline(session: Session, pipeline_id: int) -> Read:
    def read(window: Window, *, only_failed: bool = False) -> Iterable[Group]:
        ended = commonalities.ended(session, window, [pipeline_id], only_failed=only_failed)
        return [(each.labels, each.failed, each.passed) for each in ended]

    return read


def _of_bucket(session: Session, bucket: str) -> Read:
    """Failures of other buckets say nothing."""

    def read(window: Window, *, only_failed: bool = False) -> Iterable[Group]:
        everywhere = commonalities.pipelines_with(session, bucket, window)
        ended = commonalities.ended(session, window, everywhere, only_failed=only_failed)
        return [(each.labels, each.failed if each.bucket == bucket else 0, each.passed) for each in ended]

    return read
