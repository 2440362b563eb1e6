"""What `status` shows: how every provider, pipeline and channel is, read from the store."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.kinds.reachability import Unreadable
from domain.alert import Alert, AlertKind
from domain.build import Status
from domain.window import Summary, Window
from poller.config import Configuration
from poller.record import CHANNELS, CONFIGURATION, DAEMON
from poller.watching.parts import Part, recall
from store import alerts, builds, lock, notes, outbox, pipelines, providers, quarantine, windows
from store.builds import BuildView
from store.engine import Database, Session
from store.notes import Note
from store.outbox import Counts
from store.pipelines import Key, Known
from store.providers import ProviderHealth

NOTHING = Summary(total=0, passed=0, failed=0, neutral=0, running=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything at one moment."""

    now: datetime
    window: Window | int
    pipelines: Sequence["PipelineView"]
    providers: Sequence["ProviderView"]
    channels: Mapping[str, Mapping[str, Any]]
    outbox: Mapping[str, Counts]
    daemon: Mapping[str, Any] | None  # since, pid and host of the latest start
    holder: str | None  # who works on the store now
    config: Mapping[str, Any]
    alerts: Sequence[Alert]  # that fire and belong to no pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderView:
    """How one provider is: ok, failing (a few polls), unreachable (that is told), unknown (never polled)."""

    name: str
    kind: str
    state: str
    health: ProviderHealth
    pipelines: int
    quarantined: int
    parts: Sequence[Part]  # that cannot be read, although the provider can


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineView:
    """How one pipeline is: ok, failing, unknown (no build yet, or its provider is unreachable), missing."""

    known: Known
    state: str
    summary: Summary
    last: BuildView | None
    running: int
    alerts: Sequence[Alert]


def overview(configuration: Configuration, database: Database, window: Window | int, now: datetime) -> Overview:
    """Read it, in one snapshot."""
    holder = lock.holder(database)
    return database.read(lambda session: _overview(session, configuration, holder, window, now))


def _overview(
    session: Session, configuration: Configuration, holder: str | None, window: Window | int, now: datetime
) -> Overview:
    firing = alerts.firing(session)
    unreadable = Unreadable.of(firing)
    watched = [known for known in pipelines.all(session) if configuration.entry_of(known.pipeline) is not None]
    written = notes.read(session)
    channels = _value(written, CHANNELS)
    return Overview(
        now=now,
        window=window,
        pipelines=_pipelines(session, watched, firing, unreadable, window),
        providers=_providers(session, configuration, watched, unreadable.providers),
        channels={name: channels.get(name, {"state": "unknown", "error": None}) for name in configuration.channels},
        outbox=outbox.counts(session),
        daemon=_value(written, DAEMON) or None,
        holder=holder,
        config=_config(configuration, _value(written, CONFIGURATION)),
        alerts=[alert for alert in firing if alert.scope.pipeline is None],
    )


def _value(written: Mapping[str, Note], key: str) -> Mapping[str, Any]:
    note = written.get(key)
    return note.value if note is not None and isinstance(note.value, dict) else {}


def _config(configuration: Configuration, note: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of the daemon; of this process while there was none."""
    return {
        "path": str(note.get("path") or configuration.path),
        "loaded_at": note.get("loaded_at"),
        "error": note.get("error"),
        "in_use": note.get("hash") in {None, configuration.loaded},
    }


def _providers(
    session: Session, configuration: Configuration, watched: Sequence[Known], unreachable: frozenset[str]
) -> list[ProviderView]:
    count = Counter(known.pipeline.provider for known in watched)
    stored = {health.name: health for health in providers.all(session)}
    views = []
    for name, settings in configuration.providers.items():
        if name in configuration.implied and not count[name]:
            continue
        health = stored.get(name, ProviderHealth(name=name))
        known = health.last_ok_at is not None or not settings.polled
        state = "failing" if health.failing_since else "ok" if known else "unknown"
        views.append(
            ProviderView(
                name=name,
                kind=settings.kind,
                state="unreachable" if name in unreachable else state,
                health=health,
                pipelines=count[name],
                quarantined=quarantine.count(session, name),
                parts=[part for part in recall(session, name) if part.failures],
            )
        )
    return views


def _pipelines(
    session: Session,
    watched: Sequence[Known],
    firing: Sequence[Alert],
    unreadable: Unreadable,
    window: Window | int,
) -> list[PipelineView]:
    summaries = windows.by_pipeline(session, window)
    newest: dict[Key, list[BuildView]] = {}
    for view in builds.newest(session):
        newest.setdefault(_key(view), []).append(view)
    its_alerts: dict[Key, list[Alert]] = {}
    for alert in firing:
        its_alerts.setdefault((alert.scope.provider, alert.scope.pipeline or ""), []).append(alert)
    found = []
    for known in watched:
        key = known.pipeline.provider, known.pipeline.key
        finished = [view for view in newest.get(key, []) if view.build.status is Status.FINISHED]
        fires = its_alerts.get(key, [])
        found.append(
            PipelineView(
                known=known,
                state=_state(known, finished, fires, reachable=not unreadable.covers(*key)),
                summary=summaries.get(key, NOTHING),
                last=finished[0] if finished else None,
                running=len(newest.get(key, [])) - len(finished),
                alerts=fires,
            )
        )
    return found


def _key(view: BuildView) -> Key:
    return view.build.pipeline.provider, view.build.pipeline.key


def _state(known: Known, finished: Sequence[BuildView], fires: Sequence[Alert], *, reachable: bool) -> str:
    if known.missing_since is not None:
        return "missing"
    if not reachable or not finished:
        return "unknown"  # never ok: nobody has looked
    return "failing" if any(alert.kind is AlertKind.FAILURE for alert in fires) else "ok"
