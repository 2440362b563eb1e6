"""What is known about a build after it was seen once more. Pure."""

from typing import TypeVar

from domain.build import Outcome
from store.rows import NO_DETAILS, BuildRow, Details, duration_of
from store.schema import AWAITED, FINISHED, FLAKY, FORK, OUTCOMES, PULL_REQUEST
from store.test_reports import NO_CASES

_FOUND_OUT = {OUTCOMES.index(Outcome.TIMEOUT), OUTCOMES.index(Outcome.ERROR)}
_AT_FIRST_SIGHT = {OUTCOMES.index(Outcome.CANCELLED), OUTCOMES.index(Outcome.FAILURE)}

Fact = TypeVar("Fact")


def is_rerun(old: BuildRow, new: BuildRow) -> bool:
    """Whether a finished build runs again under the same attempt number: what was known of it is void then."""
    if old.status != FINISHED:
        return False
    started_anew = None not in {old.started_at, new.started_at} and old.started_at != new.started_at
    return new.status != FINISHED or started_anew


def merge(old: BuildRow, new: BuildRow) -> BuildRow:
    """The row to store. A fact that the provider leaves out this time is kept; a re-run starts from nothing.

    A finished build keeps its finished_at as long as outcome and start are the same: GitHub's `updated_at`, the
    only end it gives, moves on with every later touch.
    """
    if is_rerun(old, new):
        return new
    if _is_coarser(old, new):
        new = new._replace(outcome=old.outcome, verdict=old.verdict)
    started_at = old.started_at if new.started_at is None else new.started_at
    frozen = old.status == new.status == FINISHED and old.outcome == new.outcome and old.finished_at is not None
    finished_at = old.finished_at if frozen or (new.status == FINISHED and new.finished_at is None) else new.finished_at
    # A branch that is left out says nothing; a null stream of a fork or pull request says something.
    unplaced = new.stream_id is None and new.branch_id is None and not new.flags & (FORK | PULL_REQUEST)
    return new._replace(
        queued_at=_known(new.queued_at, old.queued_at),
        started_at=started_at,
        finished_at=finished_at,
        duration=duration_of(new.status, started_at, finished_at),
        stream_id=old.stream_id if unplaced else new.stream_id,
        branch_id=old.branch_id if unplaced else new.branch_id,
        raw_id=_known(new.raw_id, old.raw_id) if new.outcome == old.outcome else new.raw_id,
        trigger_id=_known(new.trigger_id, old.trigger_id),
        actor_id=_known(new.actor_id, old.actor_id),
        url_id=_known(new.url_id, old.url_id),
        labels_id=_known(new.labels_id, old.labels_id),
        superseded=old.superseded,
        flags=new.flags | old.flags & (FLAKY | AWAITED),
        commit=_known(new.commit, old.commit),
        title=_known(new.title, old.title),
    )


def _is_coarser(old: BuildRow, new: BuildRow) -> bool:
    """Whether a provider just repeats its word (`cancelled`) for what it found out to be a timeout or an error."""
    return old.outcome in _FOUND_OUT and new.outcome in _AT_FIRST_SIGHT and old.raw_id == new.raw_id


def merge_details(old: Details, new: Details, *, rerun: bool) -> Details:
    """The details to store, by the same rule. A result that has totals of tests only adds nothing to a report."""
    if rerun or old == NO_DETAILS:
        return new
    merged = Details._make(map(_known, new, old))
    only_totals = new.tests is not None and new.tests.startswith(NO_CASES)
    return merged._replace(tests=old.tests) if only_totals and old.tests is not None else merged


def _known(new: Fact, old: Fact) -> Fact:
    return old if new is None else new
