"""Which waiting rows of a channel make up its next message, and when it may go.

Grouping never delays a first message: what is due goes out at once, as one message when it has one cause or is
many. Only what follows shortly after it waits for company. Everything here is decided from the rows themselves,
so that it comes out the same after a crash.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.policies.causes import alike, largest, of_all
from domain.alert import AlertKind, Reason
from domain.waiting import Form, Told, Waiting

CROWD = 5  # that many alerts are told together, whatever their causes
LULL = timedelta(seconds=1)  # in which a second failure may turn out to be the beginning of a crowd
FLOOD = timedelta(seconds=5)  # a crowd that has grown in this time is waited for: it may be cut in two otherwise
STORM_CARDS = 10  # in STORM_SPAN; what comes beyond them is a storm
STORM_SPAN = timedelta(minutes=5)  # also: from one storm card to the next, where it cannot be edited
_PLACE = ("provider", "pipeline", "branch", "kind")
OLD = timedelta(hours=2)  # what waited longer is told in one summary

ENDINGS = frozenset({Reason.RESOLVED, Reason.CLOSED})
_GOING_ON = frozenset({Reason.UPDATE, Reason.REMINDER})
_QUIET_REASONS = frozenset({Reason.REFRESH, Reason.THREADED})
_OWN_MESSAGES = frozenset(
    {
        AlertKind.BASELINE,
        AlertKind.CONFIGURATION_BROKEN,
        AlertKind.DELIVERY_FAILED,
        AlertKind.DIGEST,
        AlertKind.PROVIDER_UNREACHABLE,
        AlertKind.STARTED,
    }
)
"""Summaries themselves, or about buildwatch and its providers: they are rare, and say what explains the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a channel is spoken to."""

    edits: bool  # messages that were sent can be brought up to date, and have threads
    group_wait: timedelta


@dataclass(frozen=True, slots=True)
class Unit:
    """What is told of one alert: one row, or several that were overtaken before any of them was sent."""

    rows: tuple[Waiting, ...]

    @property
    def first(self) -> Waiting:
        """The oldest row."""
        return self.rows[0]

    @property
    def last(self) -> Waiting:
        """The newest row."""
        return self.rows[-1]

    @property
    def opens(self) -> bool:
        """Whether the channel hears of the alert for the first time."""
        return self.first.reason not in ENDINGS | _QUIET_REASONS and self.first.card is None

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.last.reason in ENDINGS

    @property
    def has_card(self) -> bool:
        """Whether an earlier message can be edited, where channels edit."""
        return self.first.card is not None

    @property
    def held(self) -> bool:
        """Whether quiet hours held it back."""
        return any(row.hold_until is not None for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What goes out as one message."""

    units: tuple[Unit, ...]
    form: Form
    joins: int | None = None  # the card that takes it in

    @property
    def rows(self) -> tuple[Waiting, ...]:
        """All of its rows, in order."""
        return tuple(row for unit in self.units for row in unit.rows)


def units_of(rows: Sequence[Waiting]) -> list[Unit]:
    """What is told of each alert, oldest first; `rows` by id, none of them pinned to an earlier attempt."""
    chains: dict[int, list[Waiting]] = {}
    for row in rows:
        chains.setdefault(row.alert_id, []).append(row)
    return [Unit(tuple(_folded(chain))) for chain in chains.values()]


def _folded(chain: Sequence[Waiting]) -> Sequence[Waiting]:
    """The rows at the beginning of an alert's chain that one message can tell."""
    head = chain[0]
    if len(chain) == 1 or head.alone:
        return chain[:1]
    if head.reason is not Reason.THREADED and any(row.reason in ENDINGS for row in chain[1:]):
        return chain
    count = 1
    if head.reason is not Reason.THREADED:
        same = _QUIET_REASONS - {Reason.THREADED} if head.reason in ENDINGS else _GOING_ON | {Reason.REFRESH}
        while count < len(chain) and chain[count].reason in same:
            count += 1
    return chain[:count]


