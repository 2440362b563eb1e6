"""What `store.keep` says, kept."""

import logging
from datetime import datetime

from poller.config import Configuration
from store import retention
from store.engine import Database

log = logging.getLogger(__name__)


def prune(database: Database, configuration: Configuration, now: datetime) -> None:
    """Forget what is older. Raises StoreError."""
    keep = configuration.store.keep
    # Age counts from the newest build: a clock that runs ahead must not make all of history look old.
    newest = database.read(retention.newest) or now
    pruned = retention.prune(database, retention.Keep(builds=keep.builds, logs=keep.logs), min(now, newest))
    if pruned.builds or pruned.logs:
        log.info("store pruned builds=%s logs=%s", pruned.builds, pruned.logs)
