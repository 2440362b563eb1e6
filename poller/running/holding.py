"""The lock on the store while the daemon runs: a restart of PostgreSQL takes it away, and we take it back."""

import logging
from collections.abc import Callable

from store.engine import Database
from store.errors import StoreError
from store.lock import LockHeld, StoreLock, hold

log = logging.getLogger(__name__)

OWNER = "buildwatch run"


class Holding:
    """Ours until `release`. `leave` is called when it has become somebody else's."""

    def __init__(self, database: Database, lock: StoreLock, leave: Callable[[], None]) -> None:
        self._database = database
        self._lock = lock
        self._leave = leave

    def still(self) -> bool:
        """Whether the lock is ours, now."""
        if self._lock.still_held():
            return True
        self._lock.release()
        try:
            self._lock = hold(self._database, owner=OWNER)
        except LockHeld as other:
            log.critical("the lock on the store was lost and is somebody else's now: leaving error=%s", other)
            self._leave()
            return False
        except StoreError as error:
            log.warning("store not available, will retry error=%s", error)
            return False
        log.warning("the lock on the store was lost and is ours again")
        return True

    def release(self) -> None:
        """Let another process have it."""
        self._lock.release()