def next_parcel(
    rows: Sequence[Waiting], told: Sequence[Told], *, manner: Manner, now: datetime
) -> Parcel | datetime | None:
    """The next message of a channel; or when to look again; or None when nothing waits.

    Args:
        rows: what may be sent now, by id.
        told: what was sent in the last `STORM_SPAN`, oldest first.
        manner: how the channel is spoken to.
        now: aware UTC.
    """
    units = units_of(rows)
    first = _at_once(units, manner)
    if first is not None:
        return first
    company = [unit for unit in units if unit.last.reason not in _QUIET_REASONS]
    summary = _summary([unit for unit in company if not (manner.edits and unit.has_card)], now)
    if summary is not None:
        return summary
    plans = [_openings([unit for unit in company if unit.opens], told, manner, now)]
    for ends in (True, False):
        later = [unit for unit in company if not unit.opens and unit.over is ends]
        before = [each for each in told if each.reason in (ENDINGS if ends else _GOING_ON)]
        plans.append(_later(later, before, told, manner, now))
    plans.append(_quietly([unit for unit in units if unit.last.reason in _QUIET_REASONS]))
    ready = [plan for plan in plans if isinstance(plan, Parcel)]
    if ready:
        return min(ready, key=lambda parcel: (not parcel.units[0].opens, parcel.units[0].first.id))
    return min((plan for plan in plans if isinstance(plan, datetime)), default=None)


def _at_once(units: Iterable[Unit], manner: Manner) -> Parcel | None:
    """What needs no company, or must have none."""
    left_out = []
    for unit in units:
        if unit.last.reason in _QUIET_REASONS and not (manner.edits and unit.has_card):
            left_out.append(unit)
        elif _is_own(unit.first) or unit.first.alone:
            return _parcel([unit])
    return Parcel(units=tuple(left_out), form=Form.SILENT) if left_out else None


def _is_own(row: Waiting) -> bool:
    """Whether a message is told by itself. Many parts of one provider may fail together; providers do not."""
    is_part = row.scope.pipeline is None and row.scope.branch is not None
    return row.kind in _OWN_MESSAGES and not (row.kind is AlertKind.PROVIDER_UNREACHABLE and is_part)


def _parcel(units: Sequence[Unit], form: Form = Form.GROUP, joins: int | None = None) -> Parcel:
    if len(units) == 1 and joins is None:
        form = Form.FOLD if len(units[0].rows) > 1 else Form.SINGLE
    return Parcel(units=tuple(units), form=form, joins=joins)


def _summary(units: Sequence[Unit], now: datetime) -> Parcel | None:
    """One message for what quiet hours held back, or for what waited while the channel was away."""
    held = [unit for unit in units if unit.held]
    if len(held) > 1:
        return Parcel(units=tuple(held), form=Form.QUIET)
    if sum(now - unit.first.created_at > OLD for unit in units) > 1:
        return Parcel(units=tuple(units), form=Form.AWAY)
    return None


def _openings(units: Sequence[Unit], told: Sequence[Told], manner: Manner, now: datetime) -> Parcel | datetime | None:
    if not units:
        return None
    cards = [each for each in told if each.is_card or not manner.edits]
    storm = next((each for each in reversed(told) if each.form is Form.STORM), None)
    if storm is not None or len(cards) >= STORM_CARDS:
        return _in_a_storm(units, storm, manner)
    opened = [each for each in told if each.reason is Reason.FIRST]
    return _with_company(units, opened, manner, now, related=_one_story, form=Form.GROUP)


def _in_a_storm(units: Sequence[Unit], storm: Told | None, manner: Manner) -> Parcel | datetime:
    if storm is None:
        return Parcel(units=tuple(units), form=Form.STORM)
    if manner.edits and storm.card is not None:
        return Parcel(units=tuple(units), form=Form.STORM, joins=storm.card)
    return storm.sent_at + STORM_SPAN


def _later(
    units: Sequence[Unit], told: Sequence[Told], everything: Sequence[Told], manner: Manner, now: datetime
) -> Parcel | datetime | None:
    """Endings, or updates and reminders. Where messages are edited each card has its own."""
    if not units:
        return None
    if not manner.edits:
        storm = next((each for each in reversed(everything) if each.form is Form.STORM), None)
        if storm is not None or len(everything) >= STORM_CARDS:
            return _in_a_storm(units, storm, manner)
        return _with_company(units, told, manner, now, related=_one_card, form=Form.NEWS)
    plans = []
    for card, its in _by_card(units).items():
        before = [each for each in told if each.card == card] if card is not None else told
        plans.append(_with_company(its, before, manner, now, related=_one_card, form=Form.NEWS))
    ready = [plan for plan in plans if isinstance(plan, Parcel)]
    if ready:
        return min(ready, key=lambda parcel: parcel.units[0].first.id)
    return min(plan for plan in plans if isinstance(plan, datetime))


