"""One build is read: what its provider tells, and the files that it left, become an explanation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from alerts.excerpt import excerpt
from domain.build import Build, Outcome
from domain.details import Details, Log
from domain.testreport import TestReport
from domain.text import EXCERPT_LIMIT, NAME_LIMIT, TITLE_LIMIT, clean
from poller.config.explained import DetailsSettings, Reports
from providers._base import TellsDetails, Wanted
from store.details import Findings

MOST_SECONDS = 120.0  # of one build; what has not been read by then is noted
MOST_NOTES = 20
_NOTE_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is wanted of one build."""

    build: Build
    failed: bool
    settings: DetailsSettings | None  # None: only what the reports ask for
    reports: Reports = field(default_factory=Reports)
    since: Build | None = None  # changes since this one are wanted
    changed_until: Build | None = None  # ... up to this one, where it is not the build itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was read about a build, ready to be stored."""

    build: Build  # as it was when it was read
    findings: Findings
    outcome: Outcome | None = None  # when the details tell it better
    tests: TestReport | None = None
    measurements: Mapping[str, float] = field(default_factory=dict)


def read(
    provider: TellsDetails,
    asked: Asked,
    *,
    redact: Callable[[str], str] = str,
    deadline: Callable[[], bool] = lambda: False,
) -> Explanation:
    """Read all that is wanted of a build. What cannot be read is noted, and so is what comes after the `deadline`.

    Raises what `TellsDetails.details` raises: nothing at all could be read, and a later try may help.
    """
    details = provider.details(asked.build, _wanted(asked)) if asked.failed and asked.settings else Details()
    excerpt, bucket = _explained(details.logs)
    return Explanation(
        build=asked.build,
        findings=Findings(
            failing_stage=_line(details.failing_stage, redact, NAME_LIMIT),
            bucket=_line(bucket, redact, NAME_LIMIT),
            reason=_line(details.reason, redact, TITLE_LIMIT),
            log_excerpt=None if excerpt is None else clean(redact(excerpt), EXCERPT_LIMIT, lines=True),
            stages=details.stages,
            changes=details.changes,
            labels=details.labels,
            notes=tuple(clean(redact(note), _NOTE_LIMIT) for note in details.notes[:MOST_NOTES]),
        ),
        outcome=details.outcome,
        tests=details.tests,
    )


def _wanted(asked: Asked) -> Wanted:
    return Wanted(log_bytes=asked.settings.log_bytes if asked.settings else 0, since=asked.since)


def _explained(logs: tuple[Log, ...]) -> tuple[str | None, str | None]:
    """The lines that say what went wrong, and what that is."""
    for log in logs:
        found = excerpt(log.text)
        if found is not None:
            return found, None
    return None, None


def _line(text: str | None, redact: Callable[[str], str], limit: int) -> str | None:
    return clean(redact(text), limit) if text else None
