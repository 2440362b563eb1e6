"""One session per thread: those of python-jenkins and requests are not safe to share."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar
from weakref import WeakSet


class Session(Protocol):
    """What is kept for a thread."""

    def close(self) -> object:
        """Close its connections."""
        ...


Kept = TypeVar("Kept", bound=Session)


class PerThread(Generic[Kept]):
    """The sessions of all threads to one server.

    Args:
        make: Makes the session of a thread that has none.
    """

    def __init__(self, make: Callable[[], Kept]) -> None:
        self._make = make
        self._local = threading.local()
        self._sessions: WeakSet[Kept] = WeakSet()
        self._lock = threading.Lock()

    def get(self) -> Kept:
        """The session of this thread."""
        session: Kept | None = getattr(self._local, "session", None)
        if session is None:
            session = self._make()
            with self._lock:
                self._local.session = session
                self._sessions.add(session)
        return session

    def close(self) -> None:
        """Close the sessions of all threads. A later call opens a new one."""
        with self._lock:
            sessions, self._sessions = list(self._sessions), WeakSet()
            self._local = threading.local()
        for session in sessions:
            session.close()
