"""A site to which builds are pushed, with the providers of the product beside the one for pushed builds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from pydantic import SecretStr

from alerts.channels._base import ChannelPlugin
from domain.build import Build
from poller.config import Configuration, load
from poller.config.plugins import Kinds, Plugins, find_plugins
from poller.running.clock import Clock
from poller.serving import Serving
from store import builds, outbox
from store.engine import Database
from tests.support.builders import NOON
from tests.support.configurations import FakeChannel, never
from web.app import make_app
from web.settings import Settings
from web.site import Site

ADDRESS = "http://127.0.0.1:8080"
SECRET = "It's a Secret to Everybody"
CONFIG = """
timezone: Asia/Kolkata
day_starts_at: "10:00"
providers:
  gh: {kind: github, token: ghp_x}
  nsp: {kind: jenkins, url: "https://ci.example.com/ci"}
pipelines:
  - {provider: gh, repo: acme/web}
  - {provider: nsp, job: "team/**"}
channels:
  desk: {kind: lamp}
web: {listen: "127.0.0.1:8080"}
"""


@dataclass(slots=True)
class Desk:
    """Everything that a test of pushed builds looks at. `now` may be moved."""

    database: Database
    configuration: Configuration
    settings: Settings
    now: datetime = NOON
    polls: bool = False  # whether the servers are polled in this process
    polled: list[tuple[str, str]] = field(default_factory=list)  # what was asked for now
    site: Site = field(init=False)
    client: TestClient = field(init=False)

    def __post_init__(self) -> None:
        clock = Clock(now=lambda: self.now)
        serving = Serving(
            database=self.database, clock=clock, configuration=lambda: self.configuration, poll_now=self._poll_now
        )
        self.site = serving.site(lambda: self.settings)
        self.client = TestClient(make_app(self.site), base_url=ADDRESS, follow_redirects=False)

    def _poll_now(self, provider: str, key: str) -> bool:
        self.polled.append((provider, key))
        return self.polls

    def builds(self) -> list[Build]:
        """All that is stored, by id."""
        found = self.database.read(lambda session: builds.recent(session, limit=10_000))
        return sorted((view.build for view in found), key=lambda build: build.id or 0)

    def said(self) -> list[str]:
        """The headlines in the outbox, oldest first."""
        waiting = self.database.read(lambda session: outbox.listing(session, limit=1000))
        return [each.message.headline for each in reversed(waiting)]

    def post(self, path: str, body: Any, **headers: str) -> Any:
        """The answer, checked to be none of the server's own faults."""
        answer = self.client.post(path, json=body, headers=headers)
        assert answer.status_code < 500, answer.text
        return answer


def with_lamp() -> Plugins:
    """The product's providers, and a channel that is never made."""
    lamp: Mapping[str, ChannelPlugin] = {"lamp": ChannelPlugin(settings=FakeChannel, channel=never)}
    return Plugins(providers=find_plugins().providers, channels=Kinds("tests.no_such_package", ChannelPlugin, (), lamp))


MakeDesk = Callable[..., Desk]


def desk(database: Database, folder: Path, *, config: str = CONFIG, **settings: Any) -> Desk:
    """A site over a store at NOON, with the settings of the web server changed by these."""
    path = folder / "config.yaml"
    path.write_text(config, encoding="utf-8")
    path.chmod(0o600)
    configuration = load(path, environ={}, plugins=with_lamp())
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 8080,
        "zone": configuration.timezone,
        "day_starts_at": configuration.day_starts_at,
        "github_secret": SecretStr(SECRET),
        "requests_per_second": None,
    }
    return Desk(database=database, configuration=configuration, settings=Settings(**(values | settings)))
