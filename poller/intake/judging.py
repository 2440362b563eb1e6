"""Streams are judged: what is stored of them goes to the rules, and what they decide comes back."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.decide import Decision, decide
from alerts.kinds.durations import WANTED
from alerts.rules import Rules
from domain.alert import Alert, Scope
from domain.build import Verdict
from domain.stream import Settled, Signature
from domain.testhistory import Checked
from metrics.windows import daily, rolling
from poller.config import Configuration
from poller.intake.test_standing import is_concerned, since_contact, stand_of, steady
from store import alerts, streams, tests
from store.engine import Session

_AT_ONCE = 50  # streams whose past is in memory: up to 600 builds each
BEFORE_EVERYTHING = datetime(1970, 1, 1, tzinfo=UTC)  # after first contact whatever arrives is news


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A stream that is to be judged, and how."""

    scope: Scope  # provider, pipeline and stream
    rules: Rules  # those of the pipeline's entry
    watched_since: datetime = BEFORE_EVERYTHING  # what finished until then is baseline
    met: datetime = BEFORE_EVERYTHING  # first contact with the pipeline; what was so before it is no news
    fresh: Collection[int] | None = None  # the builds whose verdict is new or different, by id; None: not known
    reported: bool = False  # the tests of one of its builds were recorded just now
    checked: Checked | None = None  # a build that was searched for the files it must leave

    @property
    def place(self) -> streams.Place:
        """As the store names it."""
        return self.scope.provider, self.scope.pipeline or "", self.scope.branch or ""


def judge_streams(
    session: Session, lines: Iterable[Line], *, configuration: Configuration, now: datetime
) -> Iterator[tuple[Decision, ...]]:
    """What becomes of the alerts of streams, in their order, from what is stored of them.

    Args:
        session: an open transaction.
        lines: the streams.
        configuration: for the zone of windows.
        now: aware UTC.
    """
    wanted = list(lines)
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        pasts = streams.pasts(session, [each.place for each in some])
        stored = alerts.of_streams(session, [each.scope for each in some])
        tails = {place: past.tail() for place, past in pasts.items()}
        signatures = _signatures(session, tails, stored)
        settled = tests.with_report(session, {build for each in some for build in each.fresh or ()})
        for each in some:
            tail = tails[each.place]
            reported = each.reported or not settled.isdisjoint(each.fresh or ())
            concerned = each.rules.test_regression and is_concerned(stored[each.scope], reported=reported)
            timed = each.rules.duration is not None and _passed(tail, each.fresh)
            yield decide(
                scope=each.scope,
                tail=tail,
                stored=stored[each.scope],
                rules=each.rules,
                counts=_counts(session, each, configuration, now),
                timed=pasts[each.place].passed(WANTED) if timed else None,
                watched_since=each.watched_since,
                met=each.met,
                now=now,
                fresh=each.fresh,
                signatures=signatures,
                tests=stand_of(session, each.place, stored[each.scope]) if concerned else None,
                checked=since_contact(session, each.place, each.checked),
            )


def _signatures(
    session: Session, tails: Mapping[streams.Place, Sequence[Settled]], stored: Mapping[Scope, Sequence[Alert]]
) -> Mapping[int, Signature]:
    """What the newest failures look like, by build, without flaky tests that are no news."""
    failed = {tail[-1].build_id: place for place, tail in tails.items() if tail and tail[-1].verdict is Verdict.FAILED}
    found = streams.signatures(session, failed)
    for build_id, signature in found.items():
        provider, key, stream = place = failed[build_id]
        theirs = stored[Scope(provider=provider, pipeline=key, branch=stream)]
        found[build_id] = steady(session, place, tails[place][-1], signature, theirs)
    return found


def _passed(tail: Sequence[Settled], fresh: Collection[int] | None) -> bool:
    """Whether a build that passed is new, as far as anything is known to be: else the times of builds are the same."""
    return not fresh or any(each.verdict is Verdict.PASSED and each.build_id in fresh for each in tail)


def _counts(session: Session, line: Line, configuration: Configuration, now: datetime) -> tuple[int, int] | None:
    rule = line.rules.success_rate_below
    if rule is None:
        return None
    if isinstance(rule.window, int):
        return streams.counts(session, *line.place, last=rule.window)
    if isinstance(rule.window, timedelta):
        return streams.counts(session, *line.place, window=rolling(now, rule.window))
    window = daily(now, configuration.day_starts_at, configuration.timezone)
    return streams.counts(session, *line.place, window=window)
