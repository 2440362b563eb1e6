"""A small store, and commands to look at it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from alerts.verdict import verdict_of
from domain.alert import Alert, Delivery, Reason
from domain.build import Build
from domain.waiting import Form
from simulator.house import Simulator
from store import alerts as stored_alerts
from store import builds as stored_builds
from store import outbox, outcomes, waiting
from store.engine import Database, open_database
from tests.support.builders import alert, notification
from tests.support.commands import Commands

CONFIG = """\
store: {{url: "sqlite:///{store}"}}
providers:
  ci: {{kind: jenkins, url: "http://127.0.0.1:9/"}}
pipelines:
  - {{provider: ci, job: web/deploy, labels: {{team: web}}}}
  - {{provider: ci, job: api/*}}
channels:
  team: {{kind: console}}
"""


@pytest.fixture
def now() -> datetime:
    """The time, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two entries on one Jenkins that nobody reaches, and a console."""
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(store=tmp_path / "buildwatch.db"))
    path.chmod(0o600)
    return path


@pytest.fixture
def buildwatch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, config: Path) -> Commands:
    """`buildwatch("status", "--json")`."""
    return Commands(capsys, monkeypatch, config)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    """The store of that configuration."""
    database = open_database(f"sqlite:///{tmp_path / 'buildwatch.db'}")
    yield database
    database.close()


@pytest.fixture
def stored(store: Database, now: datetime) -> Callable[..., None]:
    """Stores builds."""

    def put(*builds: Build) -> None:
        store.transact(lambda session: stored_builds.upsert(session, builds, verdict_of, now))

    return put


@pytest.fixture
def told(store: Database, now: datetime) -> Callable[..., Alert]:
    """Stores an alert of the channel `team`, with its message in a state of delivery."""

    def put(delivery: Delivery = Delivery.SENT, **changes: object) -> Alert:
        saved = store.transact(
            lambda s: stored_alerts.save(s, alert(**{"started_at": now - timedelta(hours=2), **changes}))
        )
        message = notification(
            alert_id=saved.id, reason=Reason.FIRST, created_at=now - timedelta(hours=1), next_attempt_at=now
        )
        store.transact(lambda session: outbox.add(session, [message]))
        if delivery is not Delivery.PENDING:
            number = store.transact(
                lambda session: waiting.take(session, waiting.waiting(session, "team", now)[:1], Form.SINGLE, now)
            )
            if delivery is Delivery.SENT:
                store.transact(lambda session: outcomes.mark_sent(session, number, {"ts": "1.2"}, now))
            if delivery is Delivery.DEAD:
                store.transact(lambda session: outcomes.mark_dead(session, number, "channel_not_found", now))
        return saved

    return put


@pytest.fixture
def house_config(house: Simulator, config: Path, tmp_path: Path) -> Path:
    """The configuration of the simulated servers, in the place of the other one."""
    jenkins, github = house.world.jenkins, house.world.github
    for _ in range(3):
        jenkins.job("team/api").build("SUCCESS")
        github.repo("acme/web").run("success")
    jenkins.multibranch("shop/checkout", ["main"]).branch("main").build("SUCCESS")
    jenkins.job("nightly/platforms").build("SUCCESS")
    github.repo("acme/infra").run("success")
    config.write_text(house.config_text(store_url=f"sqlite:///{tmp_path / 'buildwatch.db'}"))
    return config
