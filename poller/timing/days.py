"""How the builds of several days ended, a line for each pipeline and for each label value."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from alerts.kinds.window_regression import Tally
from alerts.policies.routing import watched
from domain.build import Build, Pipeline, Status
from domain.window import Window
from poller.config import Configuration
from store import daily
from store.daily import Group
from store.engine import Session
from store.pipelines import Known

Days = Sequence[Sequence[Group]]
"""The builds of each day, the newest day first."""

Name = TypeVar("Name", bound=Hashable)

_NAMED = 5  # pipelines that are named as those that fail most


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What came of the builds of each day, the newest day first."""

    tallies: tuple[Tally, ...]
    parts: Mapping[int, Tally]  # of the newest day, by pipeline
    carriers: frozenset[int]  # pipelines with builds on any of the days

    @staticmethod
    def empty(days: int) -> "Line":
        """No builds at all."""
        return Line(tallies=(Tally(),) * days, parts={}, carriers=frozenset())

    def worst(self, names: Mapping[int, str]) -> list[dict[str, Any]]:
        """The pipelines with most failures on the newest day. JSON values only."""
        failing = sorted((-tally.failed, names[number], tally) for number, tally in self.parts.items() if tally.failed)
        return [{"pipeline": name, "failed": -failed, "runs": tally.runs} for failed, name, tally in failing[:_NAMED]]


def counted(
    session: Session, windows: Iterable[Window], known: Mapping[int, Known], configuration: Configuration
) -> Days:
    """The builds of each window on streams of these pipelines that count for alerts: where one build does, all do."""
    days = [[group for group in daily.ended_in(session, window) if group.pipeline_id in known] for window in windows]
    kinds = {(group.pipeline_id, group.stream, group.branch, group.trigger) for day in days for group in day}
    streams = {
        (number, stream)
        for number, stream, branch, trigger in kinds
        if _counts(known[number].pipeline, branch, trigger, configuration)
    }
    return [[group for group in day if (group.pipeline_id, group.stream) in streams] for day in days]


def _counts(pipeline: Pipeline, branch: str | None, trigger: str | None, configuration: Configuration) -> bool:
    entry = configuration.entry_of(pipeline)
    build = Build(pipeline=pipeline, external_id="", number=0, status=Status.QUEUED, branch=branch, trigger=trigger)
    return entry is not None and watched(build, entry.branches, pipeline.default_branch)


def by_pipeline(days: Days) -> dict[int, Line]:
    """A line for each pipeline that has builds."""
    return _lines(days, lambda group: [group.pipeline_id])


def by_label(days: Days, inherited: Mapping[int, Mapping[str, str]]) -> dict[str, Line]:
    """A line for each label value, as `cloud=aws`. A build's own label hides that of its pipeline (`inherited`)."""

    def names(group: Group) -> list[str]:
        labels = {**inherited[group.pipeline_id], **group.labels}
        return [f"{name}={value}" for name, value in labels.items()]

    return _lines(days, names)


def _lines(days: Days, names: Callable[[Group], Iterable[Name]]) -> dict[Name, Line]:
    tallies: dict[Name, list[Tally]] = defaultdict(lambda: [Tally()] * len(days))
    parts: dict[Name, dict[int, Tally]] = defaultdict(dict)
    carriers: dict[Name, set[int]] = defaultdict(set)
    for place, day in enumerate(days):
        for group in day:
            found = Tally(group.passed, group.failed)
            for name in names(group):
                tallies[name][place] = tallies[name][place].plus(found)
                carriers[name].add(group.pipeline_id)
                if not place:
                    parts[name][group.pipeline_id] = parts[name].get(group.pipeline_id, Tally()).plus(found)
    return {
        name: Line(tallies=tuple(line), parts=parts.get(name, {}), carriers=frozenset(carriers[name]))
        for name, line in tallies.items()
    }
