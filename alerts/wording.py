"""Small pieces of text: numbers, times and reasons as a person would say them."""

from datetime import datetime, timedelta, tzinfo

from domain.build import Build

_REASON_LIMIT = 120  # characters of a headline that the reason may take
_WHERE_LIMIT = 60  # characters of a headline that a name may take: what has happened must still be seen behind it
_ORDINALS = {1: "st", 2: "nd", 3: "rd"}


def nth(count: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 22nd."""
    teens = count // 10 % 10 == 1
    return f"{count}th" if teens else f"{count}{_ORDINALS.get(count % 10, 'th')}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 failure`, `3 failures`; `many` where an s does not do."""
    return f"{count} {one}" if count == 1 else f"{count} {many or one + 's'}"


def duration(length: timedelta) -> str:
    """The two largest units: `2 h 10 m`, `45 s`, `3 d`; below a second `0 s`."""
    rest = max(round(length.total_seconds()), 0)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part) or "0 s"


def moment(when: datetime, zone: tzinfo) -> str:
    """`2026-11-21 14:05 IST`: local, with the name of the zone."""
    return when.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def short_commit(commit: str | None) -> str | None:
    """The first 8 characters: enough to find it."""
    return commit[:8] if commit else None


def shortened(text: str | None, limit: int) -> str | None:
    """The first line that says something, cut with an ellipsis."""
    line = next((stripped for each in (text or "").splitlines() if (stripped := each.strip())), None)
    return line if line is None or len(line) <= limit else line[: limit - 1] + "…"


def both_ends(name: str) -> str:
    """A name as a headline shows it: of a long one the beginning and the end."""
    half = _WHERE_LIMIT // 2
    return name if len(name) <= _WHERE_LIMIT else f"{name[:half]}…{name[1 - half :]}"


def headline_reason(build: Build | None) -> str:
    """`: "Helm install failed" in stage Deploy`, as far as it is known."""
    if build is None:
        return ""
    reason = shortened(_why(build), _REASON_LIMIT)
    stage = shortened(build.failing_stage, _REASON_LIMIT)
    if reason and stage:
        return f': "{reason}" in stage {stage}'
    return f': "{reason}"' if reason else f": stage {stage}" if stage else ""


def _why(build: Build) -> str | None:
    """The reason of the failure; what is only a name (`src/cart.ts`) says nothing without its cause."""
    reason, bucket = build.reason, build.bucket
    if reason and bucket and " " not in reason.strip() and reason.casefold() not in bucket.casefold():
        return f"{bucket}: {reason}"
    return reason or bucket


def percent(part: int, whole: int) -> str:
    """`94`; with a decimal (`99.6`) where rounding would hide that not all, or not none, is meant."""
    value = 100 * part / whole if whole else 0.0
    rounded = f"{value:.0f}"
    return f"{value:.1f}" if (rounded in {"0", "100"} and part not in {0, whole}) else rounded
