"""One message for several alerts: a headline that counts them, then a line each."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.policies.causes import Cause, of_all
from alerts.policies.gathering import OLD, Parcel, Unit
from alerts.wording import both_ends, duration, plural
from domain.alert import AlertKind, AlertState, Reason
from domain.message import SIGNS, Cell, Fact, Message, Table, Tone
from domain.waiting import Form, Standing, Waiting

LISTED = 30  # alerts that have a line of their own
NAMES = 4  # in a headline
_ROWS, _MOST_ROWS = 40, 160  # of names: in a table, and at all
_MOMENT = timedelta(minutes=1)
_FAILS = frozenset({AlertKind.FAILURE, AlertKind.PROVIDER_UNREACHABLE})

_WORDS = {
    AlertKind.FAILURE: "failed",
    AlertKind.PROVIDER_UNREACHABLE: "cannot be read",
    AlertKind.SUCCESS_RATE_DROP: "success rate dropped",
    AlertKind.SUCCESS_RATE_BELOW: "success rate too low",
    AlertKind.PIPELINE_MISSING: "gone",
    AlertKind.WINDOW_REGRESSION: "worse than the days before",
    AlertKind.DURATION: "slower",
    AlertKind.STALE: "no build when one was due",
    AlertKind.STUCK: "stuck",
    AlertKind.FLAPPING: "flapping",
    AlertKind.NO_VERDICT: "no verdict",
    AlertKind.TEST_REGRESSION: "new failing tests",
}


def group_message(parcel: Parcel, lead: Message, standing: Standing | None, now: datetime) -> Message:
    """What a parcel of several alerts says; `lead` is the message of its first row.

    `standing` is how all alerts of the card are to which its units belong, when they belong to one.
    """
    if parcel.form is Form.NEWS:
        return _news(parcel.units, lead, standing, now)
    if parcel.joins is not None and standing is not None:
        return card_message(standing, lead, now)
    ordered = sorted(parcel.units, key=lambda unit: (unit.over, str(unit.first.about.get("bucket") or "")))
    headline = _HEADLINES.get(parcel.form, _opening_headline)(ordered)
    with_age = parcel.form in {Form.QUIET, Form.AWAY}
    return _message(lead, _tone(ordered), headline, [_line(unit, now, with_age=with_age) for unit in ordered], now)


def card_message(standing: Standing, lead: Message, now: datetime) -> Message:
    """What a card of several alerts shows from now on."""
    firing = standing.total - standing.over
    its = [_standing_line(row) for row in standing.members]
    broken = [row for row in standing.members if row.state is AlertState.FIRING]
    what = _kinds(row.kind for row in broken or standing.members)
    if not firing:
        return _message(lead, Tone.FIXED, f"All {standing.total} {what.over}", its, now, of=standing.total)
    tone = Tone.BROKEN if any(row.kind in _FAILS for row in broken) else Tone.WORSE
    count = _count(broken) if not standing.over and firing == len(broken) else plural(firing, "pipeline")
    some = f"{firing} of {standing.total} {what.still}" if standing.over else f"{count} {what.begun}{_because(broken)}"
    return _message(lead, tone, some, its, now, of=standing.total)


def folded_message(first: Message, last: Message, reason: Reason) -> Message:
    """A break that was over before anybody could be told: one note. Without an ending simply the newest message."""
    if reason not in {Reason.RESOLVED, Reason.CLOSED}:
        return last
    then = "has recovered since" if reason is Reason.RESOLVED else "the alert is closed since"
    end = Fact(name="Since then", value=_without_sign(last.headline))
    return replace(
        last,
        headline=f"{SIGNS[last.tone]} {_without_sign(first.headline)}, and {then}",
        facts=(*first.facts, end),
        details=first.details,
        tables=first.tables,
        links=tuple(dict.fromkeys((*first.links, *last.links))),
    )


def with_age(message: Message, since: datetime, now: datetime) -> Message:
    """A message that waited for long says since when."""
    if now - since <= OLD:
        return message
    return replace(message, headline=f"{message.headline} ({duration(now - since)} ago)")


def with_place(message: Message, standing: Standing) -> Message:
    """The end of one alert among those of its card: `web / main is fixed (3 of 7)`."""
    return replace(message, headline=f"{message.headline} ({standing.over} of {standing.total})")


class _Words:
    """How alerts of these kinds begin, go on and end."""

    def __init__(self, kinds: Sequence[AlertKind]) -> None:
        fails = all(kind in _FAILS for kind in kinds)
        only = set(kinds)
        self.begun = _WORDS.get(next(iter(only)), "need attention") if len(only) == 1 else _counted(kinds)
        if not fails:
            self.begun = f"need attention: {self.begun}"
        self.still = "still failing" if fails else "still need attention"
        self.over = "are fixed" if fails else "are over"


def _kinds(kinds: Iterable[AlertKind]) -> _Words:
    return _Words(list(kinds))


def _counted(kinds: Iterable[AlertKind]) -> str:
    return ", ".join(f"{count} {_WORDS.get(kind, kind.value)}" for kind, count in Counter(kinds).most_common())


def _opening_headline(units: Sequence[Unit]) -> str:
    rows = [unit.first for unit in units]
    text = f"{_count(rows)} {_kinds(row.kind for row in rows).begun}{_because(rows)}"
    over = sum(unit.over for unit in units)
    if not over:
        return text
    return f"{text}; {'all' if over == len(units) else over} recovered since"


def _storm_headline(units: Sequence[Unit]) -> str:
    over = sum(unit.over for unit in units)
    counted = _counted(unit.first.kind for unit in units if not unit.over)
    parts = [part for part in (counted, f"{over} over" if over else "") if part]
    return f"Too much at once, {plural(len(units), 'alert')} in one message: {', '.join(parts)}"


def _quiet_headline(units: Sequence[Unit]) -> str:
    return f"During quiet hours: {_balance(units)}"


def _away_headline(units: Sequence[Unit]) -> str:
    return f"While this channel was away: {_balance(units)}"


_HEADLINES = {Form.STORM: _storm_headline, Form.QUIET: _quiet_headline, Form.AWAY: _away_headline}


def _balance(units: Sequence[Unit]) -> str:
    still = [unit for unit in units if not unit.over]
    passed = sum(unit.over and unit.opens for unit in units)
    ended = len(units) - len(still) - passed
    parts = [
        f"still broken: {_names(unit.first for unit in still)}" if still else "",
        f"{passed} broke and recovered" if passed else "",
        f"{ended} fixed" if ended else "",
    ]
    return "; ".join(part for part in parts if part)


def _news(units: Sequence[Unit], lead: Message, standing: Standing | None, now: datetime) -> Message:
    """`2 of 7 are fixed: a, b; 5 still failing: c, d and 3 more`, or how several alerts go on."""
    ended = [unit for unit in units if unit.over]
    lines = [_line(unit, now) for unit in units]
    words = _kinds(unit.first.kind for unit in units)
    if not ended:
        text = f"{len(units)} {words.still}: {_names(unit.first for unit in units)}"
        return _message(lead, lead.tone, text, lines, now)
    if any(unit.last.reason is Reason.CLOSED for unit in ended):
        words.over = "are over"
    many = len(ended) > NAMES
    if standing is None or standing.total < len(ended):
        text = f"{_count([unit.first for unit in ended])} {words.over}"
        return _message(lead, Tone.FIXED, text if many else f"{text}: {_names(_firsts(ended))}", lines, now)
    left = standing.total - standing.over
    some = f"{standing.over} of {standing.total}" if left else f"All {standing.total}"
    now_too = ", now" if standing.over > len(ended) else ":"
    text = f"{some} {words.over}{now_too} {_names(_firsts(ended))}"
    if left:
        firing = [row for row in standing.members if row.state is AlertState.FIRING]
        text += f"; {left} {words.still}: {_names(firing, left)}"
    return _message(lead, Tone.FIXED, text, lines, now)


def _firsts(units: Iterable[Unit]) -> list[Waiting]:
    return [unit.first for unit in units]


def _tone(units: Sequence[Unit]) -> Tone:
    firing = [unit.first.kind for unit in units if not unit.over]
    if not firing:
        return Tone.FIXED
    return Tone.BROKEN if any(kind in _FAILS for kind in firing) else Tone.WORSE


def _because(rows: Sequence[Waiting]) -> str:
    """`, same cause: cloud aws` or ` within a minute on nsp`."""
    cause = of_all(rows) if len(rows) > 1 else Cause()
    if cause.text is not None:
        return f", same cause: {cause.text}"
    times = [row.created_at for row in rows]
    fails = len(rows) > 1 and all(row.kind in _FAILS for row in rows)
    at_once = " within a minute" if fails and max(times) - min(times) <= _MOMENT else ""
    return at_once + (f" on {cause.on}" if cause.on is not None else "")


def _count(rows: Sequence[Waiting]) -> str:
    """`7 pipelines`, or `7 branches of 3 pipelines`; `7 parts`, of a provider."""
    if all(row.scope.pipeline is None for row in rows):
        return plural(len(rows), "part")
    several = len({(row.scope.provider, row.scope.pipeline) for row in rows})
    if several == len(rows):
        return plural(several, "pipeline")
    return f"{len(rows)} branches of {plural(several, 'pipeline')}"


def _names(rows: Iterable[Waiting], total: int | None = None) -> str:
    """`web / main, api / main and 3 more`."""
    found = list(dict.fromkeys(name_of(row) for row in rows))
    more = (total if total is not None else len(found)) - min(len(found), NAMES)
    named = ", ".join(both_ends(name) for name in found[:NAMES])
    return f"{named} and {more} more" if more > 0 else named


def name_of(row: Waiting) -> str:
    """`web / main`: as messages call it, or as the provider does when an older version wrote the row."""
    name = row.about.get("name")
    if name:
        return str(name)
    scope = row.scope
    return " / ".join(part for part in (scope.pipeline or scope.provider, scope.branch) if part)


@dataclass(frozen=True, slots=True)
class _Line:
    """What is said of one alert, and under which title."""

    title: str
    name: str
    what: str
    url: str | None
    tone: Tone


def _line(unit: Unit, now: datetime, *, with_age: bool = False) -> _Line:
    row = unit.last
    what = what_of(unit.first)
    title, tone = _BROKEN, _tone_of(row.kind)
    if unit.over:
        title, tone = (_PASSED if unit.opens else _FIXED), Tone.FIXED
        what = what if unit.opens else what_of(row)
    if with_age or now - unit.first.created_at > OLD:
        what += f" ({duration(now - unit.first.created_at)} ago)"
    return _Line(title, name_of(row), what, _url(row), tone)


def _standing_line(row: Waiting) -> _Line:
    firing = row.state is AlertState.FIRING
    tone = _tone_of(row.kind) if firing else Tone.FIXED
    return _Line(_BROKEN if firing else _FIXED, name_of(row), what_of(row), _url(row), tone)


def _tone_of(kind: AlertKind) -> Tone:
    return Tone.BROKEN if kind in _FAILS else Tone.WORSE


def what_of(row: Waiting) -> str:
    """What is wrong: `failed, 2nd in a row`."""
    return str(row.about.get("broken") or row.summary)


def _url(row: Waiting) -> str | None:
    url = row.about.get("url")
    return str(url) if url else None


def _message(
    lead: Message, tone: Tone, headline: str, lines: Sequence[_Line], now: datetime, *, of: int | None = None
) -> Message:
    """A message with at most `LISTED` lines; the names of the others follow as text. `of`: how many there are."""
    listed: dict[str, list[_Line]] = {}
    for line in lines[:LISTED]:
        listed.setdefault(line.title, []).append(line)
    tables = [
        Table(
            title=title,
            rows=tuple((Cell(text=line.name, url=line.url, tone=line.tone), Cell(text=line.what)) for line in its),
        )
        for title, its in listed.items()
    ]
    more = max(of or 0, len(lines)) - min(len(lines), LISTED)
    return Message(
        tone=tone,
        headline=f"{SIGNS[tone]} {headline}",
        tables=(*tables, *_others(lines[LISTED:], more)),
        thread=lead.thread,
        at=now,
    )


def _others(lines: Sequence[_Line], more: int) -> Iterator[Table]:
    """The names of those that have no line of their own, side by side."""
    rows = list(_wrapped(line.name for line in lines)) or (["…"] if more else [])
    for start in range(0, min(len(rows), _MOST_ROWS), _ROWS):
        title = f"And {more} more" if not start else "And"
        yield Table(title=title, rows=tuple((Cell(text=row),) for row in rows[start : start + _ROWS]))


_BROKEN, _PASSED, _FIXED = "Broken", "Broke and recovered", "Over"


def _wrapped(names: Iterable[str], width: int = 150) -> Iterator[str]:
    """Names with commas, in lines of about this width."""
    line = ""
    for name in names:
        if line and len(line) + len(name) > width:
            yield line.removesuffix(", ")
            line = ""
        line += f"{name}, "
    if line:
        yield line.removesuffix(", ")


def _without_sign(headline: str) -> str:
    sign, _, rest = headline.partition(" ")
    return rest if sign in SIGNS.values() else headline
