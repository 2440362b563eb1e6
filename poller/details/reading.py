"""One build is read: what its provider tells, and the files that it left, become an explanation."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from domain.build import Build, Outcome
from domain.details import Changes, Commit, Details, Stage
from domain.testhistory import Gap
from domain.testreport import TestReport
from domain.text import EXCERPT_LIMIT, NAME_LIMIT, TITLE_LIMIT, clean, clean_url
from parsers.buckets import explain
from parsers.failing_tests import told_by_tests
from parsers.rules import BucketRule
from parsers.secrets import redacted
from poller.config.explained import DetailsSettings, Reports
from poller.details.files import Files, read_files
from poller.details.test_reports import harmless
from providers._base import ProviderError, TellsDetails, Unavailable, Wanted
from providers._labels import labels_of_details
from store.details import Findings

MOST_SECONDS = 120.0  # of one build; what has not been read by then is noted
MOST_NOTES = 20
MOST_STAGES = 100
MOST_COMMITS = 50
_NOTE_LIMIT = 500

Redact = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is wanted of one build."""

    build: Build
    failed: bool
    settings: DetailsSettings | None  # None: only what the reports ask for
    reports: Reports = field(default_factory=Reports)
    rules: Sequence[BucketRule] = ()
    since: Build | None = None  # changes since this one are wanted
    changed_until: Build | None = None  # ... up to this one, where it is not the build itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was read about a build, ready to be stored."""

    build: Build  # as it was when it was read
    findings: Findings
    outcome: Outcome | None = None  # when the details tell it better
    tests: TestReport | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    gaps: Sequence[Gap] | None = None  # of what `require` asks for; None: not looked for
    earlier: tuple[Build, Changes] | None = None  # the first failure in a row, and what had come in until then
    later: bool = False  # some of what could not be read may be read in a while


def read(
    provider: TellsDetails,
    asked: Asked,
    *,
    redact: Redact = str,
    deadline: Callable[[], bool] = lambda: False,
    turn: AbstractContextManager[object] | None = None,
) -> Explanation:
    """Read all that is wanted of a build. What cannot be read is noted, and so is what comes after the `deadline`.

    Logs are gone through in one's `turn`: that is work for the processor, which polls need too.

    Raises what `TellsDetails.details` raises: nothing at all could be read, and a later try may help.
    """
    hide = _hiding(redact)
    explains = asked.failed and asked.settings is not None
    wanted = _wanted(asked)
    details = provider.details(asked.build, wanted) if wanted is not None else Details()
    files = _files(provider, asked, deadline, needed=not explains)
    details, earlier = _more(provider, asked, details, files)
    with turn or nullcontext():
        report = files.report or details.tests
        told = _explained(asked, details, report) if explains else _Why()
    labels = {**labels_of_details(asked.reports.labels, details.labels), **files.labels}
    notes = dict.fromkeys((*details.notes, *files.notes, *told.notes))
    return Explanation(
        build=asked.build,
        findings=Findings(
            failing_stage=_line(details.failing_stage, hide, NAME_LIMIT),
            bucket=_line(told.bucket, hide, NAME_LIMIT),
            bucket_class=told.kind,
            reason=_line(told.reason, hide, TITLE_LIMIT),
            log_excerpt=clean(hide(told.excerpt), EXCERPT_LIMIT, lines=True) if told.excerpt else None,
            stages=tuple(_harmless_stage(each, hide) for each in details.stages[:MOST_STAGES]),
            changes=_harmless(details.changes, hide),
            labels={clean(name): clean(hide(value)) for name, value in labels.items()},
            notes=tuple(clean(hide(note), _NOTE_LIMIT) for note in list(notes)[:MOST_NOTES]),
        ),
        outcome=details.outcome,
        tests=harmless(report, redact) if report is not None else None,
        figures=files.figures,
        gaps=_gaps(asked, details, files),
        earlier=earlier,
        later=details.later or files.later,
    )


def _hiding(redact: Redact) -> Redact:
    """Without the secrets of the configuration, and without what has the form of one."""
    return lambda text: redact(redacted(text))


def _wanted(asked: Asked) -> Wanted | None:
    """Of the server's own report nothing where files say more; of what passed at most its labels, and its tests."""
    if not asked.failed or asked.settings is None:
        told = any(source.artifact is None for source in asked.reports.labels)
        tested = asked.settings is not None and asked.build.outcome is Outcome.UNSTABLE and not asked.reports.parsers
        return Wanted(log_bytes=0, tests=tested, stages=told) if told or tested else None
    since = asked.since if asked.changed_until is None else None
    return Wanted(log_bytes=asked.settings.log_bytes, tests=not asked.reports.parsers, since=since)


