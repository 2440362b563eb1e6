"""A web application over a real store: builds come in as they do from the pollers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from poller.cli.views import views
from poller.config import Configuration
from poller.running.clock import Clock
from poller.serving import Serving
from store.engine import Database
from tests.support.builders import NOON
from tests.support.configurations import loaded
from web.settings import Settings
from web.site import Site

CONFIG = """
timezone: Asia/Kolkata
day_starts_at: "10:00"
providers:
  ci: {kind: fake}
pipelines:
  - {provider: ci, job: "**", labels: {team: web}}
channels:
  desk: {kind: lamp}
routes:
  - {to: [desk]}
"""


@dataclass(slots=True)
class Premises:
    """What a site of tests stands on; `now` may be moved."""

    configuration: Configuration
    settings: Settings
    now: datetime = field(default=NOON)

    def clock(self) -> Clock:
        """The wall clock stands where `now` is."""
        return Clock(now=lambda: self.now)


def premises(tmp_path: Path, *, config: str = CONFIG, **settings: Any) -> Premises:
    """A configuration, and the settings of the web server changed by these."""
    configuration = loaded(tmp_path / "config.yaml", config)
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 8080,
        "zone": configuration.timezone,
        "day_starts_at": configuration.day_starts_at,
        "requests_per_second": None,
    }
    return Premises(configuration=configuration, settings=Settings(**(values | settings)))


def site_over(database: Database, given: Premises) -> Site:
    """The site of `buildwatch web` over this store; what `given` says is read at every request."""
    serving = Serving(
        database=database,
        clock=given.clock(),
        configuration=lambda: given.configuration,
        views=views(),
        providers=dict,
    )
    return serving.site(lambda: given.settings)


def site(database: Database, tmp_path: Path, **settings: Any) -> Site:
    """A site at NOON with the settings changed by these; builds of the provider `ci` are watched."""
    return site_over(database, premises(tmp_path, **settings))


MakeSite = Callable[..., Site]
