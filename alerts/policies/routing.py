"""Which builds may alert, and who is told.

Routes are an ordered flat list. The first one that matches wins; with `continue: true` the list goes on after it.
The last one, without `match`, is the default.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.alert import AlertKind, Severity
from domain.build import NO_LABELS, Build
from domain.globs import matches

_USUAL = ("main", "master")  # when the provider does not say which branch is the default one
_SCHEDULES = frozenset({"schedule", "TimerTriggerCause", "TimerTrigger$TimerTriggerCause"})
_MERGE_QUEUE = "merge_group"
_WORKFLOW = "/.github/workflows/"  # what follows it in the key of a GitHub workflow is a file


def watched(build: Build, branches: Sequence[str], default_branch: str | None) -> bool:
    """Whether a build counts for alerts.

    Pull requests and forks never do, whatever their branch is called. With `branches` (globs) only matching
    branches do. Without, the default branch does (`main` or `master` while it is unknown), and so do schedules
    and merge queues. A plain job is one stream: all its builds count, unless `branches` are given and the
    build's branch is known and is not among them.
    """
    if build.stream is None:
        return False
    if build.branch is None:  # a plain job; its failed checkouts name no branch
        return True
    if branches:
        return any(matches(pattern, build.branch) for pattern in branches)
    if not build.pipeline.branched:
        return True
    if build.trigger in _SCHEDULES or build.trigger == _MERGE_QUEUE:
        return True
    return build.branch == default_branch if default_branch else build.branch in _USUAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a message is about, as far as routes look at it. What does not apply is None."""

    provider: str
    pipeline: str | None = None  # Pipeline.key
    name: str | None = None  # Pipeline.name
    branch: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS)
    kind: AlertKind | str
    severity: Severity | str
    bucket: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The conditions of a route; those that are given must all hold. `pipeline`, `branch` and labels are globs.

    `pipeline` is compared with the key, with the name, and for a GitHub workflow with its repository.
    """

    provider: str | None = None
    pipeline: str | None = None
    branch: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: str | None = None
    severity: str | None = None
    bucket: str | None = None

    def obstacle(self, subject: Subject) -> str | None:
        """The first condition that does not hold, in words; None when all hold."""
        exact = ("provider", "kind", "severity", "bucket")
        for key in exact:
            wanted, found = getattr(self, key), getattr(subject, key)
            if wanted is not None and wanted != found:
                return _differs(key, found, wanted)
        names = _names(subject)
        if self.pipeline is not None and not any(matches(self.pipeline, name) for name in names):
            return _differs("pipeline", subject.pipeline, self.pipeline)
        if self.branch is not None and (subject.branch is None or not matches(self.branch, subject.branch)):
            return _differs("branch", subject.branch, self.branch)
        for label, pattern in self.labels.items():
            value = subject.labels.get(label)
            if value is None or not matches(pattern, value):
                return _differs(f"label {label}", value, pattern)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """To whom, under which conditions, and whether the list goes on behind it (`continue: true`)."""

    match: Match = field(default_factory=Match)
    to: tuple[str, ...]
    then_continue: bool = False


def destinations(routes: Sequence[Route], subject: Subject) -> tuple[str, ...]:
    """The channels that hear about the subject, in the order of the routes, each once."""
    chosen: dict[str, None] = {}
    for route in routes:
        if route.match.obstacle(subject) is None:
            chosen.update(dict.fromkeys(route.to))
            if not route.then_continue:
                break
    return tuple(chosen)


def explain(routes: Sequence[Route], subject: Subject) -> list[str]:
    """The path through the routes in words, a line for each route that was looked at, then the result."""
    lines = []
    for number, route in enumerate(routes, 1):
        obstacle = route.match.obstacle(subject)
        if obstacle is not None:
            lines.append(f"route {number} does not match: {obstacle}")
            continue
        conditions = "has no conditions" if route.match == Match() else "matches"
        lines.append(f"route {number} {conditions}: to {', '.join(route.to)}")
        if not route.then_continue:
            break
        lines[-1] += ", and on (continue: true)"
    chosen = destinations(routes, subject)
    lines.append(f"goes to {', '.join(chosen)}" if chosen else "goes nowhere: no route matches")
    return lines


def _names(subject: Subject) -> list[str]:
    key = subject.pipeline or ""
    repository = [key.partition(_WORKFLOW)[0]] if _WORKFLOW in key else []
    return [name for name in (subject.pipeline, subject.name, *repository) if name is not None]


def _differs(what: str, found: str | None, wanted: str) -> str:
    return f"{what} is {found}, not {wanted}" if found is not None else f"there is no {what}, {wanted} is asked for"
