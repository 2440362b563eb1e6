from pathlib import Path

import pytest

from alerts.verdict import verdict_of
from domain.alert import Delivery
from poller.rehearsing.rehearsal import copied
from simulator.house import Simulator
from store import alerts as stored_alerts
from store import builds, outbox
from store.engine import Database, open_database
from tests.support.builders import NOON, alert, build, notification
from tests.support.commands import Commands


def test_a_cycle_stores_and_delivers(buildwatch: Commands, house_config: Path, house: Simulator) -> None:
    first = buildwatch("poll")
    assert (first.status, "0 failed" in first.out) == (0, True), house_config
    house.world.jenkins.job("team/api").build("FAILURE")
    done = buildwatch("poll", "--json")
    assert done.status == 0
    assert (done.json["transitions"], done.json["delivered"], done.json["waiting"]) == (1, 2, 0)
    assert [mail.subject for mail in house.smtp.mails] == ['🔴 team/api failed: "Test Failed: test_totals_match"']
    assert buildwatch("poll", "--json").json["delivered"] == 0


@pytest.mark.usefixtures("house_config")
def test_a_rehearsal_shows_what_would_be_sent_and_keeps_nothing(buildwatch: Commands, house: Simulator) -> None:
    buildwatch("poll")
    house.world.jenkins.job("team/api").build("FAILURE")
    ran = buildwatch("poll", "--dry-run")
    assert ran.status == 0
    assert "── to ci-slack (first)" in ran.out
    assert "🔴 team/api failed" in ran.out
    assert "nothing was sent or stored" in ran.out
    assert house.smtp.mails == []
    assert house.slack.messages == []
    told = buildwatch("poll", "--dry-run", "--json").json  # nothing was stored: the same again
    assert sorted(each["channel"] for each in told["messages"]) == ["ci-slack", "mail"]
    assert told["messages"][0]["headline"].startswith("🔴 team/api failed")
    assert buildwatch("alerts", "--json").json == []


@pytest.mark.usefixtures("house_config")
def test_a_rehearsal_needs_no_store(buildwatch: Commands, tmp_path: Path) -> None:
    assert buildwatch("poll", "--dry-run").status == 0
    assert not (tmp_path / "buildwatch.db").exists()


def test_a_server_that_cannot_be_read_is_1(buildwatch: Commands) -> None:
    ran = buildwatch("poll")
    assert ran.status == 1
    assert "1 failed" in ran.out
    assert "poll failed" in ran.err


@pytest.mark.parametrize("kind", ["sqlite_database", "postgres_database"])
def test_the_copy_of_a_store_holds_everything(kind: str, request: pytest.FixtureRequest) -> None:
    original: Database = request.getfixturevalue(kind)
    url = original.engine.url.render_as_string(hide_password=False)
    original.transact(lambda session: builds.upsert(session, [build(1), build(2)], verdict_of, NOON))
    saved = original.transact(lambda session: stored_alerts.save(session, alert()))
    original.transact(lambda session: outbox.add(session, [notification(alert_id=saved.id)]))
    with copied(url) as copy:
        assert copy.dialect == "sqlite"
        assert len(copy.read(builds.recent)) == 2
        assert copy.read(stored_alerts.firing) == [saved]
        (message,) = copy.read(lambda session: outbox.listing(session, delivery=Delivery.PENDING))
        assert message.message.headline == "deploy / main failed"
        copy.transact(lambda session: outbox.drop(session, message.id or 0, NOON))
    assert len(original.read(lambda session: outbox.listing(session, delivery=Delivery.PENDING))) == 1


def test_of_an_absent_store_the_copy_is_empty(tmp_path: Path) -> None:
    with copied(f"sqlite:///{tmp_path / 'none.db'}") as copy:
        assert copy.read(stored_alerts.firing) == []
    assert not (tmp_path / "none.db").exists()
    open_database(f"sqlite:///{tmp_path / 'none.db'}").close()
