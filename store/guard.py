"""A client-side deadline for PostgreSQL: a frozen server answers neither statement_timeout nor TCP keep-alive."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Guard:
    """Cuts the sockets of connections whose time is up, so that the threads waiting on them go on with an error.

    One thread for all connections, started with the first.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: dict[int, tuple[float, Any]] = {}
        self._wakes_at = 0.0
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def watch(self, connection: Any, until: float) -> Iterator[None]:
        """Cut this psycopg connection at `until` (monotonic), unless the block has ended by then."""
        with self._changed:
            self._watched[id(connection)] = (until, connection)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="store-guard", daemon=True)
                self._thread.start()
            elif until < self._wakes_at:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.pop(id(connection), None)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for key, (until, connection) in list(self._watched.items()):
                    if until <= now:
                        del self._watched[key]
                        _cut(connection)
                pending = [until for until, _ in self._watched.values()]
                self._wakes_at = min(pending, default=float("inf"))
                self._changed.wait(None if not pending else max(self._wakes_at - now, 0.0))


def _cut(connection: Any) -> None:
    # On a duplicate: the waiting thread's own descriptor stays open until that thread closes it.
    with contextlib.suppress(Exception), socket.socket(fileno=os.dup(connection.pgconn.socket)) as wire:
        wire.shutdown(socket.SHUT_RDWR)
