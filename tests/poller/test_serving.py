"""The functions of a site, made of the real things."""

from datetime import timedelta
from pathlib import Path

import pytest

from alerts.policies.handled import acknowledged
from poller.cli.views import views
from poller.running.clock import Clock
from poller.serving import Serving
from poller.watching.schedule import Schedule
from providers._base import Page, Target
from store import builds as stored_builds
from store.engine import Database
from tests.support.builders import build, minutes, pipeline
from tests.support.daemon import eventually
from tests.support.desk import Desk
from web.settings import Settings
from web.site import Silencing, Site


@pytest.fixture
def desk(database: Database, tmp_path: Path) -> Desk:
    found = Desk(database, tmp_path)
    found.builds("PPF")
    return found


@pytest.fixture
def site(desk: Desk) -> Site:
    """A site over what the desk has stored."""
    serving = Serving(
        database=desk.database,
        clock=Clock(now=lambda: desk.now),
        configuration=lambda: desk.configuration,
        views=views(),
        providers=dict,
    )
    settings = Settings(
        host="127.0.0.1", port=0, zone=desk.configuration.timezone, day_starts_at=desk.configuration.day_starts_at
    )
    return serving.site(lambda: settings)


def firing(desk: Desk) -> int:
    identity = desk.alerts()[-1].id
    assert identity is not None
    return identity


def test_people_acknowledge_and_take_it_back(desk: Desk, site: Site) -> None:
    alert = firing(desk)
    site.acknowledge(alert, "ada", "on it")
    assert acknowledged(desk.alert(alert))
    site.unacknowledge(alert)
    assert not acknowledged(desk.alert(alert))
    with pytest.raises(ValueError, match=f"alert {alert} is not acknowledged"):
        site.unacknowledge(alert)
    with pytest.raises(ValueError, match="there is no alert 999"):
        site.acknowledge(999, "ada", None)


def test_people_silence_an_alert_or_a_pipeline_and_end_it(desk: Desk, site: Site) -> None:
    number = site.silence(
        Silencing(reason="move", by="ada", pipeline="web/*", branch="main", lasting=timedelta(hours=4))
    )
    found = desk.silence(number)
    assert dict(found.match) == {"pipeline": "web/*", "branch": "main"}
    assert (found.reason, found.author, found.ends.at) == ("move", "ada", desk.now + timedelta(hours=4))
    site.unsilence(number, "bob")
    assert desk.silence(number).ended_because == "ended by bob"
    with pytest.raises(ValueError, match="is over already"):
        site.unsilence(number, "bob")
    other = site.silence(Silencing(reason="known", by="ada", alert=firing(desk), until_fixed=True))
    assert desk.silence(other).ends.fixed


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"until_fixed": True}, "is about a pipeline, or about an alert"),
        ({"until_fixed": True, "pipeline": "**", "alert": 1}, "is about a pipeline, or about an alert"),
        ({"pipeline": "**"}, "needs an end"),
        ({"until_fixed": True, "pipeline": "**", "reason": " "}, "needs a reason"),
        ({"lasting": timedelta(0), "pipeline": "**"}, "would be over already"),
        ({"lasting": timedelta.max, "pipeline": "**"}, "longer than the calendar"),
        ({"until_fixed": True, "alert": 999}, "there is no alert 999"),
    ],
)
def test_a_silence_that_cannot_be_meant_is_refused(site: Site, wanted: dict[str, object], words: str) -> None:
    given: dict[str, object] = {"reason": "move", "by": "ada", **wanted}
    with pytest.raises(ValueError, match=words):
        site.silence(Silencing(**given))  # type: ignore[arg-type]


def test_the_web_tells_what_the_command_line_prints(desk: Desk, site: Site) -> None:
    standing = site.standing()
    assert [(each["pipeline"], each["state"]) for each in standing["pipelines"]] == [("web/deploy", "failing")]
    assert {"daemon", "providers", "outbox", "channels"} <= standing.keys()
    view = desk.database.read(lambda session: stored_builds.recent(session, limit=1))[0]
    explained = site.explain(view.build.id or 0)
    assert explained is not None
    assert explained["build"]["number"] == 3
    assert [each["kind"] for each in explained["alerts"]] == ["failure"]
    assert site.explain(999_999) is None


def test_what_comes_in_is_judged_and_heard_of(desk: Desk, site: Site) -> None:
    desk.said()
    other = pipeline("web/other")
    first = build(8, pipeline=other, started_at=desk.now - timedelta(minutes=20))
    ids = site.ingest(Page(builds=[first], pipelines=[other]), "ci")
    assert len(ids) == 1
    assert site.ingest(Page(builds=[first], pipelines=[other]), "ci") == []
    desk.now = minutes(60)
    assert site.poll_now("ci", "jobs") is False


def test_a_target_is_polled_out_of_turn_once_for_many_that_ask() -> None:
    polled: list[str] = []
    schedule = Schedule(lambda target: polled.append(str(target)))
    schedule.use("ci", [Target(provider="ci", key="jobs", every=timedelta(hours=1))])
    schedule.start()
    try:
        eventually(lambda: len(polled) == 1)
        assert [schedule.hasten("ci", "jobs") for _ in range(5)] == [True] * 5
        assert not schedule.hasten("ci", "other")
        eventually(lambda: len(polled) == 2)
        assert schedule.hasten("ci", "Jobs")
        eventually(lambda: len(polled) == 3)
    finally:
        schedule.stop()
    assert polled == ["ci:jobs"] * 3