def _files(provider: TellsDetails, asked: Asked, deadline: Callable[[], bool], *, needed: bool) -> Files:
    """What the files say. When nothing else is wanted, and they cannot be had now, a later try may help."""
    if not asked.reports:
        return Files()
    limit = (asked.settings or DetailsSettings()).artifact_bytes
    try:
        return read_files(provider, asked.build, asked.reports, limit=limit, deadline=deadline)
    except ProviderError as error:
        if needed and isinstance(error, Unavailable):
            raise
        return Files(notes=[f"files not read: {error}"], whole=False, later=isinstance(error, Unavailable))


def _more(
    provider: TellsDetails, asked: Asked, details: Details, files: Files
) -> tuple[Details, tuple[Build, Changes] | None]:
    """The server's own test report where files gave none; and changes that should have been read with another build."""
    if asked.reports.parsers and files.report is None:
        own = _quietly(provider, asked.build, Wanted(stages=False, log_bytes=0, tests=True))
        labels, later = {**own.labels, **details.labels}, details.later or own.later
        details = replace(details, tests=own.tests, labels=labels, notes=(*details.notes, *own.notes), later=later)
    if asked.changed_until is None or asked.since is None:
        return details, None
    wanted = Wanted(stages=False, log_bytes=0, tests=False, since=asked.since)
    first = _quietly(provider, asked.changed_until, wanted)
    details = replace(details, later=details.later or first.later)
    return details, (asked.changed_until, first.changes) if first.changes is not None else None


def _quietly(provider: TellsDetails, build: Build, wanted: Wanted) -> Details:
    try:
        return provider.details(build, wanted)
    except ProviderError as error:
        return Details(notes=(f"not read: {error}",), later=isinstance(error, Unavailable))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Why:
    """Why a build failed, as far as its logs and its provider tell."""

    bucket: str | None = None
    kind: str | None = None
    reason: str | None = None
    excerpt: str | None = None
    notes: tuple[str, ...] = ()


def _explained(asked: Asked, details: Details, report: TestReport | None) -> _Why:
    pipeline = asked.build.pipeline
    provider, job, stage = pipeline.provider, pipeline.key, details.failing_stage
    found = explain(asked.rules, provider=provider, job=job, stage=stage, logs=details.logs, reason=details.reason)
    failing = report.failing if report is not None else ()
    if failing and (found.bucket is None or (found.bucket.rule is None and asked.build.outcome is Outcome.UNSTABLE)):
        found = told_by_tests(found, asked.rules, failing, provider=provider, job=job, stage=stage)
    bucket, excerpt = found.bucket, found.excerpt
    return _Why(
        bucket=bucket.reason if bucket is not None else None,
        kind=bucket.kind if bucket is not None and bucket.rule is not None else None,
        reason=(bucket.detail if bucket is not None else None)
        or details.reason
        or (excerpt.first_error if excerpt is not None else None),
        excerpt=excerpt.text if excerpt is not None else None,
        notes=found.notes,
    )


def _gaps(asked: Asked, details: Details, files: Files) -> Sequence[Gap] | None:
    """Of a build that did not get through its tests nothing can be asked."""
    if not asked.reports.require or not files.whole:
        return None
    tested = files.reports or details.tests is not None or asked.build.outcome is Outcome.UNSTABLE
    return files.gaps(asked.reports) if tested or not asked.failed else None


def _line(text: str | None, redact: Redact, limit: int) -> str | None:
    return clean(redact(text), limit) if text else None


def _harmless_stage(stage: Stage, redact: Redact) -> Stage:
    return Stage(
        name=clean(redact(stage.name)),
        outcome=stage.outcome,
        step=_line(stage.step, redact, NAME_LIMIT),
        duration=stage.duration,
        url=clean_url(stage.url),
    )


def _harmless(changes: Changes | None, redact: Redact) -> Changes | None:
    if changes is None:
        return None
    commits = tuple(
        Commit(
            id=clean(each.id),
            title=clean(redact(each.title), TITLE_LIMIT),
            author=_line(each.author, redact, NAME_LIMIT),
            login=_line(each.login, redact, NAME_LIMIT),
            is_bot=each.is_bot,
            url=clean_url(each.url),
        )
        for each in changes.commits[:MOST_COMMITS]
    )
    return Changes(commits=commits, total=max(changes.total, len(changes.commits)), url=clean_url(changes.url))
