"""`buildwatch status --by LABEL`: what happened, for each value of a label, over all pipelines."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import typer

from domain.build import Pipeline
from domain.details import RUNNER
from domain.window import Summary, Window
from metrics.correlation import Group, Shared, shared_by
from poller.cli.opening import opened_to_read
from poller.cli.showing import BAD, DIM, WARN, Cell, iso, print_json, print_table, say, share, took
from poller.config import Configuration
from poller.config.problems import did_you_mean
from store import commonalities, pipelines, windows
from store.commonalities import Ended
from store.engine import Database, Session
from store.pipelines import Key, Known

HEADERS = ("RATE", "BUILDS", "PASSED", "FAILED", "NEUTRAL", "RUNNING", "P50", "P95", "LAST")
_MOST_HINTS = 10

Counts = Mapping[str | None, tuple[int, int]]
"""How many (failed, passed) of one pipeline, by the value of the label; None: builds without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Failures that have one value of the label in common. Of a pipeline, or of a bucket in several."""

    shared: Shared
    pipeline: Pipeline | None = None
    bucket: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ByLabel:
    """What happened in a window, by the values of a label."""

    label: str
    window: Window
    values: Mapping[str, Summary]
    hints: tuple[Hint, ...]


def status_by(
    configuration: Configuration, label: str, window: Window | int, *, named: str, now: datetime, as_json: bool
) -> None:
    """Print it. `named`: how the window was called."""
    with opened_to_read(configuration) as database:
        seen = by_label(configuration, database, label, window)
    if as_json:
        print_json(described(seen, named, now))
    else:
        show(seen, named)


def by_label(configuration: Configuration, database: Database, label: str, window: Window | int) -> ByLabel:
    """Read it, in one snapshot. A label that nobody has is a usage error."""
    if not isinstance(window, Window):
        raise typer.BadParameter("with --by it is a span of time, like 24h, 7d or daily", param_hint="--window")
    return database.read(lambda session: _read(session, configuration, label, window))


def _read(session: Session, configuration: Configuration, label: str, window: Window) -> ByLabel:
    found = windows.by_label_and_pipeline(session, label, window)
    known = pipelines.all(session)
    if not found.summaries:
        _check(configuration, [each.pipeline for each in known], label)
        return ByLabel(label=label, window=window, values={}, hints=())
    failed = commonalities.ended(session, window, only_failed=True)
    hints = _hints(known, found.pipelines, failed, label)
    return ByLabel(
        label=label,
        window=window,
        values=dict(sorted(found.summaries.items())),
        hints=tuple(islice(hints, _MOST_HINTS)),
    )


def _check(configuration: Configuration, known: Sequence[Pipeline], label: str) -> None:
    names = {name for each in known for name in each.labels} | {RUNNER}
    names.update(name for entry in configuration.pipelines for name in (*entry.labels, *entry.labels_from))
    if label not in names:
        text = f'no pipeline and no build has a label "{label}"{did_you_mean(label, names)}'
        raise typer.BadParameter(text, param_hint="--by")


def _hints(known: Sequence[Known], counts: Mapping[Key, Counts], failed: Sequence[Ended], label: str) -> Iterator[Hint]:
    """Of buckets first: what several pipelines have in common says more."""
    places = {each.id: each.pipeline for each in known}
    buckets: dict[str, list[Ended]] = defaultdict(list)
    for each in failed:
        if each.bucket is not None:
            buckets[each.bucket].append(each)
    told: set[int] = set()
    for bucket, its in sorted(buckets.items()):
        where = {each.pipeline_id for each in its}
        groups: list[Group] = [(each.labels, each.failed, 0) for each in its]
        for place in where:
            groups += [({label: value}, 0, passed) for value, (_, passed) in _of(counts, places[place]) if value]
        for shared in shared_by(groups, labels=[label]):
            told |= where
            yield Hint(shared=shared, bucket=bucket, pipeline=places[min(where)] if len(where) == 1 else None)
    for identity, pipeline in places.items():
        groups = [({label: value} if value else {}, *ends) for value, ends in _of(counts, pipeline)]
        for shared in shared_by(groups) if identity not in told else ():
            yield Hint(shared=shared, pipeline=pipeline)


def _of(counts: Mapping[Key, Counts], pipeline: Pipeline) -> Collection[tuple[str | None, tuple[int, int]]]:
    return counts.get((pipeline.provider, pipeline.key), {}).items()


def described(seen: ByLabel, window: str, now: datetime) -> dict[str, Any]:
    """As `status --by LABEL --json` shows it; the keys are a contract."""
    return {
        "now": iso(now),
        "window": {"name": window, "start": iso(seen.window.start), "end": iso(seen.window.end)},
        "label": seen.label,
        "values": [
            {"value": value, **asdict(summary), "success_rate": summary.success_rate}
            for value, summary in seen.values.items()
        ],
        "hints": [
            {
                "text": each.shared.text,
                "value": each.shared.value,
                "provider": each.pipeline and each.pipeline.provider,
                "pipeline": each.pipeline and each.pipeline.key,
                "bucket": each.bucket,
                "failed": each.shared.failed,
                "passed": each.shared.passed,
                "elsewhere_passed": each.shared.elsewhere,
                "p_value": each.shared.p_value,
            }
            for each in seen.hints
        ],
    }


def show(seen: ByLabel, window: str) -> None:
    """As people see it."""
    if not seen.values:
        say(f"no build with a label {seen.label} ended in {window}, and none is running")
        return
    rows = [_row(value, summary) for value, summary in seen.values.items()]
    print_table((seen.label.upper(), *HEADERS), rows)
    for hint in seen.hints:
        what = " · ".join(part for part in (hint.bucket, hint.pipeline and hint.pipeline.name) if part)
        say(f"{what}: {hint.shared.text}", WARN)


def _row(value: str, summary: Summary) -> list[Cell]:
    last = summary.last_outcome
    return [
        value,
        share(summary.success_rate),
        str(summary.total),
        str(summary.passed),
        (str(summary.failed), BAD if summary.failed else ""),
        (str(summary.neutral), DIM),
        str(summary.running),
        took(summary.duration_p50),
        took(summary.duration_p95),
        last.value if last is not None else "-",
    ]
