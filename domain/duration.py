"""Durations as people write them in config.yaml: `90s 15m 24h 7d`."""

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*")


def parse_duration(text: str) -> timedelta:
    """`"90s"` → 90 seconds; parts add up (`"1h30m"`). Raises ValueError naming the text and the form."""
    total, position = timedelta(0), 0
    while match := _FORM.match(text, position):
        total += timedelta(**{_UNITS[match[2]]: float(match[1])})
        position = match.end()
    if position != len(text) or not text.strip():
        message = f"{text!r} is not a duration: write a number and a unit, like 90s, 15m, 24h or 7d"
        raise ValueError(message)
    return total


def format_duration(duration: timedelta) -> str:
    """The two largest units: `1h 30m`, `2d`, `0.4s`."""
    seconds = duration.total_seconds()
    if seconds < 0:
        return f"-{format_duration(-duration)}"
    if seconds < 10:  # noqa: PLR2004  (below ten seconds a tenth matters)
        return f"{seconds:.1f}".rstrip("0").rstrip(".") + "s"
    parts = []
    rest = round(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])
