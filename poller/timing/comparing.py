"""Once a reporting day has closed it is compared with the days before it: each pipeline, and each label value.

A day is judged once, also when nobody was there as it closed. What was judged is remembered in the transaction that
judged it, so that neither a restart nor a second look tells anything twice. Builds that a poll brings later count for
the days to come, as part of their past.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.decide import Decision
from alerts.kinds.window_regression import BEFORE, KIND, Tally, decide_window_regression
from alerts.policies.silence import EVERY_PROVIDER
from alerts.rules import WindowRegressionRule
from domain.alert import Alert, AlertKind, Scope
from domain.build import Pipeline
from domain.window import Window
from metrics.windows import daily
from poller.config import Configuration
from poller.telling.tell import tell_all
from poller.timing.days import Line, by_label, by_pipeline, counted
from poller.timing.sliding import KnownUntil, judge_rates
from store import alerts, notes, pipelines
from store import providers as stored_providers
from store.engine import Session
from store.pipelines import Known

LATE_POLLS = timedelta(minutes=10)  # a day is judged so long after its end: polls may come late
MOST = 14  # closed days that are judged late
PATIENCE = timedelta(hours=1)  # so long labels wait for a pipeline of theirs that is not known up to the end

Judged = tuple[Decision, Pipeline | None]

NOTE = "window_regression"


def compare_windows(
    session: Session, configuration: Configuration, now: datetime, *, known_until: KnownUntil | None = None
) -> frozenset[str]:
    """Judge the rates that time alone changes: those of days that have closed, and those of windows that move on.

    Costs a look at a note, unless a day has just closed. What belongs to a provider that cannot be read waits until
    it can be, what is stale until it is not, and with `known_until` everything until it is known up to the end of
    the day. Days that closed while nobody looked are judged in their order. Returns the channels that have something
    new.
    """
    told = judge_rates(session, configuration, now, known_until=known_until)
    before = _noted(session)
    after = dict(before)
    for earlier, progress in _still_open(configuration, now, before):
        look = _look(session, configuration, now, earlier=earlier, progress=progress, known_until=known_until)
        if look.ready or look.labels:
            told |= tell_all(session, list(_judged(session, look)), configuration, now)
        since = progress.since if progress is not None else now
        after[look.day.end] = Progress(since=since, waiting=look.waiting, labels=look.labels_wait)
    if after != before:
        oldest = _closed_day(configuration, now, MOST).end
        kept = {end: each for end, each in after.items() if end == max(after) or (each.is_open and end > oldest)}
        notes.put(session, NOTE, {"days": [_as_json(end, each) for end, each in sorted(kept.items())]}, now)
    return told


def _closed_day(configuration: Configuration, now: datetime, earlier: int = 0) -> Window:
    where = configuration.day_starts_at, configuration.timezone
    return daily(now - LATE_POLLS, *where, days_back=1 + earlier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What of a closed day is still to be judged."""

    since: datetime  # when it was looked at first
    waiting: frozenset[int] = frozenset()  # pipelines
    labels: bool = False

    @property
    def is_open(self) -> bool:
        """Whether anything is."""
        return bool(self.waiting) or self.labels


def _still_open(
    configuration: Configuration, now: datetime, noted: Mapping[datetime, Progress]
) -> Iterator[tuple[int, Progress | None]]:
    """The closed days of which something is to be judged, oldest first: how many days back, and how far it has come.

    None: nothing of the day has been judged. The first time only the newest day counts; a clock that was set back
    brings no day twice.
    """
    newest = max(noted, default=None)
    for earlier in reversed(range(MOST)):
        end = _closed_day(configuration, now, earlier).end
        progress = noted.get(end)
        if progress is not None:
            if progress.is_open:
                yield earlier, progress
        elif end > newest if newest is not None else not earlier:
            yield earlier, None


def _noted(session: Session) -> dict[datetime, Progress]:
    """How far the judging of the last days has come, by their ends."""
    note = notes.get(session, NOTE)
    days = note.value.get("days", [note.value]) if note is not None else []  # it was a single day once
    return {
        datetime.fromisoformat(day["until"]): Progress(
            since=datetime.fromisoformat(day.get("since", day["until"])),
            waiting=frozenset(day["waiting"]),
            labels=day["labels"],
        )
        for day in days
    }


