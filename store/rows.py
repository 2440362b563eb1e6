"""Builds as rows, and back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from domain.build import NO_LABELS, NO_MEASUREMENTS, Build, Outcome, Pipeline, Verdict
from store import url
from store.columns import from_ms, to_json, to_ms
from store.schema import FINISHED, FORK, OUTCOMES, PULL_REQUEST, STATUSES, VERDICTS
from store.test_reports import kept, report_of

_STATUS_CODES = {status: code for code, status in enumerate(STATUSES)}
_OUTCOME_CODES: Mapping[Outcome | None, int | None] = {
    None: None,
    **{outcome: code for code, outcome in enumerate(OUTCOMES)},
}
_VERDICT_CODES: Mapping[Verdict | None, int | None] = {
    None: None,
    **{verdict: code for code, verdict in enumerate(VERDICTS)},
}
_SHA1_DIGITS = 40
_SHA1_BYTES = 20
_LONGEST_WORD = 2000  # PostgreSQL's indexes end at 2,700 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildView:
    """A stored build and what it means."""

    build: Build
    verdict: Verdict | None
    superseded: bool  # another attempt counts instead
    flaky: bool  # it passed after an earlier attempt failed


class BuildRow(NamedTuple):
    """A row of `builds` without its id, in the order of the columns."""

    number: int
    queued_at: int | None
    started_at: int | None
    finished_at: int | None
    duration: int | None
    pipeline_id: int
    generation: int
    attempt: int
    stream_id: int | None
    branch_id: int | None
    raw_id: int | None
    trigger_id: int | None
    actor_id: int | None
    url_id: int | None
    labels_id: int | None
    status: int
    outcome: int | None
    verdict: int | None
    superseded: int
    flags: int
    external_id: str
    commit: bytes | None
    title: str | None


class Words(NamedTuple):
    """The words of one build that are stored by number."""

    stream: str | None
    branch: str | None
    raw: str | None
    trigger: str | None
    actor: str | None
    url: str | None
    labels: str | None


class Details(NamedTuple):
    """A row of `build_details` without its id."""

    url: str | None = None
    labels: str | None = None
    failing_stage: str | None = None
    bucket: str | None = None
    reason: str | None = None
    log_excerpt: str | None = None
    tests: str | None = None
    measurements: str | None = None
    bucket_class: str | None = None  # from here on: what only the details of a build tell, see store/details.py
    stages: str | None = None
    changes: str | None = None
    notes: str | None = None
    found_labels: str | None = None
    read_at: int | None = None


Number = int | None
Numbers = tuple[Number, Number, Number, Number, Number, Number, Number]
"""The numbers of a build's words, in the order of Words and of the columns."""

NO_DETAILS = Details()


def words_of(build: Build, pattern: str | None) -> Words:
    """What has to be interned before the row can be made; `pattern` is that of the URL."""
    stream = build.stream
    labels = to_json(build.labels) if build.labels else None
    if labels is not None and len(labels.encode()) > _LONGEST_WORD:
        labels = None
    branch = build.branch
    return Words(
        stream, None if branch == stream else branch, build.raw_outcome, build.trigger, build.actor, pattern, labels
    )


def row_of(build: Build, verdict: Verdict | None, pipeline_id: int, numbers: Numbers) -> BuildRow:
    """The row of a build that has no other attempts; `numbers` are those of its words, in their order."""
    stream, branch, raw, trigger, actor, pattern, labels = numbers
    queued_at, started_at, finished_at = build.queued_at, build.started_at, build.finished_at
    queued_ms = None if queued_at is None else to_ms(queued_at)
    started_ms = None if started_at is None else to_ms(started_at)
    finished_ms = None if finished_at is None else to_ms(finished_at)
    status = _STATUS_CODES[build.status]
    commit = build.commit
    return BuildRow(
        build.number,
        queued_ms,
        started_ms,
        finished_ms,
        duration_of(status, started_ms, finished_ms),
        pipeline_id,
        build.generation,
        build.attempt,
        stream,
        branch,
        raw,
        trigger,
        actor,
        pattern,
        labels,
        status,
        _OUTCOME_CODES[build.outcome],
        _VERDICT_CODES[verdict],
        0,
        build.is_fork * FORK + build.is_pull_request * PULL_REQUEST,
        build.external_id,
        None if commit is None else commit_bytes(commit),
        build.title,
    )


