"""Branches that somebody has deleted while an alert on them was firing: no build will ever end it.

Where polls do not show that (GitHub), the provider is asked: for a stream that has been quiet for a day, once a day.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from alerts.kinds.reachability import Unreadable
from domain.alert import AlertKind
from poller.config import Configuration
from poller.intake.ingest import Ingested, ingest
from providers._base import Page, Provider, ProviderError, TellsGone
from store import alerts, notes, pace, pipelines
from store.engine import Database, Session
from store.pipelines import Known

log = logging.getLogger(__name__)

QUIET = timedelta(days=1)  # without a build, until a branch is asked about
AGAIN = timedelta(days=1)
AT_ONCE = 5
PATIENCE = 10.0  # seconds for all of them: who is late is asked again with the next look

Place = tuple[str, str, str]  # provider, pipeline key, stream

_NOTE = "branches asked about"


def close_gone(
    database: Database,
    providers: Mapping[str, Provider],
    configuration: Configuration,
    now: datetime,
    *,
    after_commit: Callable[[Ingested], None] = lambda _: None,
    patience: float = PATIENCE,
) -> frozenset[str]:
    """Ask about a few branches, and end the alerts on those that are gone. Returns channels that have something new."""
    asking = {name: provider for name, provider in providers.items() if isinstance(provider, TellsGone)}
    wanted = database.read(lambda session: _wanted(session, asking, now)) if asking else []
    if not wanted:
        return frozenset()
    gone = _asked(wanted, asking, patience)

    def unit(session: Session) -> list[Ingested]:
        note = notes.get(session, _NOTE)
        before = note.value if note is not None else {}
        asked = {text: at for text, at in before.items() if now - datetime.fromisoformat(at) < AGAIN}
        notes.put(session, _NOTE, asked | {_text(place): now.isoformat() for place in wanted}, now)
        return [
            ingest(
                session,
                Page(ended=[(key, stream) for name, key, stream in gone if name == provider]),
                provider=provider,
                target="",
                configuration=configuration,
                now=now,
            )
            for provider in dict.fromkeys(name for name, _, _ in gone)
        ]

    told: frozenset[str] = frozenset()
    for ingested in database.transact(unit):
        after_commit(ingested)
        told |= ingested.told
    return told


def _wanted(session: Session, asking: Mapping[str, TellsGone], now: datetime) -> list[Place]:
    """The streams to ask about now: something fires on them, they are quiet, and they were not asked about today."""
    firing = alerts.firing(session)
    unreadable = Unreadable.of(firing)
    note = notes.get(session, _NOTE)
    asked = note.value if note is not None else {}
    found: dict[Place, None] = {}
    candidates = [
        (alert.scope.provider, alert.scope.pipeline, alert.scope.branch)
        for alert in firing
        if alert.kind is not AlertKind.PROVIDER_UNREACHABLE
        and now - alert.started_at >= QUIET
        and alert.scope.provider in asking
    ]
    known = pipelines.find(session, {(provider, key) for provider, key, _ in candidates if key})
    for provider, key, stream in candidates:
        its = known.get((provider, key or ""))
        if its is None or not key or not stream or (provider, key, stream) in found:
            continue
        last = asked.get(_text((provider, key, stream)))
        if last is not None and abs(now - datetime.fromisoformat(last)) < AGAIN:
            continue
        if not unreadable.covers(provider, key) and _may_be_gone(session, its, stream, now):
            found[provider, key, stream] = None
    return list(found)[:AT_ONCE]


def _may_be_gone(session: Session, known: Known, stream: str, now: datetime) -> bool:
    pipeline = known.pipeline
    if known.missing_since is not None or not pipeline.branched or stream == pipeline.default_branch:
        return False
    newest = pace.newest_ended(session, known.id, stream, 1)
    return not newest or now - newest[-1].finished_at >= QUIET


def _text(place: Place) -> str:
    return " ".join(place)


def _asked(places: Sequence[Place], providers: Mapping[str, TellsGone], patience: float) -> list[Place]:
    """Those that are gone, as far as the providers say so in time."""
    gone: list[Place] = []
    enough = threading.Event()

    def ask() -> None:
        for provider, key, stream in places:
            if enough.is_set():
                return
            try:
                if providers[provider].is_gone(key, stream):
                    gone.append((provider, key, stream))
            except ProviderError as error:
                log.info(
                    "branch not looked up provider=%s pipeline=%s branch=%s error=%s", provider, key, stream, error
                )
            except Exception:
                log.exception("branch not looked up provider=%s pipeline=%s branch=%s", provider, key, stream)

    asker = threading.Thread(target=ask, name="branches", daemon=True)
    asker.start()
    asker.join(patience)
    enough.set()
    return list(gone)
