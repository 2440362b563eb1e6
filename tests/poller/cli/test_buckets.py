"""`buckets`: what rules hit, what they should not hit, and how much nobody explains."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from domain.build import Outcome
from tests.support.builders import build
from tests.support.commands import Commands

RULES = "rules: [{name: Licence Server Down, class: infra, regex: 'lmgrd: (?P<why>.*)', detail: '{why}', job: web/*}]"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture
def some(stored: Callable[..., None], now: datetime) -> None:
    at = {"started_at": now - timedelta(hours=2), "finished_at": now - timedelta(hours=1)}
    stored(
        build(1, Outcome.FAILURE, log_excerpt="… 3 more lines above\nlmgrd: gone\nerror: exit code 2", **at),
        build(2, Outcome.FAILURE, log_excerpt="step\ncurl: (6) Could not resolve host: example.com", **at),
        build(3, Outcome.FAILURE, log_excerpt="step 7\nError: the moon is in the wrong place", **at),
        build(4, Outcome.FAILURE, log_excerpt="step 7\nnothing", **at),
        build(5, Outcome.FAILURE, **at),
        build(
            6,
            Outcome.FAILURE,
            log_excerpt="lmgrd: gone",
            started_at=now - timedelta(days=41),
            finished_at=now - timedelta(days=40),
        ),
        build(7, Outcome.SUCCESS, reason="all is well", **at),
    )


def test_the_rules_are_listed_in_their_order(buildwatch: Commands, own: Path) -> None:
    listed = buildwatch("buckets", "list", "--file", str(own), "--json").json["rules"]
    assert (listed[0]["name"], listed[0]["builtin"], listed[0]["job"]) == ("Licence Server Down", False, "web/*")
    assert all(rule["builtin"] for rule in listed[1:])
    shown = buildwatch("buckets", "list").out
    assert "Out of Memory" in shown
    assert "built in" in shown


@pytest.mark.usefixtures("some")
def test_it_says_what_each_rule_hits_and_what_nobody_explains(buildwatch: Commands, own: Path) -> None:
    ran = buildwatch("buckets", "test", "--file", str(own), "--json")
    assert ran.status == 0
    assert (ran.json["failed"], ran.json["passed"]) == (4, 1)
    assert ran.json["coverage"] == {"by_rule": 0.5, "by_signature": 0.25, "not_at_all": 0.25}
    red = {rule["name"]: rule["red"] for rule in ran.json["rules"] if rule["red"]}
    assert red == {"Licence Server Down": 1, "Network or DNS Failure": 1}
    assert ran.json["signatures"] == {"Error: the moon is in the wrong place": 1}
    shown = buildwatch("buckets", "--file", str(own)).out
    assert "4 failed: 50.0 % by a rule, 25.0 % by a signature, 25.0 % not at all; 1 passed" in shown
    assert "no rule, 1x: Error: the moon" in shown
    assert buildwatch("buckets", "--since", "90d", "--json").json["failed"] == 5


@pytest.mark.usefixtures("some")
def test_a_hit_on_what_passed_is_a_warning_and_exit_one(buildwatch: Commands, tmp_path: Path) -> None:
    careless = tmp_path / "careless.yaml"
    careless.write_text("rules: [{name: Well, class: env, contains: WELL}]")
    ran = buildwatch("buckets", "test", "--file", str(careless))
    assert ran.status == 1
    assert 'warning: "Well" hits what passed: web/deploy #7' in ran.err


@pytest.mark.usefixtures("store")
def test_logs_can_be_named(buildwatch: Commands, own: Path, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.log", tmp_path / "good.log"
    bad.write_text("lmgrd: gone\n")
    good.write_bytes(b"x" * (1 << 20) + b"\nall tests passed, 0 errors\xff\n")
    ran = buildwatch("buckets", "test", "--file", str(own), "--red", str(bad), "--green", str(good))
    assert (ran.status, ran.err) == (0, "")
    assert "1 failed: 100.0 % by a rule" in ran.out
    ran = buildwatch("buckets", "test", "--file", str(own), "--green", str(bad), *["--green", str(bad)] * 3)
    assert ran.status == 1
    assert f"{bad}, {bad}, {bad} and 1 more" in ran.err
    missing = buildwatch("buckets", "test", "--red", str(tmp_path / "missing.log"))
    assert (missing.status, "No such file" in missing.err) == (2, True)


def test_a_rule_that_takes_too_long_is_told(buildwatch: Commands, tmp_path: Path) -> None:
    slow, log = tmp_path / "slow.yaml", tmp_path / "long.log"
    slow.write_text("rules: [{name: Slow, class: env, regex: '(a|aa)+$'}]")
    log.write_text("a" * 5_000 + "b\n")
    ran = buildwatch("buckets", "test", "--file", str(slow), "--red", str(log))
    assert ran.status == 0
    assert 'bucket rule "Slow": its regex took longer than 50 ms' in ran.err


def test_wrong_rules_are_told_at_their_place(buildwatch: Commands, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("rules: [{name: A, class: code, regex: '('}]")
    ran = buildwatch("buckets", "list", "--file", str(wrong))
    assert ran.status == 78
    assert "wrong.yaml:1:39" in ran.err
