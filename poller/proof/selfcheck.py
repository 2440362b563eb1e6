"""The nightly proof: every failed build that arrived has a message, or a reason why it has none."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from poller.config import Configuration
from poller.proof.explaining import judge
from poller.proof.fates import Fate
from poller.proof.inquiry import Inquiry
from store import builds, notes, proof
from store.builds import BuildView
from store.engine import Session

log = logging.getLogger(__name__)

SELFCHECK = "selfcheck"  # the note
AT = time(4, 30)  # local: after the nightly builds, before people
OVERLAP = timedelta(hours=6)  # what was late the last time is looked at again
LISTED = 200  # ids that the note keeps
_AT_ONCE = 500

NOT_OURS = frozenset({Fate.NOT_WATCHED, Fate.OTHER_BRANCH})
"""What is stored and shown only: such failures are not counted."""


def check_due(session: Session, configuration: Configuration, now: datetime) -> frozenset[str]:
    """Look, once a day, whether every failure was told or has a reason. Costs one small read unless it is due.

    The note `selfcheck` keeps the result: {at, failed, told, reasons: {fate: count}, unexplained: [build ids]}, and
    where to go on. Returns the channels that have something new: none.
    """
    found = notes.get(session, SELFCHECK)
    note: Mapping[str, Any] = found.value if found is not None else {}
    if note.get("configuration") != configuration.loaded:
        note = {**note, "configuration": configuration.loaded, "configured_at": now.isoformat()}
        notes.put(session, SELFCHECK, {**_beginning(session, now), **note}, now)
    elif _due(datetime.fromisoformat(note["looked_at"]), configuration, now):
        check(session, configuration, now)
    return frozenset()


def check(session: Session, configuration: Configuration, now: datetime) -> Mapping[str, Any]:
    """Look now, whatever was looked at before; returns the note."""
    found = notes.get(session, SELFCHECK)
    note = {**_beginning(session, now), **(found.value if found is not None else {})}
    fates = list(_fates(session, configuration, note, now))
    unexplained = [identity for identity, fate in fates if fate is Fate.UNEXPLAINED]
    counts = Counter(fate for _, fate in fates)
    told = counts.pop(Fate.TOLD, 0)
    counts.pop(Fate.UNEXPLAINED, None)
    new = {
        **note,
        **_beginning(session, now),
        "at": now.isoformat(),
        "failed": len(fates),
        "told": told,
        "reasons": {str(fate): count for fate, count in sorted(counts.items())},
        "unexplained": unexplained[:LISTED],
    }
    notes.put(session, SELFCHECK, new, now)
    known = set(note.get("unexplained", ()))
    news = [identity for identity in unexplained if identity not in known]
    if news:
        listed = ",".join(map(str, news[:20]))
        log.error("failed builds without a message and without a reason, see `explain` builds=%s", listed)
    return new


def configured_at(note: Mapping[str, Any]) -> datetime | None:
    """Since when the configuration in use is in use, as far as the note knows."""
    return datetime.fromisoformat(note["configured_at"]) if "configured_at" in note else None


def _due(last: datetime, configuration: Configuration, now: datetime) -> bool:
    """Whether the hour of today has come since the last time."""
    local = now.astimezone(configuration.timezone)
    hour = local.replace(hour=AT.hour, minute=AT.minute, second=0, microsecond=0, fold=0)
    return now >= hour > last


def _beginning(session: Session, now: datetime) -> dict[str, Any]:
    """Where the next check goes on."""
    return {
        "looked_at": now.isoformat(),
        "newest": proof.newest_build(session),
        "unfinished": proof.unfinished(session),
    }


def _fates(
    session: Session, configuration: Configuration, note: Mapping[str, Any], now: datetime
) -> Iterator[tuple[int, Fate]]:
    """The fate of each failed build of a watched stream that arrived since the last check."""
    since = datetime.fromisoformat(note["looked_at"]) - OVERLAP
    ids = proof.failures_since(session, after_id=note["newest"], ids=note["unfinished"], since=since)
    inquiry = Inquiry(session=session, configuration=configuration, now=now, configured_at=configured_at(note))
    for view in _views(session, ids):
        fate, _ = judge(inquiry.facts(view))
        if fate not in NOT_OURS and view.build.id is not None:
            yield view.build.id, fate


def _views(session: Session, ids: Sequence[int]) -> Iterator[BuildView]:
    for start in range(0, len(ids), _AT_ONCE):
        yield from builds.get(session, ids[start : start + _AT_ONCE]).values()
