"""What happened among some builds: counts, success rate, durations; as a whole, by pipeline, branch or label.

This is the definition that the faster ways (SQL in store/windows.py, the live counters) are tested against.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import timedelta
from typing import Protocol, TypeVar

from domain.build import Build, Status, Verdict
from domain.percentile import percentile
from domain.window import Summary, Window

Key = TypeVar("Key", bound=Hashable)

PipelineId = tuple[str, str]
"""(provider, key)."""

StreamId = tuple[str, str, str]
"""(provider, key, stream); the stream of a plain job is `""`."""


class Judged(Protocol):
    """A build and what it means; the verdict is None until it has finished."""

    @property
    def build(self) -> Build:
        """The build."""
        ...

    @property
    def verdict(self) -> Verdict | None:
        """Its verdict."""
        ...


def summarize(builds: Iterable[Judged], window: Window | int | None = None) -> Summary:
    """The summary of the builds that count (see `counted_builds`).

    In a window: those that finished in it, and those running now. With a number: the last so many that passed or
    failed, whenever they finished, and what else finished since the first of them. None: all of them.
    """
    counted = counted_builds(builds)
    finished = sorted((each for each in counted if _finished_in(each, window)), key=_by_completion)
    if isinstance(window, int):
        finished = _last(finished, window)
    return _summary(finished, sum(each.build.status is Status.RUNNING for each in counted))


def by_pipeline(builds: Iterable[Judged], window: Window | int | None = None) -> dict[PipelineId, Summary]:
    """One summary for each pipeline that has a build that counts."""
    return _grouped(builds, window, _pipeline_of)


def by_branch(builds: Iterable[Judged], window: Window | int | None = None) -> dict[StreamId, Summary]:
    """One summary for each branch of each pipeline."""
    return _grouped(builds, window, lambda each: (*_pipeline_of(each), each.build.stream or ""))


def by_label(builds: Iterable[Judged], label: str, window: Window | int | None = None) -> dict[str, Summary]:
    """One summary for each value of a label, over all pipelines. A build's own label hides its pipeline's.

    Builds without the label are in none.
    """
    groups = _grouped(builds, window, lambda each: label_of(each.build, label))
    return {value: summary for value, summary in groups.items() if value is not None}


def label_of(build: Build, label: str) -> str | None:
    """The value of a label of the build, else of its pipeline, else None."""
    return build.labels.get(label, build.pipeline.labels.get(label))


def counted_builds(builds: Iterable[Judged]) -> list[Judged]:
    """Of each build the newest attempt that passed or failed, else the newest that finished; and what still runs.

    A re-run that is cancelled, or not done yet, so leaves the older verdict standing. Forks and pull requests
    count nowhere.
    """
    attempts: dict[tuple[str, str, str], list[Judged]] = defaultdict(list)
    for each in builds:
        attempts[*_pipeline_of(each), each.build.external_id].append(each)
    counted: list[Judged] = []
    for of_one in attempts.values():
        finished = [each for each in of_one if each.build.status is Status.FINISHED]
        decided = [each for each in finished if each.verdict is not Verdict.NEUTRAL]
        counted += [each for each in of_one if each.build.status is not Status.FINISHED]
        counted += sorted(decided or finished, key=lambda each: each.build.attempt)[-1:]
    return [each for each in counted if each.build.stream is not None]


def _grouped(
    builds: Iterable[Judged], window: Window | int | None, key_of: Callable[[Judged], Key]
) -> dict[Key, Summary]:
    groups: dict[Key, list[Judged]] = defaultdict(list)
    for each in counted_builds(builds):
        groups[key_of(each)].append(each)
    return {key: summarize(members, window) for key, members in groups.items()}


def _pipeline_of(judged: Judged) -> PipelineId:
    return (judged.build.pipeline.provider, judged.build.pipeline.key)


def _finished_in(judged: Judged, window: Window | int | None) -> bool:
    finished_at = judged.build.finished_at
    return finished_at is not None and (not isinstance(window, Window) or finished_at in window)


def _by_completion(judged: Judged) -> tuple[object, int, int]:
    return (judged.build.finished_at, judged.build.id or 0, judged.build.number)


def _last(finished: Sequence[Judged], count: int) -> list[Judged]:
    """What finished no earlier than the `count`-th last build that passed or failed."""
    ends = [each.build.finished_at for each in finished if each.verdict is not Verdict.NEUTRAL]
    if len(ends) < count:
        return list(finished)
    start = next(at for at, each in enumerate(finished) if each.build.finished_at == ends[-count])
    return list(finished[start:])


def _summary(finished: Sequence[Judged], running: int) -> Summary:
    verdicts = [each.verdict for each in finished]
    durations = sorted(
        duration / timedelta(milliseconds=1)
        for each in finished
        if each.verdict is not Verdict.NEUTRAL and (duration := each.build.duration) is not None
    )
    return Summary(
        total=len(finished) + running,
        passed=verdicts.count(Verdict.PASSED),
        failed=verdicts.count(Verdict.FAILED),
        neutral=verdicts.count(Verdict.NEUTRAL),
        running=running,
        duration_mean=sum(durations) / len(durations) / 1000 if durations else None,
        duration_p50=percentile(durations, 0.5) / 1000 if durations else None,
        duration_p95=percentile(durations, 0.95) / 1000 if durations else None,
        last_outcome=finished[-1].build.outcome if finished else None,
    )
