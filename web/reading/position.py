"""How far the change feed has been read, by everything that is remembered of one store."""

import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from store import changes
from store.changes import Delta
from store.engine import Session


class Position:
    """May be used from several threads.

    Transactions see the store as it was when they began. One that sees all of the feed may give what is remembered;
    one that sees less of it is answered by what others have remembered since, and gives nothing.
    """

    def __init__(self, forget: Callable[[Delta | None], None]) -> None:
        """`forget` is told, under the lock, what has changed; None: everything has to be looked at."""
        self.lock = threading.RLock()
        self._forget = forget
        self._seq = -1
        self._seen: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # by transaction

    def catch_up(self, session: Session) -> int:
        """Have forgotten what this transaction sees changed; returns how far it sees."""
        transaction = session.get_transaction()
        with self.lock:
            seen = None if transaction is None else self._seen.get(transaction)
        if seen is not None:
            return seen
        seq = changes.newest(session)
        while (known := self._seq) < seq:
            delta = changes.since(session, known) if known >= 0 else None
            with self.lock:
                if self._seq == known:
                    self._forget(delta)
                    self._seq = seq
        with self.lock:
            if transaction is not None:
                self._seen[transaction] = seq
        return seq

    def is_newest(self, seq: int) -> bool:
        """Whether a transaction that sees so far sees all of the feed that is known here. Ask under the lock."""
        return seq == self._seq
