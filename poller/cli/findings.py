"""What `doctor` finds out about the host, the store and the daemon."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from domain.alert import Delivery
from domain.duration import format_duration
from metrics.windows import rolling
from poller.cli.overview import Overview, overview
from poller.cli.showing import ago
from poller.config import Configuration
from store import lock, maintenance, outbox, quarantine
from store.engine import Database, open_database, stored_revision
from store.errors import StoreAbsent, StoreError

LITTLE_ROOM, NO_ROOM = 1 << 30, 100 << 20  # bytes
CHECKED_WHOLE = 2 << 30  # bytes of a store whose every page is read; larger ones take minutes
WAITS_LONG = timedelta(minutes=15)
LISTED = 3


class State(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    NOTE = "note"  # may be as it should
    WARNING = "warning"  # will need somebody
    WRONG = "wrong"  # needs somebody now


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    check: str
    state: State
    text: str


def found(check: str, state: State, text: str) -> Finding:
    """A finding."""
    return Finding(check=check, state=state, text=text)


def of_configuration(configuration: Configuration) -> Iterator[Finding]:
    """The warnings of config.yaml."""
    for warning in configuration.warnings:
        yield found("config", State.WARNING, str(warning))
    if not configuration.warnings:
        yield found("config", State.OK, str(configuration.path))


Look = Callable[[Configuration, Database, datetime], Iterable[Finding]]


def of_store(configuration: Configuration, now: datetime, *more: Look) -> Iterator[Finding]:
    """Whether the store can be opened, is healthy and has room; what lies in it that needs somebody, and `more`."""
    try:
        database = open_database(configuration.store.url.get_secret_value(), create=False, deadline=5.0)
    except StoreAbsent as absent:
        yield found("store", State.NOTE, str(absent))
        return
    except StoreError as error:
        yield found("store", State.WRONG, str(error))
        return
    try:
        yield from _of_database(database)
        yield from _of_daemon(database, overview(configuration, database, rolling(now, timedelta(hours=1)), now))
        yield from _of_messages(database, now)
        yield from _of_quarantine(database, now)
        for look in more:
            yield from look(configuration, database, now)
    except StoreError as error:
        yield found("store", State.WRONG, str(error))
    finally:
        database.close()


def _of_database(database: Database) -> Iterator[Finding]:
    stats = maintenance.stats(database)
    size = f"{stats.bytes / (1 << 20):,.1f} MiB"
    revision = database.read(stored_revision)
    yield found("store", State.OK, f"{stats.url}: revision {revision}, {size}, {stats.builds:,} builds")
    if database.path is None:
        return
    if stats.bytes <= CHECKED_WHOLE:
        maintenance.check_integrity(database)  # raises StoreCorrupt
        yield found("integrity", State.OK, "every page can be read")
    else:
        yield found(
            "integrity", State.NOTE, f"not checked: {size} would take long; copy it with `buildwatch db backup`"
        )
    yield _of_disk(database.path)


def _of_disk(path: Path) -> Finding:
    free = shutil.disk_usage(path.parent).free
    text = f"{free / (1 << 30):,.1f} GiB free at {path.parent}"
    if not os.access(path.parent, os.W_OK):
        return found("disk", State.WRONG, f"{path.parent}: user {os.getuid()} cannot write there")
    return found("disk", State.WRONG if free < NO_ROOM else State.WARNING if free < LITTLE_ROOM else State.OK, text)


def _of_daemon(database: Database, seen: Overview) -> Iterator[Finding]:
    holder = lock.holder(database)
    if holder is None:
        yield found("daemon", State.NOTE, "none is running; right where cron runs `buildwatch poll`")
    else:
        yield found("daemon", State.OK, f"{holder}")
    if seen.config["error"]:
        text = f"{seen.config['path']} on disk is broken, the old configuration is in use: {seen.config['error']}"
        yield found("config in use", State.WRONG, text)
    elif holder is not None and not seen.config["in_use"]:
        yield found("config in use", State.WARNING, "the running daemon uses another configuration than this one")
    for provider in seen.providers:
        if provider.health.failing_since is not None:
            health = provider.health
            since = ago(health.failing_since, seen.now)
            text = f"polls fail since {since} ({health.failures} in a row): {health.trouble}: {health.text}"
            yield found(f"polls of {provider.name}", State.WRONG, text)
        elif provider.parts:
            told = "; ".join(
                f"{part.key} since {ago(part.failing_since, seen.now)}: {part.trouble}: {part.text}"
                for part in provider.parts[:LISTED]
            )
            text = f"some fail although others succeed ({len(provider.parts)}): {told}"
            yield found(f"polls of {provider.name}", State.WARNING, text)
    for name, channel in seen.channels.items():
        if channel["state"] in {"broken", "paused"} or channel.get("failing_since"):
            state = State.WRONG if channel["state"] == "broken" else State.WARNING
            word = "not accepted" if channel["state"] == "ok" else channel["state"]
            yield found(f"deliveries to {name}", state, f"{word}: {channel['error']}")


def _of_messages(database: Database, now: datetime) -> Iterator[Finding]:
    dead = database.read(lambda session: outbox.listing(session, delivery=Delivery.DEAD))
    pending = database.read(lambda session: outbox.listing(session, delivery=Delivery.PENDING))
    if dead:
        listed = "; ".join(f"{each.id} to {each.channel}: {each.last_error}" for each in dead[:LISTED])
        text = f"{len(dead)} given up, newest first: {listed} (`buildwatch outbox`)"
        yield found("messages", State.WRONG, text)
    late = [each for each in pending if now - each.created_at > WAITS_LONG]
    if late:
        oldest = format_duration(now - min(each.created_at for each in late))
        yield found("messages", State.WARNING, f"{len(late)} wait, the oldest for {oldest}")
    if not dead and not late:
        yield found("messages", State.OK, f"{len(pending)} waiting, none given up")


def _of_quarantine(database: Database, now: datetime) -> Iterator[Finding]:
    count, newest = database.read(
        lambda session: (quarantine.count(session), quarantine.listing(session, limit=LISTED))
    )
    if not count:
        yield found("unreadable builds", State.OK, "none")
        return
    listed = "; ".join(
        f"{each.pipeline} {each.external_id}: {each.problem} ({ago(each.last_seen_at, now)})" for each in newest
    )
    yield found("unreadable builds", State.WARNING, f"{count}, newest first: {listed}")
