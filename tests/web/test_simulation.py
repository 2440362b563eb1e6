"""A made-up past: always the same one, plausible, and never twice."""

from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from domain.build import Outcome
from store import pushed
from store.engine import Database
from tests.support.builders import NOON
from tests.support.pushes import CONFIG, Desk, desk
from web.intake.made_up import MADE_UP, history, report_of
from web.intake.pushing import Pushing


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Callable[..., Desk]:
    return lambda **how: desk(database, tmp_path, **how)


def test_a_past_is_plausible(make: Callable[..., Desk]) -> None:
    settings = make(log_url="https://logs.example.com/{id}").settings
    found = history(NOON, settings)
    starts = [each.started_at.astimezone(settings.zone) - timedelta(hours=10) for each in found if each.started_at]
    days = Counter(start.date() for start in starts if start.date() < NOON.date())
    assert len(days) == 6
    assert all(130 <= count <= 134 for count in days.values())
    assert all(each.finished_at is not None and each.finished_at <= NOON for each in found)
    clouds = Counter(each.labels["cloud"] for each in found if each.labels)
    assert set(clouds) == {"blr-cloud4", "blr-cloud5"}
    outcomes = Counter(each.outcome for each in found)
    assert 0.7 < outcomes[Outcome.SUCCESS] / len(found) < 0.95
    assert all((each.bucket is not None) is (each.outcome is Outcome.FAILURE) for each in found)
    assert len({(each.pipeline.partition("/")[0], each.external_id) for each in found if each.external_id}) == sum(
        each.external_id is not None for each in found
    )


def test_the_same_seed_is_the_same_past_also_tomorrow(make: Callable[..., Desk]) -> None:
    settings = make().settings
    today, tomorrow = history(NOON, settings, days=3), history(NOON + timedelta(days=1), settings, days=4)
    assert history(NOON, settings, days=3) == today
    assert [each for each in tomorrow if each.finished_at and each.finished_at <= NOON] == today
    assert history(NOON, settings, days=3, seed=2) != today


def test_made_up_tests_fail_where_the_cause_says_so(make: Callable[..., Desk]) -> None:
    for each in history(NOON, make().settings, days=3):
        report = report_of(each)
        ran = "module" in each.labels and (each.outcome is Outcome.SUCCESS or each.bucket == "Test Failures")
        assert (report is not None) is ran
        if report is not None:
            assert (report.failed > 0) is (each.bucket == "Test Failures")
            assert len(report.failing) == report.failed
            assert {f"suite {case.suite} failed" for case in report.failing} <= {each.reason}
            assert report == report_of(each)


def test_a_past_that_is_pushed_twice_is_stored_once(make: Callable[..., Desk]) -> None:
    at = make()
    past = history(NOON, at.settings, days=1, count=10)
    pushing = Pushing(at.site)
    assert all(each.changed for each in pushing.take(past))
    stored = at.builds()
    assert not any(each.changed for each in pushing.take(past))
    assert at.builds() == stored
    assert len(stored) == len(past)


def test_builds_are_made_up_only_when_config_yaml_says_so(make: Callable[..., Desk]) -> None:
    answer = make().post("/api/simulate", {"pipelines": ["web"]})
    assert answer.status_code == 403
    assert "simulate: true" in answer.json()["detail"]


def test_the_request_of_seed_002_makes_builds_up(make: Callable[..., Desk]) -> None:
    at = make(simulate=True)
    answer = at.post("/api/simulate?count=10&fail_rate=0.25", {"pipelines": ["web", "api"]})
    assert answer.status_code == 200
    found = answer.json()
    assert found["created"] == found["success"] + found["failure"] == len(set(found["ids"])) == 10
    assert Counter(build.pipeline.key for build in at.builds()) == {"web": 5, "api": 5}
    assert {build.trigger for build in at.builds()} == {MADE_UP}
    assert all(build.finished_at and build.finished_at.date() == date(2026, 11, 20) for build in at.builds())


def test_made_up_builds_are_told_from_real_ones(make: Callable[..., Desk]) -> None:
    at = make(simulate=True)

    def others() -> bool:
        return at.database.read(lambda session: pushed.has_others(session, MADE_UP))

    assert not others()
    at.post("/api/simulate?count=2", None)
    assert not others()
    at.post("/api/events/run", {"pipeline": "web", "status": "success"})
    assert others()


@pytest.mark.parametrize(("rate", "failed"), [(0, 0), (0.5, 2), (1, 4)])
def test_as_many_fail_as_wanted(rate: float, failed: int, make: Callable[..., Desk]) -> None:
    assert make(simulate=True).post(f"/api/simulate?count=4&fail_rate={rate}", None).json()["failure"] == failed


@pytest.mark.parametrize("query", ["count=0", "count=1001", "fail_rate=2", "fail_rate=nan", "count=many"])
def test_what_cannot_be_made_up_is_refused(query: str, make: Callable[..., Desk]) -> None:
    assert make(simulate=True).post(f"/api/simulate?{query}", None).status_code == 422


def test_pipelines_that_nobody_takes_are_not_made_up(make: Callable[..., Desk]) -> None:
    config = CONFIG.replace("pipelines:", "  mine: {kind: push}\npipelines:\n  - {provider: mine, key: known}")
    at = make(config=config, simulate=True)
    assert at.post("/api/simulate", {"pipelines": ["other"]}).status_code == 422
    assert at.post("/api/simulate", {"pipelines": []}).status_code == 422
    assert at.builds() == []