def _as_json(end: datetime, progress: Progress) -> dict[str, Any]:
    return {
        "until": end.isoformat(),
        "since": progress.since.isoformat(),
        "waiting": sorted(progress.waiting),
        "labels": progress.labels,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What of the closed day can be judged by now, and what has to wait."""

    configuration: Configuration
    windows: Sequence[Window]  # the closed day first, then back into the past
    known: Mapping[int, Known]  # every pipeline that is watched for this kind
    ready: frozenset[int]
    waiting: frozenset[int]
    labels: bool  # label values are judged now
    labels_wait: bool  # or later
    frozen: frozenset[str]  # providers that cannot be read
    firing: Mapping[Scope, Alert]

    @property
    def day(self) -> Window:
        """The one that has closed."""
        return self.windows[0]

    def is_history(self, known: Iterable[Known]) -> bool:
        """Whether the day had closed before first contact: then it is only what later days are compared with."""
        return all(each.watched_since >= self.day.end for each in known)


def _look(
    session: Session,
    configuration: Configuration,
    now: datetime,
    *,
    earlier: int,
    progress: Progress | None,
    known_until: KnownUntil | None,
) -> _Look:
    windows = [_closed_day(configuration, now, earlier + place) for place in range(1 + BEFORE)]
    end = windows[0].end
    frozen = frozenset(health.name for health in stored_providers.all(session) if health.failing_since is not None)
    stale = {(alert.scope.provider, alert.scope.pipeline) for alert in alerts.firing_of(session, [AlertKind.STALE])}
    known = {each.id: each for each in pipelines.all(session) if _rule(configuration, each) is not None}
    still_open = known.keys() if progress is None else known.keys() & progress.waiting

    def is_ready(pipeline: Pipeline) -> bool:
        key = pipeline.provider, pipeline.key
        if pipeline.provider in frozen or key in stale:
            return False
        until = end if known_until is None else known_until(key)
        return until is not None and until >= end

    ready = frozenset(number for number in still_open if is_ready(known[number].pipeline))
    waiting = frozenset(still_open - ready)
    labels_open = progress is None or progress.labels
    patient_until = max(end + LATE_POLLS, progress.since if progress is not None else now) + PATIENCE
    labels = labels_open and (not waiting or now >= patient_until)
    return _Look(
        configuration=configuration,
        windows=windows,
        known=known,
        ready=ready,
        waiting=waiting,
        labels=labels,
        labels_wait=labels_open and not labels,
        frozen=frozen,
        firing={alert.scope: alert for alert in alerts.firing_of(session, [KIND])},
    )


def _rule(configuration: Configuration, known: Known) -> WindowRegressionRule | None:
    """What is looked for in a pipeline; None when it is not watched, or not for this."""
    entry = configuration.entry_of(known.pipeline)
    if entry is None or known.missing_since is not None:
        return None
    return configuration.rules_of(entry).window_regression


def _judged(session: Session, look: _Look) -> Iterator[Judged]:
    days = counted(session, look.windows, look.known, look.configuration)
    lines = by_pipeline(days)
    for number in sorted(look.ready):
        known, rule = look.known[number], _rule(look.configuration, look.known[number])
        if rule is None or look.is_history([known]):
            continue
        line = lines.get(number, Line.empty(len(days)))
        scope = Scope(provider=known.pipeline.provider, pipeline=known.pipeline.key)
        for decision in _decide(look, scope, line, rule):
            yield decision, known.pipeline
    if look.labels:
        labels = by_label(days, {number: each.pipeline.labels for number, each in look.known.items()})
        yield from _judged_labels(look, labels, said={line.tallies for line in lines.values()})


def _judged_labels(look: _Look, labels: Mapping[str, Line], said: set[tuple[Tally, ...]]) -> Iterator[Judged]:
    """Each label value over all pipelines that carry it, unless a pipeline or another label has said the very same."""
    rule = look.configuration.rules.window_regression
    firing = {scope.branch or "" for scope in look.firing if scope.provider == EVERY_PROVIDER}
    names = {number: each.pipeline.name for number, each in look.known.items()}
    if rule is None:
        return
    for label in sorted(firing | labels.keys()):
        line = labels.get(label, Line.empty(len(look.windows)))
        carriers = [look.known[number] for number in line.carriers]
        if any(each.pipeline.provider in look.frozen for each in carriers):
            continue
        if label not in firing and (line.tallies in said or look.is_history(carriers)):
            continue
        said.add(line.tallies)
        scope = Scope(provider=EVERY_PROVIDER, branch=label)
        for decision in _decide(look, scope, line, rule, worst=line.worst(names)):
            yield decision, None


def _decide(look: _Look, scope: Scope, line: Line, rule: WindowRegressionRule, **facts: Any) -> tuple[Decision, ...]:
    return decide_window_regression(
        scope=scope,
        window=look.day,
        tally=line.tallies[0],
        before=line.tallies[1:],
        stored=[look.firing[scope]] if scope in look.firing else [],
        rule=rule,
        zone=look.configuration.timezone,
        facts=facts,
    )
