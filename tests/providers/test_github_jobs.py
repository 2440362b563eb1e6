"""Jobs and steps as GitHub's JSON has them, however odd."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from providers._github.jobs import duration_of, failing_step, has_begun, name_of, runner_of, unhappy, url_of, when


def job(name: str, conclusion: str | None, ended: str | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "conclusion": conclusion, "completed_at": ended, **more}


def test_failures_come_in_the_order_of_their_end_and_before_what_was_cancelled() -> None:
    jobs = [
        job("cut early", "cancelled", "2026-11-21T10:00:00Z", steps=[{}]),
        job("cut late", "cancelled", "2026-11-21T10:00:00Z", steps=[{}, {}]),
        job("second", "failure", "2026-11-21T10:00:02Z"),
        job("never", "TIMED_OUT"),
        job("first", "FAILURE", "2026-11-21T11:00:01+01:00"),
        job("fine", "success"),
        job("skipped", "skipped"),
        job("new word", "brand_new"),
        job("running", None),
        job("odd", 7),  # type: ignore[arg-type]
    ]
    assert [each["name"] for each in unhappy(jobs)] == ["first", "second", "never", "cut late", "cut early"]


def test_a_job_that_waited_for_a_cancelled_one_and_failed_is_not_the_cause() -> None:
    gate = job("gate", "failure", "2026-11-21T16:00:09Z", started_at="2026-11-21T16:00:05Z")
    long = job("long", "cancelled", "2026-11-21T16:00:01Z", steps=[{"started_at": "2026-11-21T10:00:00Z"}])
    idle = job("idle", "cancelled", "2026-11-21T16:00:01Z", steps=[])
    assert [each["name"] for each in unhappy([gate, long, idle])] == ["long", "gate", "idle"]
    assert [each["name"] for each in unhappy([long, idle])] == ["long", "idle"]


def test_the_first_step_that_failed_is_named_else_the_first_that_was_cut_off() -> None:
    cut, failed = {"name": "cut", "conclusion": "cancelled"}, {"name": "failed", "conclusion": "failure"}
    assert failing_step({"steps": [{"name": "ok", "conclusion": "success"}, cut, failed]}) == "failed"
    assert failing_step({"steps": [cut, {"name": "rest", "conclusion": "skipped"}]}) == "cut"
    assert failing_step({"steps": [{"conclusion": "failure"}]}) == "?"
    for odd in ({}, {"steps": None}, {"steps": "none"}, {"steps": ["x", 7]}, {"steps": []}):
        assert failing_step(odd) is None


def test_times_have_any_offset_and_fraction() -> None:
    spec = {"started_at": "2020-01-20T09:42:40.000-08:00", "completed_at": "2020-01-20T17:43:10Z"}
    assert when(spec, "started_at") == datetime(2020, 1, 20, 17, 42, 40, tzinfo=UTC)
    assert duration_of(spec) == timedelta(seconds=30)
    assert duration_of({"started_at": "2020-01-20T17:43:10Z", "completed_at": "2020-01-20T17:43:09Z"}) == timedelta(0)
    for odd in ({}, {"started_at": "soon", "completed_at": 7}, spec | {"completed_at": None}):
        assert duration_of(odd) is None
    assert when({"started_at": "0001-01-01T00:00:00Z"}, "started_at") is None


def test_a_job_without_steps_has_not_begun_unless_it_tells_none() -> None:
    assert not has_begun({"steps": []})
    assert not has_begun({"steps": [{"name": "x", "started_at": None}, 7]})
    assert has_begun({"steps": [{"name": "x", "started_at": "2020-01-20T17:42:40Z"}]})
    assert has_begun({})


@pytest.mark.parametrize(
    "odd", [{}, {"runner_name": None, "labels": None}, {"runner_name": 7}, {"runner_name": "", "runner_group_name": ""}]
)
def test_a_job_that_tells_no_machine_has_none(odd: dict[str, Any]) -> None:
    assert runner_of(odd) is None


def test_words_and_links_are_made_harmless() -> None:
    assert name_of({"name": "test\x1b[31m"}) == "test\\x1b[31m"
    assert name_of({}) == "?"
    assert url_of({"html_url": "javascript:alert(1)"}) is None
    assert url_of({"html_url": 7}) is None
