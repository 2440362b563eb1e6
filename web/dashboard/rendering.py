"""Templates, and how values are shown in them. Everything that comes from outside is text: autoescape is on."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from domain.duration import format_duration
from domain.text import clean_url
from web.dashboard import drawing
from web.dashboard.assets import Assets

DASH = "\u2013"
DAY = timedelta(days=1)


def environment(assets: Assets) -> Environment:
    """The templates below `web/templates`."""
    made = Environment(
        loader=PackageLoader("web"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "iso": iso,
        "took": took,
        "share": share,
        "points": points,
        "outside": outside,
        "short": short,
        "number": number,
        "is_time": is_time,
    }
    made.globals |= {
        "asset": assets.url,
        "arcs": drawing.arcs,
        "waffle": drawing.waffle,
        "gaps": drawing.gaps,
        "line": drawing.line,
        "strip": drawing.strip,
        "query": query,
    }
    return made


def iso(moment: datetime) -> str:
    """For machines, in UTC: `2026-11-20T12:00:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def stands_at(moment: datetime, zone: tzinfo) -> str:
    """`Fri 20 Nov, 17:30`, on the clocks of the configured zone."""
    return moment.astimezone(zone).strftime("%a %d %b, %H:%M")


def ago(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """`5m ago`, and after a day the date: the largest unit is enough, the whole time stands in the title."""
    past = now - moment
    if past >= DAY:
        return dated(moment, now, zone)
    if past < timedelta(seconds=1):
        return "now"
    return f"{format_duration(timedelta(seconds=int(past.total_seconds()))).split()[0]} ago"


def dated(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """`18 Nov, 09:05`, and of another year `18 Nov 2025`."""
    there = moment.astimezone(zone)
    rest = there.strftime("%b, %H:%M" if there.year == now.astimezone(zone).year else "%b %Y")
    return f"{there.day} {rest}"


def clock(moment: datetime, now: datetime, zone: tzinfo) -> str:
    """`17:30`, beside what `ago` says; nothing where that is a date already."""
    return moment.astimezone(zone).strftime("%H:%M") if now - moment < DAY else ""


def took(length: timedelta | float | None) -> str:
    """`1m 30s`, or a dash."""
    if length is None:
        return DASH
    return format_duration(length if isinstance(length, timedelta) else timedelta(seconds=length))


def share(rate: float | None) -> str:
    """`97.3 %`, or a dash: no data is not zero. Never 100 % or 0 % by rounding."""
    if rate is None:
        return DASH
    percent = rate * 100
    if percent in {0, 100}:
        return f"{percent:.0f} %"
    return f"{min(max(percent, 0.1), 99.9):.1f} %"


def points(difference: float | None) -> str:
    """`+2.1`: a difference of rates, in points of percent."""
    return DASH if difference is None else f"{difference * 100:+.1f}".replace("-", "\u2212")


def outside(url: str | None) -> str | None:
    """An address outside that may stand in a link: http(s) only, wherever it came from."""
    return clean_url(url)


def short(commit: str | None) -> str:
    """The first eight digits of a commit."""
    return commit[:8] if commit else DASH


def number(value: float) -> str:
    """A figure with groups of thousands, and no more digits than say something."""
    if value == int(value) and abs(value) < 1 << 53:
        return f"{int(value):,}".replace(",", "\u202f")
    return f"{value:,.4g}".replace(",", "\u202f") if abs(value) < 1000 else f"{value:,.0f}".replace(",", "\u202f")  # noqa: PLR2004


def is_time(name: str) -> bool:
    """Whether a measurement is a length of time in seconds, as its name says."""
    return any(word in name for word in ("seconds", "duration", "time"))


def query(given: Mapping[str, Any], **changes: Any) -> str:
    """`?window=2026-11-20&by=cloud`: an address of the same page with some parameters changed; None takes one away."""
    merged = {**given, **changes}
    kept = [(key, str(value)) for key, value in merged.items() if value not in (None, "")]
    return f"?{urlencode(kept)}" if kept else "?"
