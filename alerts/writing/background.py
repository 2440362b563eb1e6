"""What is known beside an alert and its builds: how such builds usually go, and who changed what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from domain.details import Changes


def _nobody() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """Everything here may be unknown; what is unknown has no line in the message."""

    usual_duration: timedelta | None = None  # the median of the passed builds before
    bucket_class: str | None = None  # code, test, infra, env: what a rule says of the cause
    seen_in_7_days: int | None = None  # builds of any pipeline that failed with the same cause, this one included
    errors: tuple[tuple[str, int], ...] = ()  # what many tests fail with, and how many do, most of them first
    failing_before: frozenset[tuple[str, str]] | None = None  # (suite, name) of tests that failed in the build before
    changes: Changes | None = None  # what came in after the last good build, up to the first that failed
    mentions: Mapping[str, str] = field(default_factory=_nobody)  # ids in Slack, by login or name, casefolded
    log_url: str | None = None  # the page of what failed, with its log
    hints: tuple[str, ...] = ()  # what else is conspicuous, in words: "all on agent-7"


NOTHING_KNOWN = Background()
