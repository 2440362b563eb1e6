"""What a provider showed comes into the store, as when it was polled."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from domain.build import Build
from poller.config import Configuration
from poller.intake.ingest import Ingested, ingest
from poller.running.clock import Clock
from poller.running.failpoint import Failpoints
from poller.running.progress import Progress
from poller.watching.polling import Polling
from providers._base import Page
from store.engine import Database


def taken_in(
    database: Database,
    configuration: Configuration,
    *given: Build,
    now: datetime,
    provider: str = "ci",
    page: Mapping[str, Any] | None = None,
    **how: Any,
) -> Ingested:
    """A page of these builds comes in. `page`: what else is on it; `how`: what else `ingest` is to know."""
    values: dict[str, Any] = {"builds": given, "pipelines": [each.pipeline for each in given], **(page or {})}
    return database.transact(
        lambda session: ingest(
            session,
            Page(**values),
            provider=provider,
            target="jobs",
            configuration=configuration,
            now=now,
            **how,
        )
    )


def polling_of(database: Database, configuration: Configuration, clock: Clock, **changes: Any) -> Polling:
    """What polls into this store, and tells nobody of it."""
    values: dict[str, Any] = {
        "progress": Progress(clock.monotonic),
        "failpoint": Failpoints(),
        "after_commit": lambda _: None,
        **changes,
    }
    return Polling(database=database, clock=clock, configuration=configuration, **values)
