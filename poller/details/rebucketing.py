"""Edited bucket rules change what is said of the last 30 days; nobody is told of it."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.alert import AlertKind
from domain.details import Log
from domain.text import NAME_LIMIT, TITLE_LIMIT, clean
from parsers.buckets import Explanation, explain
from parsers.excerpts import shown_log
from parsers.rules import BucketRule
from poller.config import Configuration
from poller.running.clock import Clock
from store import alerts, buckets, notes
from store.buckets import Assigned, Explained
from store.engine import Database, Session
from store.errors import StoreError

log = logging.getLogger(__name__)

NOTE = "bucket_rules"  # by which rules the stored buckets were found
UNFINISHED = "unfinished"
BACK = timedelta(days=30)
PAGE = 100  # builds in one transaction


def rebucket(rules: Sequence[BucketRule], known: Explained, *, whole: bool) -> Assigned | None:
    """The bucket that a failed build has by these rules; None when it stays as it is.

    What is stored is an excerpt, and the built-in rules saw the whole log: what they said stays, unless a rule of
    the file says otherwise or they are others now (`whole`).
    """
    own = [rule for rule in rules if rule.sureness is None]
    found = explained(own, known, signatures=False)
    if found.bucket is None:
        builtin = {rule.name for rule in rules if rule.sureness is not None}
        if not whole and known.kind is not None and known.bucket in builtin:
            return None
        found = explained(rules, known, signatures=True)
    if found.bucket is None:
        return None
    told = found.bucket
    first = found.excerpt.first_error if found.excerpt else None
    assigned = Assigned(
        build_id=known.build_id,
        bucket=clean(told.reason, NAME_LIMIT),
        kind=told.kind,
        reason=clean(told.detail, TITLE_LIMIT) if told.detail else known.reason or first,
    )
    if (assigned.bucket, assigned.kind) == (known.bucket, known.kind) and (
        told.detail is None or assigned.reason == known.reason
    ):
        return None
    return assigned


def explained(rules: Sequence[BucketRule], known: Explained, *, signatures: bool) -> Explanation:
    """Why a build ended as it did, by these rules and by what is stored of it."""
    logs = [Log(name=None, text=shown_log(known.log_excerpt), whole=True)] if known.log_excerpt else []
    return explain(
        rules,
        provider=known.provider,
        job=known.job,
        stage=known.stage,
        logs=logs,
        reason=known.reason,
        signatures=signatures,
    )


class Rebucketing:
    """Goes through the failed builds of the last 30 days when the rules are not those by which they were named.

    What was reported together with its cause keeps that: only what we have read ourselves is named by our rules.
    A page at a time, so that nothing waits for it; a restart begins anew, and comes to the same end.
    """

    def __init__(self, database: Database, clock: Clock, configuration: Configuration) -> None:
        self._database = database
        self._clock = clock
        self._asked: tuple[BucketRule, ...] | None = configuration.bucket_rules  # taken up by the next step
        self._rules: tuple[BucketRule, ...] = ()
        self._noted: dict[str, str] = {}
        self._at: int | None = None  # the last build that was seen; None: all is done
        self._whole = False
        self._changed = 0

    def begin(self, configuration: Configuration) -> None:
        """A configuration is in use from now on. From any thread."""
        self._asked = configuration.bucket_rules

    def step(self) -> None:
        """Look at one page of builds, if any are to be looked at. Raises StoreError."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self._take_up(asked)
        if self._at is None:
            return
        now = self._clock.now()
        page, changed = self._database.transact(lambda session: self._page(session, now))
        self._changed += changed
        self._at = page
        if page is None and self._changed:
            log.info("bucket rules have changed, builds of the last 30 days renamed builds=%s", self._changed)

    def _take_up(self, rules: tuple[BucketRule, ...]) -> None:
        try:
            note = self._database.read(lambda session: notes.get(session, NOTE))
        except StoreError:
            self._asked = self._asked or rules
            raise
        noted = note.value if note is not None else {}
        self._rules, self._noted, self._changed = rules, _fingerprints(rules), 0
        self._whole = noted.get("builtin") != self._noted["builtin"]
        self._at = 0 if noted != self._noted else None

    def _page(self, session: Session, now: datetime) -> tuple[int | None, int]:
        page = buckets.explained(session, now - BACK, only_read=True, after=self._at or 0, limit=PAGE)
        found = [rebucket(self._rules, known, whole=self._whole) for known in page]
        changes = [one for one in found if one is not None]
        changed = buckets.assign(session, changes)
        _rename_in_alerts(session, changes)
        if len(page) == PAGE:
            # Until the end neither the old rules nor the new ones are those of all builds.
            changed_now = {"own": UNFINISHED} | ({"builtin": UNFINISHED} if self._whole else {})
            notes.put(session, NOTE, self._noted | changed_now, now)
            return page[-1].build_id, changed
        notes.put(session, NOTE, self._noted, now)
        return None, changed


def _rename_in_alerts(session: Session, changes: Sequence[Assigned]) -> None:
    """What an alert was told of looks as it is called now, so that the next failure like it is no news."""
    called = {one.build_id: one.bucket for one in changes if one.bucket is not None}
    for alert in alerts.firing_of(session, [AlertKind.FAILURE]) if called else ():
        bucket = called.get(alert.evidence.get("bucket_of", 0))
        if bucket is not None:
            known = dict.fromkeys([*alert.evidence.get("buckets", ()), bucket])
            evidence = {**alert.evidence, "bucket": bucket, "buckets": list(known)}
            alerts.save(session, replace(alert, evidence=evidence))


def _fingerprints(rules: Sequence[BucketRule]) -> dict[str, str]:
    own = [rule for rule in rules if rule.sureness is None]
    builtin = [rule for rule in rules if rule.sureness is not None]
    return {"own": _hash(own), "builtin": _hash(builtin)}


def _hash(rules: Sequence[BucketRule]) -> str:
    found = hashlib.sha256()
    for rule in rules:
        pattern = rule.regex.pattern if rule.regex is not None else None
        parts = (rule.name, rule.kind, rule.detail, rule.contains, pattern, rule.provider, rule.job, rule.stage)
        found.update(repr((*parts, tuple(map(str, rule.where)))).encode())
    return found.hexdigest()
