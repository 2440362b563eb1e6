"""What is known beside an alert and its builds: how such builds usually go, and who changed what."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """Everything here may be unknown; what is unknown has no line in the message."""

    usual_duration: timedelta | None = None  # the median of the passed builds before
    seen_in_7_days: int | None = None  # builds of any pipeline that failed with the same cause, this one included
    failing_before: frozenset[tuple[str, str]] | None = None  # (suite, name) of tests that failed in the build before
    suspects: tuple[str, ...] = ()  # "0123abcd Raise the memory limit (ada)", newest first


NOTHING_KNOWN = Background()
