"""From a report to the message of a digest: how it reads, and what is worth a line."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, tzinfo

from alerts.policies.digest import DAILY, Polls, Report, Strip, Tally
from alerts.wording import both_ends, duration, percent, plural, shortened
from domain.message import SIGNS, Cell, Chart, Fact, Heat, HeatRow, Message, Table, Tone
from domain.window import Window

PAST = 14  # windows before the one of a digest
LATE = timedelta(minutes=10)  # later than this is said
_DAY = timedelta(days=1)
_OPEN, _PIPELINES, _LABELS, _VALUES, _RANKED = 15, 12, 6, 8, 5  # how many of each are shown
_WHAT_LIMIT = 90
_PAST_FEW = 7
_NOTICEABLE = 1.0  # percentage points


def compose(report: Report, *, now: datetime, zone: tzinfo) -> Message:
    """The message of a digest. Sections without content are left out; a quiet one is short, and sent all the same."""
    tone = Tone.FIXED if _is_quiet(report) else Tone.NOTE
    return Message(
        tone=tone,
        headline=f"{SIGNS[tone]} {report.digest.title}: {_headline(report)}",
        facts=tuple(_facts(report, now, zone)),
        charts=tuple(_charts(report, zone)),
        heats=tuple(_heats(report, zone)),
        tables=tuple(_tables(report, now)),
        thread=_thread(report),
        at=now,
    )


def _is_quiet(report: Report) -> bool:
    return report.tally.passed > 0 and not report.tally.failed and not report.open


def _thread(report: Report) -> str:
    name = hashlib.blake2s(report.digest.name.encode(errors="replace"), digest_size=8).hexdigest()
    return f"digest-{name}-{round(report.slot.timestamp() * 1000)}"


def _headline(report: Report) -> str:
    tally = report.tally
    if not tally.decided:
        said = "no build passed or failed" if tally.neutral else "no build ended"
    elif not tally.failed:
        said = f"nothing failed, {plural(tally.passed, 'build')} passed"
    else:
        said = f"{percent(tally.passed, tally.decided)} % of {plural(tally.decided, 'build')} passed{_trend(report)}"
    failing = sum(each.failing for each in report.open)
    others = len(report.open) - failing
    rest = [f"{failing} still failing"] * bool(failing) + [f"{plural(others, 'other alert')}"] * bool(others)
    return ", ".join([said, *rest])


def _trend(report: Report) -> str:
    """`, 3 points less than usual`; nothing without a past or a difference."""
    rate, usual = report.tally.rate, report.past.rate
    if rate is None or usual is None:
        return ""
    points = 100 * (rate - usual)
    if abs(points) < _NOTICEABLE:
        return ", as usual"
    how_much = "1 point" if round(abs(points)) == 1 else f"{abs(points):.0f} points"
    return f", {how_much} {'more' if points > 0 else 'less'} than usual"


def _facts(report: Report, now: datetime, zone: tzinfo) -> Iterable[Fact]:
    tally = report.tally
    yield Fact(name="Window", value=_span(report.window, zone))
    if now - report.slot > LATE:
        text = f"was due at {report.slot.astimezone(zone):%H:%M}, when buildwatch was not running"
        yield Fact(name="Late", value=text)
    yield Fact(name="Builds", value=_builds(tally))
    if tally.decided:
        yield Fact(name="Pass rate", value=_rate(tally))
    if report.past.decided:
        yield Fact(name="Before", value=", ".join(_before(report)))
    if report.self_check:
        yield Fact(name="Self-check", value=report.self_check)
    if report.waiting or report.given_up:
        parts = [f"{report.waiting} waiting"] * bool(report.waiting)
        parts += [f"{report.given_up} given up, see buildwatch outbox"] * bool(report.given_up)
        yield Fact(name="Messages", value=", ".join(parts))


def _before(report: Report) -> Iterable[str]:
    """`96 % the day before`, `95 % over 7 days`, `96 % over 14 days`."""
    last = report.tallies[-2]
    if last.decided:
        yield f"{percent(last.passed, last.decided)} % the {_unit(report)} before"
    for count in (_PAST_FEW, PAST):
        them = sum(report.tallies[-1 - count : -1], Tally())
        if them.decided:
            yield f"{percent(them.passed, them.decided)} % over {count} {_unit(report)}s"


def _unit(report: Report) -> str:
    return "window" if report.digest.window not in {DAILY, _DAY} else "day"


def _builds(tally: Tally) -> str:
    if tally == Tally():
        return "none ended"
    parts = [f"{tally.passed:,} passed", f"{tally.failed:,} failed"]
    if tally.neutral:
        parts.append(f"{tally.neutral:,} neither (cancelled, skipped)")
    return ", ".join(parts)


def _rate(tally: Tally) -> str:
    return f"{percent(tally.passed, tally.decided)} % ({tally.passed:,} of {tally.decided:,})"


def _span(window: Window, zone: tzinfo) -> str:
    """`Fri 20 Nov 10:00 to Sat 21 Nov 10:00 IST`."""
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    return f"{start:%a} {start.day} {start:%b %H:%M} to {end:%a} {end.day} {end:%b %H:%M %Z}"


def _column(window: Window, zone: tzinfo) -> str:
    """What a window is called in a strip or chart: the day on which it starts, with the time of a short one."""
    start = window.start.astimezone(zone)
    is_short = window.end - window.start < _DAY - timedelta(hours=2)  # a day has 23 hours now and then
    return f"{start:%a} {start:%H:%M}" if is_short else f"{start:%a} {start.day}"


def _charts(report: Report, zone: tzinfo) -> Iterable[Chart]:
    rates = [tally.rate for tally in report.tallies]
    if sum(rate is not None for rate in rates) > 2:  # noqa: PLR2004 - two points are no course
        usual = report.past.rate
        yield Chart(
            title="Pass rate",
            columns=tuple(_column(window, zone) for window in report.windows),
            values=tuple(None if rate is None else 100 * rate for rate in rates),
            usual=None if usual is None else 100 * usual,
        )


def _heats(report: Report, zone: tzinfo) -> Iterable[Heat]:
    columns = tuple(_column(day, zone) for day in report.days)
    troubled = [strip for strip in report.pipelines if any(day.failed for day in strip.days) or strip.now.failed]
    if troubled:
        yield _heat("Pipelines, the worst first", troubled, _PIPELINES, columns)
    for label, strips in list(report.labels.items())[:_LABELS]:
        yield _heat(f"By {label}", strips, _VALUES, columns)


def _heat(title: str, strips: Sequence[Strip], limit: int, columns: tuple[str, ...]) -> Heat:
    worst = sorted(strips, key=_badness)
    left_out = len(worst) - limit
    more = f" (and {left_out} better)" if left_out > 0 else ""
    return Heat(title=title + more, columns=columns, rows=tuple(_heat_row(strip) for strip in worst[:limit]))


def _badness(strip: Strip) -> tuple[float, float, str]:
    """Worst in the window first, then in the week; where nothing was built last."""
    week = sum(strip.days, Tally()).rate
    now = strip.now.rate
    return (2.0 if now is None else now, 2.0 if week is None else week, strip.name)


def _heat_row(strip: Strip) -> HeatRow:
    now = strip.now
    value = f"{percent(now.passed, now.decided)} % of {now.decided}" if now.decided else "no builds"
    return HeatRow(name=both_ends(strip.name), shares=tuple(day.rate for day in strip.days), value=value, url=strip.url)


def _tables(report: Report, now: datetime) -> Iterable[Table]:
    if report.open:
        yield _open(report, now)
    if report.buckets:
        yield _buckets(report)
    if report.unsteady:
        yield _unsteady(report)
    if report.slower:
        yield _slower(report)
    if report.polls:
        yield Table(
            title="How we watched",
            columns=("Provider", "Polls", "Failed", "Longest gap"),
            rows=tuple(_polls(each) for each in report.polls),
        )


def _open(report: Report, now: datetime) -> Table:
    oldest_first = sorted(report.open, key=lambda each: each.since)
    rows = tuple(
        (
            Cell(text=both_ends(each.name), url=each.url, tone=Tone.BROKEN if each.failing else Tone.WORSE),
            Cell(text=_age(now - each.since)),
            Cell(text=shortened("; ".join(filter(None, (each.what, each.handling))), _WHAT_LIMIT) or ""),
        )
        for each in oldest_first[:_OPEN]
    )
    return Table(
        title="Still open, the oldest first",
        columns=("Where", "For", "What"),
        rows=rows,
        more=max(len(oldest_first) - _OPEN, 0),
    )


def _age(length: timedelta) -> str:
    """`3 d`, `20 h`: the larger unit alone."""
    return " ".join(duration(length).split()[:2])


def _buckets(report: Report) -> Table:
    failed = sum(report.buckets.values()) + report.unclassified
    ranked = sorted(report.buckets.items(), key=lambda each: (-each[1], each[0]))
    rows = [(Cell(text=bucket), Cell(text=str(count)), Cell(text=_share(count, failed))) for bucket, count in ranked]
    shown = rows[:_RANKED]
    if report.unclassified:
        count = report.unclassified
        shown.append((Cell(text="unclassified"), Cell(text=str(count)), Cell(text=_share(count, failed))))
    return Table(
        title="Why builds failed",
        columns=("Bucket", "Builds", "Share"),
        rows=tuple(shown),
        more=max(len(rows) - _RANKED, 0),
    )


def _share(part: int, whole: int) -> str:
    return f"{percent(part, whole)} %"


def _unsteady(report: Report) -> Table:
    ranked = sorted(report.unsteady, key=lambda each: (-2 * each.reruns - each.changes, each.name))
    return Table(
        title=f"Flakiest, in {len(report.days)} days",
        columns=("Pipeline", "Passed on re-run", "Back and forth"),
        rows=tuple(
            (
                Cell(text=both_ends(each.name), url=each.url),
                Cell(text=str(each.reruns)),
                Cell(text=f"{plural(each.changes, 'time')} in {plural(each.builds, 'build')}"),
            )
            for each in ranked[:_RANKED]
        ),
        more=max(len(ranked) - _RANKED, 0),
    )


def _slower(report: Report) -> Table:
    ranked = sorted(report.slower, key=lambda each: (-(each.now / each.before), each.name))
    return Table(
        title=f"Slower than in the {_PAST_FEW} {_unit(report)}s before",
        columns=("Pipeline", "Now", "Before", ""),
        rows=tuple(
            (
                Cell(text=both_ends(each.name), url=each.url),
                Cell(text=duration(each.now)),
                Cell(text=duration(each.before)),
                Cell(text=f"+{100 * (each.now / each.before - 1):.0f} %", tone=Tone.WORSE),
            )
            for each in ranked[:_RANKED]
        ),
        more=max(len(ranked) - _RANKED, 0),
    )


def _polls(polls: Polls) -> tuple[Cell, ...]:
    return (
        Cell(text=polls.provider),
        Cell(text=f"{polls.made:,}"),
        Cell(text=str(polls.failed), tone=Tone.WORSE if polls.failed else None),
        Cell(text=duration(polls.longest_gap) if polls.longest_gap is not None else "unknown"),
    )
