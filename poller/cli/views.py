"""What `status --json` and `explain --json` print, for the web."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from poller.config import Configuration
from poller.serving import Views
from store import builds
from store.engine import Database, Session

WINDOW = "24h"


def views() -> Views:
    """The shapes of the command line. The commands are imported when they are asked."""
    return Views(standing=_standing, explain=_explain)


def _standing(configuration: Configuration, database: Database, now: datetime) -> Mapping[str, Any]:
    from poller.cli.arguments import window
    from poller.cli.overview import overview
    from poller.cli.status import described

    counted = window(WINDOW, now, day_starts_at=configuration.day_starts_at, zone=configuration.timezone)
    return described(overview(configuration, database, counted, now), WINDOW)


def _explain(configuration: Configuration, database: Database, build: int, now: datetime) -> Mapping[str, Any] | None:
    from poller.cli.explain import described, explained

    def unit(session: Session) -> Mapping[str, Any] | None:
        view = builds.get(session, [build]).get(build)
        return described(view, explained(session, configuration, view, now)) if view is not None else None

    return database.read(unit)
