"""Times and made-up values that the simulated servers share."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Now = Callable[[], datetime]
Span = timedelta | float
"""A duration; a plain number counts seconds."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def span(value: Span) -> timedelta:
    """Seconds or a timedelta → timedelta."""
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


def milliseconds(moment: datetime) -> int:
    """Jenkins' unit of time."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def whole_seconds(moment: datetime) -> str:
    """GitHub's way of writing a time: `2026-11-21T10:00:00Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def made_up_sha(*parts: object) -> str:
    """A commit id that is always the same for the same parts."""
    return hashlib.sha1("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
