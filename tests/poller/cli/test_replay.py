"""`buildwatch replay`: what a candidate would send, against what was sent."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from domain.build import Build, Outcome
from poller.config import load
from store.engine import Database
from tests.support.builders import NOON, build
from tests.support.commands import Commands
from tests.support.small_world import SmallWorld

MINUTE = timedelta(minutes=1)


@pytest.fixture
def lived(store: Database, config: Path, now: datetime) -> Callable[..., None]:
    """Builds that came in one after another, the last one an hour ago."""

    def live(*given: Build) -> None:
        late = now - NOON - timedelta(hours=2)
        moved = [
            build(each.number, each.outcome, started_at=each.started_at + late)
            for each in given
            if each.started_at is not None
        ]
        world = SmallWorld(store, load(config, environ={}), now - timedelta(hours=3))
        world.live(moved, now - timedelta(hours=1))

    return live


@pytest.fixture
def candidate(config: Path, tmp_path: Path) -> Path:
    """The same configuration, and more patience."""
    path = tmp_path / "candidate.yaml"
    path.write_text(config.read_text() + "alerts: {failure: {after: 2}}\n")
    path.chmod(0o600)
    return path


def test_the_same_rules_say_the_same(buildwatch: Commands, lived: Callable[..., None]) -> None:
    lived(build(1), build(2, Outcome.FAILURE), build(3))
    ran = buildwatch("replay", "--since", "1d")
    assert ran.status == 0, ran.err
    lines = ran.out.splitlines()
    assert [line[0] for line in lines[:2]] == ["=", "="]
    assert "team  🔴 deploy / main failed" in lines[0]
    assert "2 said then and now, 0 only then, 0 only now" in ran.out
    assert "Not in history" in ran.out
    assert "messages" in ran.out


def test_a_candidate_is_compared(buildwatch: Commands, lived: Callable[..., None], candidate: Path) -> None:
    lived(build(1), build(2, Outcome.FAILURE), build(3), *(build(n, Outcome.FAILURE) for n in (4, 5, 6)))
    buildwatch.config = candidate
    told = buildwatch("replay", "--since", "1d", "--json").json
    assert (told["same"], told["only_then"], told["only_now"]) == (1, 2, 0)
    assert [each["diff"] for each in told["messages"]] == ["only_then", "only_then", "same"]
    same = told["messages"][-1]
    assert (same["channel"], same["kind"], same["reason"], same["delivered"]) == ("team", "failure", "first", True)
    assert same["at"] > same["then_at"]
    assert told["then"]["messages"] == 3
    assert told["now"] == {
        "tellings": 1,
        "messages": 1,
        "per_day": 1.0,
        "kinds": {"failure": 1},
        "channels": {"team": 1},
    }
    assert "digest" in told["left_out"]
    ran = buildwatch("replay", "--since", "1d")
    assert ran.out.splitlines()[0].startswith("- ")
    assert "(10m later)" in ran.out


def test_a_candidate_beside_no_store_takes_the_usual_one(
    buildwatch: Commands, lived: Callable[..., None], candidate: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(build(1), build(2, Outcome.FAILURE))
    candidate.write_text(candidate.read_text().replace("buildwatch.db", "elsewhere.db"))
    usual = config
    buildwatch.config = candidate
    assert buildwatch("replay", "--json").json["then"]["messages"] == 0
    monkeypatch.setenv("BUILDWATCH_CONFIG", str(usual))
    assert buildwatch("replay", "--json").json["then"]["messages"] == 1


def test_without_history_there_is_nothing_to_say(buildwatch: Commands) -> None:
    ran = buildwatch("replay", "--since", "1d")
    assert (ran.status, "0 said then and now" in ran.out) == (0, True)


def test_only_the_pipelines_asked_for(buildwatch: Commands, lived: Callable[..., None]) -> None:
    lived(build(1), build(2, Outcome.FAILURE))
    assert buildwatch("replay", "--pipeline", "api/*", "--json").json["then"]["messages"] == 0
    assert buildwatch("replay", "--pipeline", "deploy", "--json").json["same"] == 1


def test_a_person_sees_how_far_it_is(
    buildwatch: Commands, lived: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(build(1), build(2, Outcome.FAILURE))
    monkeypatch.setattr("poller.cli.replay._is_watched", lambda: True)
    assert "100 %" in buildwatch("replay").err