def _with_company(
    units: Sequence[Unit],
    told: Sequence[Told],
    manner: Manner,
    now: datetime,
    *,
    related: Callable[[Unit, Told], bool],
    form: Form,
) -> Parcel | datetime | None:
    """At once, unless something was told a moment ago and this belongs to it, or is part of a crowd."""
    recent = [each for each in told if timedelta(0) <= now - each.sent_at < manner.group_wait]
    rest, waits = [], []
    joining: dict[int, list[Unit]] = {}
    for unit in units:
        near = next((each for each in recent if related(unit, each)), None)
        if near is None:
            rest.append(unit)
        elif form is Form.GROUP and manner.edits and near.card is not None:
            joining.setdefault(near.card, []).append(unit)
        else:
            waits.append(near.sent_at + manner.group_wait)
    for card, its in joining.items():
        return _parcel(its, Form.JOIN, joins=card)
    if rest:
        until = _patience(rest, recent, manner) if recent else _flooded_until(rest, told, manner, now)
        if until <= now:
            return _parcel(_chosen(rest, form), form)
        waits.append(until)
    return min(waits, default=None)


def _patience(units: Sequence[Unit], recent: Sequence[Told], manner: Manner) -> datetime:
    """Until when units that belong to nothing wait after a message: a moment, or with a crowd the rest of the time."""
    oldest = min(unit.last.created_at for unit in units)
    if len(recent) - 1 + len(units) < CROWD:
        return oldest + min(LULL, manner.group_wait)
    return min(oldest, recent[0].sent_at) + manner.group_wait


def _flooded_until(units: Sequence[Unit], told: Sequence[Told], manner: Manner, now: datetime) -> datetime:
    """Until when a crowd waits that has had its time for company and still grows: as long again at most."""
    late = [each.sent_at for each in told if now - each.sent_at < 2 * manner.group_wait]
    if not late or len(units) < CROWD:
        return now
    return min(max(unit.last.created_at for unit in units) + FLOOD, late[-1] + 2 * manner.group_wait)


def _chosen(units: Sequence[Unit], form: Form) -> Sequence[Unit]:
    """One story, or everything when that is a crowd, or the oldest alone."""
    story = _largest_story(units) if form is Form.GROUP else _largest_card(units)
    rest = len(units) - len(story)
    if story and (rest < CROWD or len(_outside(units, story)) == 0):
        return story
    if story and form is Form.GROUP:
        others = _outside(units, story)
        if of_all([unit.first for unit in others]).text is not None:  # two stories, a message each
            return story
    return units if len(units) >= CROWD else units[:1]


def _outside(units: Sequence[Unit], story: Sequence[Unit]) -> list[Unit]:
    inside = {unit.first.id for unit in story}
    return [unit for unit in units if unit.first.id not in inside]


def _largest_story(units: Sequence[Unit]) -> Sequence[Unit]:
    ids = {row.id for row in largest([unit.first for unit in units])}
    return [unit for unit in units if unit.first.id in ids]


def _largest_card(units: Sequence[Unit]) -> Sequence[Unit]:
    cards = [its for card, its in _by_card(units).items() if card is not None and len(its) > 1]
    return max(cards, key=len, default=[])


def _by_card(units: Iterable[Unit]) -> Mapping[int | None, list[Unit]]:
    found: dict[int | None, list[Unit]] = {}
    for unit in units:
        found.setdefault(unit.first.card, []).append(unit)
    return found


def _one_story(unit: Unit, told: Told) -> bool:
    """A stream that breaks anew, of the same cause, is another story: the card of its last break may be green."""
    here, there = unit.first.about, told.about
    again = bool(here.get("pipeline")) and all(here.get(key) == there.get(key) for key in _PLACE)
    return alike(here, there) and not (again and unit.first.alert_id != told.alert_id)


def _one_card(unit: Unit, told: Told) -> bool:
    """Another alert of the same group: of its own alert a message never waits for company."""
    return unit.first.card is not None and unit.first.card == told.card and unit.first.alert_id != told.alert_id


def _quietly(units: Sequence[Unit]) -> Parcel | None:
    """Edits that tell nothing, and what belongs in a thread."""
    if not units:
        return None
    head = units[0]
    if head.last.reason is Reason.THREADED:
        return _parcel([head])
    return _parcel([unit for unit in units if unit.last.reason is Reason.REFRESH and _same(unit, head)], Form.NEWS)


def _same(unit: Unit, head: Unit) -> bool:
    return unit.first.card == head.first.card
