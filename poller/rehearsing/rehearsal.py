"""What would be sent, without sending or storing anything: a copy of the store, and channels that only show."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from domain.alert import Notification
from poller.config import Configuration
from poller.watching.connections import Connections, connect
from store.engine import Database, Session, open_database
from store.errors import StoreAbsent
from store.maintenance import backup
from store.schema import metadata

ROWS_AT_ONCE = 2_000

Show = Callable[[str, Notification], None]
"""Told the name of the channel that would get a message, and the message."""


class Stage:
    """A channel that shows what another one would send."""

    min_interval = 0.0

    def __init__(self, name: str, show: Show, *, edits: bool = False) -> None:
        self.name = name
        self.edits = edits  # whether that one can bring up to date what it sent
        self._show = show

    def send(self, notification: Notification) -> Mapping[str, Any]:
        """Show it; the receipt is empty."""
        self._show(self.name, notification)
        return {}

    def probe(self) -> str:
        """Nothing is reached."""
        return "a rehearsal"

    def close(self) -> None:
        """Nothing is open."""


def staged(configuration: Configuration, show: Show) -> Connections:
    """The real providers, and a stage in place of every channel."""
    connections = connect(replace(configuration, channels={}))
    stages = {name: Stage(name, show, edits=settings.edits) for name, settings in configuration.channels.items()}
    return replace(connections, channels=stages)


@contextmanager
def copied(url: str) -> Iterator[Database]:
    """A copy of a store that is deleted afterwards; the original may be in use. Of one that is absent, an empty store.

    Raises StoreError and its kinds.
    """
    with tempfile.TemporaryDirectory(prefix="buildwatch-rehearsal-") as folder:
        path = Path(folder) / "copy.db"
        try:
            original = open_database(url, create=False)
        except StoreAbsent:
            original = None
        if original is not None:
            try:
                _copy(original, path)
            finally:
                original.close()
        copy = open_database(f"sqlite:///{path}")
        try:
            yield copy
        finally:
            copy.close()


def _copy(original: Database, path: Path) -> None:
    if original.path is not None:
        backup(original, path)
        return
    copy = open_database(f"sqlite:///{path}")
    try:
        original.read(lambda session: copy.transact(lambda target: _copy_tables(session, target)), deadline=600)
    finally:
        copy.close()


def _copy_tables(original: Session, copy: Session) -> None:
    for table in metadata.sorted_tables:
        if table.name == "alembic_version":
            continue
        for rows in original.execute(select(table)).mappings().partitions(ROWS_AT_ONCE):
            copy.execute(insert(table), [dict(row) for row in rows])
