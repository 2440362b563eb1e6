from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from domain.build import Outcome
from domain.testreport import TestReport
from tests.support.builders import build, pipeline
from tests.support.commands import Commands

KEYS = [
    "id",
    "provider",
    "pipeline",
    "external_id",
    "number",
    "attempt",
    "status",
    "outcome",
    "raw_outcome",
    "verdict",
    "branch",
    "commit",
    "trigger",
    "actor",
    "is_fork",
    "queued_at",
    "started_at",
    "finished_at",
    "duration_seconds",
    "queue_seconds",
    "url",
    "failing_stage",
    "bucket",
    "reason",
    "labels",
    "tests",
]

WEB = pipeline(labels={"team": "web", "release": "1"})


@pytest.fixture
def some(stored: Callable[..., None], now: datetime) -> None:
    start = now - timedelta(hours=1)
    stored(
        build(
            1,
            Outcome.FAILURE,
            pipeline=WEB,
            labels={"release": "2"},
            queued_at=start - timedelta(seconds=30),
            started_at=start,
            reason="Helm install failed",
            failing_stage="Deploy",
            tests=TestReport(passed=3, failed=1, skipped=2),
        ),
        build(
            2, pipeline=pipeline("api/core"), started_at=start + timedelta(minutes=1), branch="release/1", is_fork=True
        ),
        build(3, None, pipeline=pipeline("api/core"), started_at=now),
        build(4, pipeline=WEB, started_at=now - timedelta(days=30)),
    )


@pytest.mark.usefixtures("some")
def test_json_has_every_key_of_the_contract(buildwatch: Commands, now: datetime) -> None:
    found = buildwatch("builds", "--json").json
    assert [each["number"] for each in found] == [3, 2, 1]  # running first, then the newest; the old one is too old
    running, _, failed = found
    assert set(KEYS) <= set(failed)
    assert failed["outcome"] == "failure"
    assert failed["verdict"] == "failed"
    assert failed["duration_seconds"] == 300
    assert failed["queue_seconds"] == 30
    assert failed["labels"] == {"team": "web", "release": "2"}
    assert failed["tests"] == {"total": 6, "passed": 3, "failed": 1, "skipped": 2}
    assert datetime.fromisoformat(failed["started_at"]) == now - timedelta(hours=1)
    assert failed["started_at"].endswith(".000Z")
    assert (running["status"], running["outcome"], running["verdict"], running["finished_at"]) == (
        "running",
        None,
        None,
        None,
    )


@pytest.mark.usefixtures("some")
def test_builds_are_chosen_by_pipeline_time_and_number(buildwatch: Commands) -> None:
    assert [each["number"] for each in buildwatch("builds", "--json", "--pipeline", "api/*").json] == [3, 2]
    assert [each["number"] for each in buildwatch("builds", "--json", "--pipeline", "deploy").json] == [1]
    assert len(buildwatch("builds", "--json", "--since", "60d").json) == 4
    assert len(buildwatch("builds", "--json", "--since", "2000-01-01").json) == 4
    assert len(buildwatch("builds", "--json", "--since", "60d", "--limit", "2").json) == 2


@pytest.mark.usefixtures("some")
def test_people_see_a_table_without_colours_in_a_pipe(buildwatch: Commands) -> None:
    ran = buildwatch("builds")
    lines = ran.out.splitlines()
    assert lines[0].split()[:3] == ["ID", "PIPELINE", "BUILD"]
    assert "Helm install failed · in Deploy" in lines[3]
    assert "release/1 (fork)" in lines[2]
    assert "\x1b" not in ran.out


def test_foreign_text_moves_no_cursor(buildwatch: Commands, stored: Callable[..., None], now: datetime) -> None:
    stored(build(1, Outcome.FAILURE, started_at=now - timedelta(minutes=9), reason="\x1b]0;owned\x07[red]x[/red]"))
    out = buildwatch("builds").out
    assert "\x1b" not in out
    assert "[red]x[/red]" in out


def test_nothing_to_show_is_said(buildwatch: Commands) -> None:
    ran = buildwatch("builds", "--pipeline", "nope")
    assert ran.status == 0
    assert "no builds since" in ran.out
    assert "nope" in ran.out
    assert "no store yet" in ran.err
    assert buildwatch("builds", "--json").json == []


@pytest.mark.parametrize("since", ["yesterday", "", "0s", "7", "2026-13-01", "9" * 400 + "d"])
def test_a_time_that_cannot_be_read_is_a_usage_error(buildwatch: Commands, since: str) -> None:
    ran = buildwatch("builds", "--since", since)
    assert ran.status == 2
    assert "--since" in ran.err


def test_before_everything_is_the_beginning(buildwatch: Commands, stored: Callable[..., None], now: datetime) -> None:
    stored(build(1, started_at=now - timedelta(days=9000)))
    assert len(buildwatch("builds", "--json", "--since", "99999d").json) == 1
