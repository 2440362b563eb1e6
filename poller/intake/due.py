"""Which builds are to be read: those that failed, and all of which something was asked for in config.yaml."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.build import Build, Outcome, Status, Verdict
from poller.config import Configuration
from store import details, streams
from store.builds import Change
from store.engine import Session
from store.pipelines import Key, Known

log = logging.getLogger(__name__)

MOST = 2000  # builds that wait to be read: of a flood only the newest are

_DECIDED = frozenset({Verdict.PASSED, Verdict.FAILED})


def make_due(
    session: Session,
    changes: Sequence[Change],
    known: Mapping[Key, Known],
    configuration: Configuration,
    now: datetime,
) -> bool:
    """Those of the changed builds that are to be read are due now; whether there are any.

    Of what had ended before first contact only what is still failing is read, and reports.
    """
    wanted: set[int] = set()
    old: list[Change] = []
    for change in changes:
        if change.verdict not in _DECIDED or not _is_final_now(change):
            continue
        entry = configuration.entry_of(change.seen.pipeline)
        if entry is None:
            continue
        if configuration.reports_of(entry):
            wanted.add(change.id)
        elif configuration.details is not None and _has_failed(change):
            if _is_old(change.seen, known):
                old.append(change)
            else:
                wanted.add(change.id)
    wanted |= _still_failing(session, old)
    if not details.add_due(session, wanted, now):
        return False
    dropped = details.trim(session, MOST)
    if dropped:
        log.warning("too many builds to be read at once, the oldest are left out builds=%s", dropped)
    return True


def _is_final_now(change: Change) -> bool:
    """Whether it has ended now, or ended otherwise than was known."""
    return change.before is not Status.FINISHED or change.before_verdict is not change.verdict


def _has_failed(change: Change) -> bool:
    """It, or its tests: what is unstable may count as passed, and its tests are looked at all the same."""
    return change.verdict is Verdict.FAILED or change.seen.outcome is Outcome.UNSTABLE


def _is_old(build: Build, known: Mapping[Key, Known]) -> bool:
    """Whether it had ended before first contact."""
    pipeline = known.get((build.pipeline.provider, build.pipeline.key))
    if pipeline is None or build.finished_at is None:
        return False
    return build.finished_at <= pipeline.watched_since


def _still_failing(session: Session, old: Sequence[Change]) -> set[int]:
    """Those of the failed builds after which nothing has come in their streams."""
    places = {
        (change.seen.pipeline.provider, change.seen.pipeline.key, change.seen.stream): change.id
        for change in old
        if change.seen.stream is not None
    }
    if not places:
        return set()
    failed = {change.id for change in old}
    newest = (past.tail() for past in streams.pasts(session, places, limit=1).values())
    return {tail[-1].build_id for tail in newest if tail} & failed
