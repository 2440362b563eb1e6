from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts.verdict import verdict_of
from domain.build import Build, Outcome
from domain.measurement import BUILT_IN
from poller.cli.metric_screen import shown, sparkline
from store import builds as stored
from store import measurements
from store.database import Database
from tests.support.builders import build, pipeline
from tests.support.commands import Commands

MINUTES = "web/deploy"


@pytest.fixture
def ran(store: Database, now: datetime) -> Callable[..., list[int]]:
    """Stores builds, an hour apart, the last of which ended an hour ago; each takes so many seconds."""

    def store_them(seconds: list[float], outcome: Outcome = Outcome.SUCCESS, **more: Any) -> list[int]:
        some: list[Build] = []
        for number, took in enumerate(seconds, 1):
            end = now - timedelta(hours=len(seconds) - number + 1)
            its = {
                "started_at": end - timedelta(seconds=took),
                "finished_at": end,
                "external_id": f"{outcome}{number}{more}",
            }
            some.append(build(number, outcome, **(its | more)))
        changes = store.transact(lambda session: stored.upsert(session, some, verdict_of, now - timedelta(days=90)))
        return [change.id for change in changes]

    return store_them


def test_a_figure_has_history_percentiles_trend_baseline_and_outliers(
    buildwatch: Commands, ran: Callable[..., list[int]]
) -> None:
    ids = ran([100 + 2 * place + place % 3 for place in range(39)] + [2000], url="https://ci.example.com/web/40/")
    told = buildwatch("metric", "deploy", "duration_seconds", "--json").json
    assert (told["pipeline"], told["metric"], told["count"], told["branch"]) == (
        "web/deploy",
        "duration_seconds",
        40,
        None,
    )
    assert [each["build"] for each in told["history"]] == ids
    assert told["history"][0] == {
        "build": ids[0],
        "finished_at": told["history"][0]["finished_at"],
        "value": 100,
        "verdict": "passed",
        "branch": "main",
    }
    assert told["aggregated"]["min"] == 100
    assert told["aggregated"]["max"] == 2000
    assert set(told["aggregated"]) == {"count", "min", "max", "avg", "p50", "p95", "p99", "std"}
    assert told["trend"]["direction"] == "worsening"
    assert told["trend"]["slope_per_day"] == pytest.approx(48, rel=0.1)
    assert told["trend"]["p_value"] < 1e-6
    assert told["baseline"]["method"] in {"median", "iqr"}
    assert told["baseline"]["low"] < told["baseline"]["value"] < told["baseline"]["high"] < 2000
    [far] = told["outliers"]
    assert (far["build"], far["number"], far["url"]) == (ids[-1], 40, "https://ci.example.com/web/40/")
    assert far["score"] > 3.5
    text = buildwatch("metric", "web/deploy", "duration_seconds").out
    for words in (
        "deploy · duration_seconds · 30 days",
        "worsening: +4",
        "a day (p < 0.001, 40 builds)",
        "1 of 40 builds",
    ):
        assert words in text
    assert "https://ci.example.com/web/40/" in text


def test_figures_of_files_are_told_like_the_others(
    buildwatch: Commands, ran: Callable[..., list[int]], store: Database
) -> None:
    for place, identity in enumerate(ran([60] * 10)):
        store.transact(
            lambda session, identity=identity, place=place: measurements.record(
                session, identity, {"coverage": 80.0 + place / 10}
            )
        )
    told = buildwatch("metric", "deploy", "coverage", "--json").json
    assert [each["value"] for each in told["history"]][:2] == [80.0, 80.1]
    assert told["trend"]["direction"] == "improving"
    assert "improving: +2.4 a day" in buildwatch("metric", "deploy", "coverage").out


def test_without_a_name_all_figures_are_listed(
    buildwatch: Commands, ran: Callable[..., list[int]], store: Database, config: Path
) -> None:
    config.write_text(
        config.read_text().replace(
            "labels: {team: web}}", "measurements: [{artifact: perf.json, numbers: {answer: http.p95}}]}"
        )
    )
    (only,) = ran([60])
    store.transact(lambda session: measurements.record(session, only, {"size": 1}))
    assert buildwatch("metric", "deploy").out.split() == [*BUILT_IN, "answer", "size"]
    told = buildwatch("metric", "deploy", "--json").json
    assert told == {"provider": "ci", "pipeline": "web/deploy", "names": [*BUILT_IN, "answer", "size"]}
    told = buildwatch("metric", "deploy", "answer", "--json").json
    assert (told["count"], told["history"], told["aggregated"], told["trend"], told["baseline"]) == (
        0,
        [],
        None,
        None,
        None,
    )
    assert "no build that passed or failed has it" in buildwatch("metric", "deploy", "answer").out