def duration_of(status: int, started_at: int | None, finished_at: int | None) -> int | None:
    """Milliseconds from start to end, never negative; None while it runs or when either end is unknown."""
    if status != FINISHED or started_at is None or finished_at is None:
        return None
    return max(finished_at - started_at, 0)


def details_of(build: Build, words: Words) -> Details:
    """What goes into the side table; NO_DETAILS for most builds."""
    lost_url = build.url if words.url is None else None
    lost_labels = to_json(build.labels) if build.labels and words.labels is None else None
    plain = (build.failing_stage, build.bucket, build.reason, build.log_excerpt)
    if not (lost_url or lost_labels or build.tests or build.measurements or any(plain)):
        return NO_DETAILS
    tests = None if build.tests is None else kept(build.tests)
    measurements = to_json(build.measurements) if build.measurements else None
    return Details(lost_url, lost_labels, *plain, tests, measurements)


def commit_bytes(commit: str | None) -> bytes | None:
    """20 bytes for a full hexadecimal SHA-1; anything else as text after NULs, never 20 bytes long."""
    if commit is None:
        return None
    if len(commit) == _SHA1_DIGITS:
        try:
            digest = bytes.fromhex(commit)
        except ValueError:
            pass
        else:
            if digest.hex() == commit:
                return digest
    text = b"\0" + commit.encode()
    return text if len(text) != _SHA1_BYTES else b"\0" + text


def commit_text(stored: bytes | None) -> str | None:
    """The commit as it came."""
    if stored is None:
        return None
    stored = bytes(stored)
    return stored.hex() if len(stored) == _SHA1_BYTES else stored.lstrip(b"\0").decode()


def numbers_of(rows: Iterable[BuildRow]) -> set[int | None]:
    """All words that these rows name, by number."""
    return {
        number
        for row in rows
        for number in (
            row.stream_id,
            row.branch_id,
            row.raw_id,
            row.trigger_id,
            row.actor_id,
            row.url_id,
            row.labels_id,
        )
    }


def build_of(
    identity: int, row: BuildRow, pipeline: Pipeline, words: Mapping[int | None, str | None], details: Details
) -> Build:
    """The build as it was stored, times in whole milliseconds."""
    pattern = words[row.url_id]
    # A stream of "" is a plain job's; its builds name a branch of their own, or none.
    branch = words[row.branch_id] or words[row.stream_id] or None
    labels = words[row.labels_id] or details.labels
    known = orjson.loads(labels) if labels else NO_LABELS
    return Build(
        pipeline=pipeline,
        external_id=row.external_id,
        number=row.number,
        attempt=row.attempt,
        generation=row.generation,
        status=STATUSES[row.status],
        outcome=None if row.outcome is None else OUTCOMES[row.outcome],
        raw_outcome=words[row.raw_id],
        branch=branch,
        commit=commit_text(row.commit),
        title=row.title,
        trigger=words[row.trigger_id],
        actor=words[row.actor_id],
        is_fork=bool(row.flags & FORK),
        is_pull_request=bool(row.flags & PULL_REQUEST),
        queued_at=None if row.queued_at is None else from_ms(row.queued_at),
        started_at=None if row.started_at is None else from_ms(row.started_at),
        finished_at=None if row.finished_at is None else from_ms(row.finished_at),
        url=details.url if pattern is None else url.expand(pattern, row.external_id, row.number, row.attempt),
        failing_stage=details.failing_stage,
        bucket=details.bucket,
        reason=details.reason,
        log_excerpt=details.log_excerpt,
        labels={**known, **orjson.loads(details.found_labels)} if details.found_labels else known,
        tests=None if details.tests is None else report_of(details.tests),
        measurements=orjson.loads(details.measurements) if details.measurements else NO_MEASUREMENTS,
        id=identity,
    )
