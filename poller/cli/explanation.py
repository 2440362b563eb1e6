"""`check --explain`: what becomes of a build of a pipeline, and who would hear of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from alerts.policies.quiet import ends, held
from alerts.policies.routing import Subject, destinations, explain, watched
from alerts.policies.silence import covers, holds, until
from domain.alert import AlertKind, Severity
from domain.build import Build, Pipeline, Status
from domain.duration import format_duration
from domain.silence import Silence
from poller.config import Configuration
from providers._base import PipelineEntry

SEVERITIES = {
    AlertKind.FAILURE: Severity.CRITICAL,
    AlertKind.PROVIDER_UNREACHABLE: Severity.CRITICAL,
    AlertKind.SUCCESS_RATE_DROP: Severity.WARNING,
    AlertKind.SUCCESS_RATE_BELOW: Severity.WARNING,
    AlertKind.PIPELINE_MISSING: Severity.WARNING,
    AlertKind.WINDOW_REGRESSION: Severity.WARNING,
    AlertKind.DURATION: Severity.WARNING,
    AlertKind.STALE: Severity.WARNING,
    AlertKind.STUCK: Severity.WARNING,
    AlertKind.FLAPPING: Severity.WARNING,
    AlertKind.NO_VERDICT: Severity.WARNING,
    AlertKind.TEST_REGRESSION: Severity.CRITICAL,
}
KINDS = tuple(SEVERITIES)
NOT_OF_BRANCHES = frozenset({AlertKind.PROVIDER_UNREACHABLE, AlertKind.PIPELINE_MISSING})
WORKFLOWS = "/.github/workflows/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """How alerts of one kind find their way."""

    kind: AlertKind
    steps: tuple[str, ...]
    to: tuple[str, ...]
    now: tuple[str, ...] = ()  # what keeps it from being told at this moment: silences and quiet hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What holds right now."""

    now: datetime
    silences: Sequence[Silence] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything about one pipeline and branch."""

    pipeline: Pipeline
    entry: str  # `pipelines[2]: provider nsp, job team/*`
    also: tuple[str, ...]  # entries that match too and do not count
    branch: str | None
    counts: bool
    because: str
    rules: tuple[tuple[str, str], ...]
    paths: tuple[Path, ...]


def explained(
    configuration: Configuration,
    wanted: str,
    branch: str | None,
    kind: AlertKind | None,
    known: Sequence[Pipeline],
    *,
    moment: Moment,
) -> list[Explanation]:
    """One explanation for each pipeline that is meant; none when no entry matches.

    `wanted` is a full name, a display name, or for GitHub a repository; `known` are the stored pipelines.
    """
    found = _candidates(configuration, wanted, known)
    return [_explained(configuration, each, branch, kind, moment=moment) for each in found]


def _candidates(configuration: Configuration, wanted: str, known: Sequence[Pipeline]) -> list[Pipeline]:
    stored = [
        each
        for each in known
        if wanted in {each.key, each.name, each.key.partition(WORKFLOWS)[0]} and configuration.entry_of(each)
    ]
    if stored:
        return stored
    found: dict[tuple[str, str], Pipeline] = {}
    for entry in configuration.pipelines:
        for key in _keys(wanted, entry):
            if entry.enabled and entry.matches(key):
                pipeline = Pipeline(
                    provider=entry.provider,
                    key=key,
                    name=entry.name or wanted,
                    labels=entry.labels,
                    branched=WORKFLOWS in key,
                )
                found.setdefault((entry.provider, key), pipeline)
                break
    return list(found.values())


def _keys(wanted: str, entry: PipelineEntry) -> Iterator[str]:
    """What a person may mean: the key itself, or a repository whose workflow the entry names."""
    if wanted == entry.name:
        yield str(getattr(entry, "job", None) or getattr(entry, "repo", ""))
    yield wanted
    workflow = str(getattr(entry, "workflow", None) or "ci.yml")
    yield f"{wanted}{WORKFLOWS}{workflow.rpartition('/')[2]}"


def _explained(
    configuration: Configuration, pipeline: Pipeline, branch: str | None, kind: AlertKind | None, *, moment: Moment
) -> Explanation:
    matching = [
        (place, entry)
        for place, entry in enumerate(configuration.pipelines)
        if entry.enabled and entry.provider == pipeline.provider and entry.matches(pipeline.key)
    ]
    place, entry = matching[0]
    rules = configuration.rules_of(entry)
    branch = branch or pipeline.default_branch or ("main" if pipeline.branched else None)
    counts, because = _decision(pipeline, entry, branch)
    in_force = [each for each in KINDS if getattr(rules, each.value)]
    return Explanation(
        pipeline=pipeline,
        entry=_named(place, entry),
        also=tuple(_named(*each) for each in matching[1:]),
        branch=branch,
        counts=counts,
        because=because,
        rules=tuple((each.value, _parameters(getattr(rules, each.value))) for each in KINDS),
        paths=tuple(
            _path(configuration, pipeline, branch, each, moment=moment)
            if counts or each in NOT_OF_BRANCHES
            else Path(kind=each, steps=("builds of this branch do not count",), to=())
            for each in ([kind] if kind else in_force)
        ),
    )


def _named(place: int, entry: PipelineEntry) -> str:
    own = {"job", "repo", "workflow"} & entry.model_fields_set
    chosen = ", ".join(f"{name} {getattr(entry, name)}" for name in sorted(own))
    return f"pipelines[{place}]: provider {entry.provider}, {chosen}"


def _decision(pipeline: Pipeline, entry: PipelineEntry, branch: str | None) -> tuple[bool, str]:
    build = Build(pipeline=pipeline, external_id="1", number=1, status=Status.RUNNING, branch=branch)
    counts = watched(build, entry.branches, pipeline.default_branch)
    if entry.branches and branch is not None:
        listed = ", ".join(entry.branches)
        return counts, f"it {'matches' if counts else 'does not match'} branches: {listed}"
    if not pipeline.branched:
        return counts, "a plain job is one stream: all its builds count"
    default = pipeline.default_branch or "main or master, until the provider says which"
    return counts, f"only the default branch does ({default}), and schedules and merge queues on any branch"


def _parameters(rule: Any) -> str:
    if rule is None or rule is False:
        return "off"
    if rule is True:
        return "on"
    return ", ".join(f"{field.name} {_shown(getattr(rule, field.name))}" for field in fields(rule))


def _shown(value: Any) -> str:
    return format_duration(value) if isinstance(value, timedelta) else str(value)


def _path(
    configuration: Configuration, pipeline: Pipeline, branch: str | None, kind: AlertKind, *, moment: Moment
) -> Path:
    if kind is AlertKind.PROVIDER_UNREACHABLE:
        subject = Subject(provider=pipeline.provider, kind=kind, severity=SEVERITIES[kind])
    else:
        missing = kind is AlertKind.PIPELINE_MISSING
        subject = Subject(
            provider=pipeline.provider,
            pipeline=pipeline.key,
            name=pipeline.name,
            branch=branch if pipeline.branched and not missing else None,
            labels=pipeline.labels,
            kind=kind,
            severity=SEVERITIES[kind],
        )
    return Path(
        kind=kind,
        steps=tuple(explain(configuration.routes, subject)),
        to=destinations(configuration.routes, subject),
        now=tuple(_held_back(configuration, subject, moment)),
    )


def _held_back(configuration: Configuration, subject: Subject, moment: Moment) -> Iterator[str]:
    """What keeps the subject from being told at this moment, in words."""
    zone = configuration.timezone
    for silence in moment.silences:
        if holds(silence, moment.now) and covers(silence, subject):
            yield f"silence {silence.id} covers it {until(silence, zone)}: {silence.reason}"
    quiet_until = ends(moment.now, configuration.quiet_hours, subject, zone)
    if quiet_until is not None:
        yield f"it waits: {held(quiet_until, moment.now, zone)}"