def test_branch_and_days_say_which_builds(buildwatch: Commands, ran: Callable[..., list[int]]) -> None:
    ran([60] * 30)
    ran([600] * 10, branch="next")
    ran([6] * 5, Outcome.FAILURE)
    assert buildwatch("metric", "deploy", "duration_seconds", "--json").json["count"] == 45
    next_only = buildwatch("metric", "deploy", "duration_seconds", "--branch", "next", "--json").json
    assert (next_only["count"], next_only["baseline"]["value"], next_only["branch"]) == (10, 600, "next")
    day = buildwatch("metric", "deploy", "duration_seconds", "--days", "0.5", "--json").json
    assert day["count"] == 11 + 10 + 5
    whole = buildwatch("metric", "deploy", "duration_seconds", "--json").json
    assert (whole["trend"]["branch"], whole["trend"]["count"], whole["baseline"]["value"]) == ("main", 30, 60)
    assert whole["outliers"] == []


@pytest.mark.parametrize("method", ["median", "iqr", "intelligent"])
def test_the_baseline_may_be_found_in_several_ways(
    buildwatch: Commands, ran: Callable[..., list[int]], method: str
) -> None:
    ran([60, 61, 62, 63, 64, 65])
    told = buildwatch("metric", "deploy", "duration_seconds", "--method", method, "--json").json["baseline"]
    assert told["value"] == 62.5
    assert told["method"] == ("iqr" if method == "iqr" else "median")


def test_a_handful_of_builds_proves_nothing(buildwatch: Commands, ran: Callable[..., list[int]]) -> None:
    ran([0.5, 0.25])
    text = buildwatch("metric", "deploy", "duration_seconds").out
    assert "unknown: 2 builds are too few" in text
    assert "unknown: too few comparable builds" in text
    assert "outliers  none" in text
    assert "0.375 s" in text


def test_builds_that_always_fail_are_compared_with_each_other(
    buildwatch: Commands, ran: Callable[..., list[int]]
) -> None:
    ran([60] * 10, Outcome.FAILURE)
    told = buildwatch("metric", "deploy", "duration_seconds", "--json").json
    assert (told["baseline"]["value"], told["baseline"]["verdict"]) == (60, "failed")


def test_a_pipeline_is_found_by_what_people_call_it_or_said_to_be_ambiguous(
    buildwatch: Commands, ran: Callable[..., list[int]]
) -> None:
    for key, provider in (("web/deploy", "ci"), ("api/deploy", "ci"), ("api/test", "ci"), ("api/test", "gh")):
        ran([60], pipeline=pipeline(key, provider=provider, branched=key != "api/test"))
    for wanted in ("web/deploy", "WEB/Deploy", "web/*"):
        assert buildwatch("metric", wanted, "duration_seconds", "--json").json["pipeline"] == "web/deploy"
    cases = {
        "deploy": "may be api/deploy on ci, web/deploy on ci: say its full name",
        "api/test": "api/test on ci, api/test on gh: add --provider",
        "*": "say its full name",
        "web/deplyo": 'did you mean "web/deploy"?',
    }
    for wanted, said in cases.items():
        told = buildwatch("metric", wanted, "duration_seconds")
        assert told.status == 2
        assert said in told.err
    both = buildwatch("metric", "api/test", "duration_seconds", "--provider", "gh", "--json")
    assert both.json["provider"] == "gh"
    plain = buildwatch("metric", "api/test", "duration_seconds", "--provider", "gh", "--branch", "main")
    assert (plain.status, "is a plain job" in plain.err) == (2, True)


def test_what_nobody_knows_is_a_usage_error(buildwatch: Commands, ran: Callable[..., list[int]]) -> None:
    told = buildwatch("metric", "deploy", "duration_seconds")
    assert (told.status, "nothing was ever polled" in told.err) == (2, True)
    ran([60])
    told = buildwatch("metric", "deploy", "duration")
    assert (told.status, 'did you mean "duration_seconds"?' in told.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("duration_seconds", 90, "1m 30s"),
        ("duration_seconds", 1.25, "1.2s"),
        ("queue_seconds", 0.0123456, "0.01235 s"),
        ("coverage", 81.23456, "81.23"),
        ("size", 1234567, "1,235,000"),
        ("tests_total", 0, "0"),
    ],
)
def test_figures_are_written_for_people(name: str, value: float, text: str) -> None:
    assert shown(name, value) == text


def test_a_line_of_bars_is_short_and_goes_from_the_smallest_to_the_largest() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8]) in {"▁▂▃▄▅▆▇█", "_.-:=+*#"}
    assert len(sparkline(list(range(10_000)))) == 60
    assert len(set(sparkline([5.0] * 7))) == 1


def test_builds_that_end_at_once_have_no_trend(
    buildwatch: Commands, ran: Callable[..., list[int]], now: datetime
) -> None:
    ran([60] * 10, finished_at=now - timedelta(hours=1), started_at=now - timedelta(hours=2))
    assert "unknown: all builds ended at the same time" in buildwatch("metric", "deploy", "duration_seconds").out
