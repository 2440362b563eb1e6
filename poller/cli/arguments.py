"""What people write on the command line, turned into values; what cannot be read is a usage error (exit 2)."""

from datetime import UTC, datetime, time, timedelta, tzinfo

import typer

from domain.duration import parse_duration
from domain.window import Window
from metrics.windows import parse_window, window_of

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def span(text: str, option: str) -> timedelta:
    """`7d` → seven days."""
    try:
        duration = parse_duration(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r}: write a number and a unit, like 90s, 15m, 24h or 7d", param_hint=option
        ) from None
    if not duration:
        raise typer.BadParameter(f"{text!r} is no time at all", param_hint=option)
    return duration


def since_moment(text: str, now: datetime, option: str = "--since") -> datetime:
    """`7d` → a week ago; `2026-11-01` or a whole ISO time → that time, UTC unless it says otherwise."""
    if text[:4].isdigit() and "-" in text:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is not a date like 2026-11-01", param_hint=option) from None
        return max(moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC), BEGINNING)
    duration = span(text, option)
    return now - min(duration, now - BEGINNING)


def window(text: str, now: datetime, *, day_starts_at: time, zone: tzinfo) -> Window | int:
    """`24h`, `7d`, `20 builds`, `daily` → what is counted."""
    try:
        meant = parse_window(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--window") from None
    if isinstance(meant, timedelta):
        meant = min(meant, now - BEGINNING)
    return window_of(meant, now, day_starts_at=day_starts_at, zone=zone)
