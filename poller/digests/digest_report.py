"""What a digest says, read from the store."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.policies.digest import Digest, Open, Polls, Report, Slower, Strip, Tally, Unsteady
from alerts.policies.handled import notes as said_of
from alerts.wording import plural
from alerts.writing.case import Case
from alerts.writing.digest_message import PAST
from domain.alert import Alert, AlertKind, Reason
from domain.build import Pipeline
from domain.window import Summary, Window
from metrics.growth import median_growth
from metrics.windows import DAILY, daily
from poller.config import Configuration
from poller.proof.selfcheck import SELFCHECK
from poller.watching.poll_counts import watched
from poller.watching.polling import POLLS
from store import alerts, notes, outbox, pipelines, windows
from store import digest as stored
from store.engine import Session
from store.pipelines import Key

WEEK = 7  # days of a strip, and windows that durations are compared with
_DAY = timedelta(days=1)
_MOST_VALUES = 50


@dataclass(frozen=True, slots=True)
class _Reading:
    """What several sections want, read once."""

    session: Session
    pipelines: Mapping[Key, Pipeline]
    summaries: Mapping[Window, Mapping[Key, Summary]]

    def tally(self, window: Window, key: Key) -> Tally:
        summary = self.summaries[window].get(key)
        return _tally(summary) if summary is not None else Tally()

    def total(self, window: Window) -> Tally:
        return sum(map(_tally, self.summaries[window].values()), Tally())

    def name(self, key: Key) -> str:
        return self.pipelines[key].name

    def url(self, key: Key) -> str | None:
        return self.pipelines[key].url


def read_report(session: Session, digest: Digest, slot: datetime, configuration: Configuration) -> Report:
    """Everything that the digest due at `slot` says. Some 0.3 s for a million builds."""
    spans = windows_of(digest, slot, configuration)
    days = spans[-WEEK:] if digest.window == DAILY else _rolling(slot, _DAY, WEEK)
    reading = _Reading(
        session,
        {(each.pipeline.provider, each.pipeline.key): each.pipeline for each in pipelines.all(session)},
        {window: windows.by_pipeline(session, window) for window in dict.fromkeys((*spans, *days))},
    )
    now, recent = spans[-1], Window(start=spans[-1 - WEEK].start, end=spans[-1].start)
    buckets = stored.buckets(session, now)
    counts = outbox.counts(session).values()
    return Report(
        digest=digest,
        slot=slot,
        windows=spans,
        tallies=[reading.total(window) for window in spans],
        days=days,
        pipelines=_strips(reading, days, now),
        labels=_labels(reading, days, now),
        open=_open(reading, configuration, slot),
        unsteady=_unsteady(reading, Window(start=days[0].start, end=days[-1].end)),
        slower=_slower(reading, now, recent),
        buckets={bucket: count for bucket, count in buckets.items() if bucket is not None},
        unclassified=buckets[None],
        polls=_polls(session, now, configuration),
        self_check=_self_check(session, configuration),
        waiting=sum(each.pending for each in counts),
        given_up=sum(each.dead for each in counts),
    )


def windows_of(digest: Digest, slot: datetime, configuration: Configuration) -> list[Window]:
    """The window of the digest due at `slot` and those before it, oldest first."""
    if digest.window != DAILY:
        return _rolling(slot, digest.window, PAST + 1)
    start, zone = configuration.day_starts_at, configuration.timezone
    return [daily(slot, start, zone, days_back=back) for back in range(PAST + 1, 0, -1)]


def _rolling(end: datetime, span: timedelta, count: int) -> list[Window]:
    return [Window(start=end - back * span, end=end - (back - 1) * span) for back in range(count, 0, -1)]


def _tally(summary: Summary) -> Tally:
    return Tally(summary.passed, summary.failed, summary.neutral)


def _strips(reading: _Reading, days: Sequence[Window], now: Window) -> list[Strip]:
    met = {key for window in (*days, now) for key in reading.summaries[window]}
    return [
        Strip(
            name=reading.name(key),
            url=reading.url(key),
            days=tuple(reading.tally(day, key) for day in days),
            now=reading.tally(now, key),
        )
        for key in sorted(met)
    ]


def _labels(reading: _Reading, days: Sequence[Window], now: Window) -> dict[str, list[Strip]]:
    """Strips for each value of each label.

    A label with one value says what all pipelines say together; one with very many says nothing.
    """
    found = {window: _by_value(reading, window) for window in dict.fromkeys((*days, now))}
    values: dict[str, set[str]] = defaultdict(set)
    for label, value in (pair for window in found.values() for pair in window):
        values[label].add(value)
    return {
        label: [
            Strip(
                name=value,
                days=tuple(found[day].get((label, value), Tally()) for day in days),
                now=found[now].get((label, value), Tally()),
            )
            for value in sorted(its)
        ]
        for label, its in sorted(values.items())
        if 1 < len(its) <= _MOST_VALUES
    }


def _by_value(reading: _Reading, window: Window) -> dict[tuple[str, str], Tally]:
    """What passed and failed by (label, value). A build's own label hides its pipeline's."""
    found: dict[tuple[str, str], Tally] = defaultdict(Tally)
    for count in stored.label_counts(reading.session, window):
        for pair in {**reading.pipelines[count.pipeline].labels, **count.labels}.items():
            found[pair] += Tally(count.passed, count.failed)
    return found


def _open(reading: _Reading, configuration: Configuration, now: datetime) -> list[Open]:
    found = []
    for alert in alerts.firing(reading.session):
        pipeline = reading.pipelines.get((alert.scope.provider, alert.scope.pipeline or ""))
        case = Case(
            alert=alert, reason=Reason.FIRST, pipeline=pipeline, builds={}, now=now, zone=configuration.timezone
        )
        found.append(
            Open(
                name=case.where,
                url=pipeline.url if pipeline is not None else None,
                what=alert.summary,
                since=alert.started_at,
                handling=", ".join(_handling(alert)),
                failing=alert.kind is AlertKind.FAILURE,
            )
        )
    return found


def _handling(alert: Alert) -> Iterable[str]:
    if "silenced_by" in alert.handling:
        yield "silenced"
    if "hidden_by" in alert.handling:
        yield "flapping"
    yield from said_of(alert)


def _unsteady(reading: _Reading, week: Window) -> list[Unsteady]:
    """Pipelines that passed on re-run, or went back and forth: a break and its fix are two changes, and no more."""
    found = stored.flakiness(reading.session, week)
    return [
        Unsteady(
            name=reading.name(key), url=reading.url(key), reruns=each.reruns, changes=each.changes, builds=each.builds
        )
        for key, each in found.items()
        if each.reruns or each.changes > 2  # noqa: PLR2004 - as the docstring says
    ]


def _slower(reading: _Reading, now: Window, before: Window) -> list[Slower]:
    earlier = stored.durations(reading.session, before)
    grown = {
        key: median_growth(its, earlier.get(key, [])) for key, its in stored.durations(reading.session, now).items()
    }
    return [
        Slower(
            name=reading.name(key),
            url=reading.url(key),
            before=timedelta(milliseconds=medians[0]),
            now=timedelta(milliseconds=medians[1]),
        )
        for key, medians in grown.items()
        if medians is not None
    ]


def _self_check(session: Session, configuration: Configuration) -> str | None:
    """What the nightly check found, once there was one."""
    note = notes.get(session, SELFCHECK)
    found: Mapping[str, Any] = note.value if note is not None else {}
    if "at" not in found:
        return None
    when = f"{datetime.fromisoformat(found['at']).astimezone(configuration.timezone):%a %H:%M}"
    failed, unexplained = found["failed"], len(found["unexplained"])
    if unexplained:
        return f"{unexplained} of {failed} failed builds have neither a message nor a reason, see doctor ({when})"
    if not failed:
        return f"no failed build that anybody should know of ({when})"
    return f"{plural(failed, 'failed build')}, each with a message or a reason ({when})"


def _polls(session: Session, window: Window, configuration: Configuration) -> list[Polls]:
    """By provider of config.yaml; a gap that is still open counts too."""
    counted = watched(session, window)
    note = notes.get(session, POLLS)
    last_polls: Mapping[str, Any] = note.value if note else {}
    found = []
    for name in configuration.providers:
        its = counted.get(name)
        ends = [datetime.fromisoformat(at) for target, at in last_polls.items() if target.startswith(f"{name}:")]
        gaps = [window.end - max(end, window.start) for end in ends if end < window.end]
        if its is not None and its.longest_gap is not None:
            gaps.append(its.longest_gap)
        if its is not None or gaps:
            made, failed = (its.made, its.failed) if its is not None else (0, 0)
            found.append(Polls(provider=name, made=made, failed=failed, longest_gap=max(gaps, default=None)))
    return found
