from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.silence import Ends, Silence
from poller.cli import reaching
from providers._base import Probe
from simulator.house import Simulator
from store import silences
from store.engine import Database
from tests.support.builders import build, pipeline
from tests.support.commands import Commands


def test_a_good_file_is_fine_in_one_line(buildwatch: Commands) -> None:
    ran = buildwatch("check")
    assert (ran.status, ran.out, ran.err) == (
        0,
        "config.yaml is fine: 1 provider, 2 pipelines, 1 channel, 1 route\n",
        "",
    )


def test_errors_have_file_line_and_column(buildwatch: Commands, config: Path) -> None:
    config.write_text(config.read_text().replace("kind: console", "kind: consol"))
    ran = buildwatch("check")
    assert ran.status == 78
    assert ran.err.startswith("config.yaml:8:16: ")
    assert 'did you mean "console"?' in ran.err
    problem = buildwatch("check", "--json")
    assert problem.status == 78
    assert problem.json["ok"] is False
    assert [(each["line"], each["column"]) for each in problem.json["problems"]] == [(8, 16)]


def test_warnings_are_errors_with_strict(buildwatch: Commands, config: Path) -> None:
    config.write_text(config.read_text() + "  lamp: {kind: console}\nroutes: [{to: team}]\n")
    ran = buildwatch("check")
    assert (ran.status, ran.out) == (
        0,
        "config.yaml is fine: 1 provider, 2 pipelines, 2 channels, 1 route; 1 warnings\n",
    )
    assert 'channel "lamp" is used by no route (warning)' in ran.err
    assert buildwatch("check", "--strict").status == 78
    told = buildwatch("check", "--strict", "--json")
    assert (told.status, told.json["ok"], len(told.json["warnings"])) == (78, False, 1)


def test_a_thousand_pipelines_are_checked(buildwatch: Commands, config: Path) -> None:
    entries = "".join(f"  - {{provider: ci, job: folder/job-{number}}}\n" for number in range(1000))
    config.write_text(config.read_text().replace("channels:", f"{entries}channels:"))
    assert buildwatch("check", "--json").json["pipelines"] == 1002


def test_explain_shows_entry_rules_and_routes(buildwatch: Commands, config: Path) -> None:
    config.write_text(config.read_text() + "routes:\n  - {match: {labels: {team: web}}, to: team}\n  - {to: team}\n")
    text = buildwatch("check", "--explain", "web/deploy").out
    assert "entry    pipelines[0]: provider ci, job web/deploy" in text
    assert "failure: after 1, resolve_after 1" in text
    assert "provider_unreachable: after 3, lasting 10m" in text
    assert "success_rate_below: off" in text
    assert "route 1 matches: to team" in text
    assert "pull requests and forks never count" in text


def test_explain_takes_branch_and_kind(buildwatch: Commands, stored: Callable[..., None], now: datetime) -> None:
    stored(build(1, pipeline=pipeline("api/core", name="Core"), started_at=now))
    (main,) = buildwatch("check", "--explain", "Core", "main", "failure", "--json").json["explain"]
    assert (main["pipeline"], main["counts"], main["branch"]) == ("api/core", True, "main")
    assert [(each["kind"], each["to"]) for each in main["paths"]] == [("failure", ["team"])]
    (other,) = buildwatch("check", "--explain", "api/core", "feature/x", "--json").json["explain"]
    assert other["counts"] is False
    assert "main" in other["because"]
    assert {each["kind"]: each["to"] for each in other["paths"]} == {
        "failure": [],
        "success_rate_drop": [],
        "window_regression": [],
        "duration": [],
        "stuck": [],
        "flapping": [],
        "no_verdict": [],
        "test_regression": [],
        "provider_unreachable": ["team"],
        "pipeline_missing": ["team"],
    }


def test_explain_knows_a_repository_before_the_first_poll(buildwatch: Commands, config: Path) -> None:
    config.write_text(
        "providers: {github: {kind: github}}\nchannels: {team: {kind: console}}\n"
        'pipelines:\n  - {provider: github, repo: acme/*, branches: ["release/*"], name: Acme}\n'
        "  - {provider: github, repo: acme/web}\n"
    )
    (found,) = buildwatch("check", "--explain", "acme/web", "release/1", "--json").json["explain"]
    assert (found["provider"], found["counts"]) == ("github", True)
    assert found["also"] == ["pipelines[1]: provider github, repo acme/web"]
    assert "matches branches: release/*" in found["because"]
    text = buildwatch("check", "--explain", "acme/web").out
    assert "matches too, and does not count" in text
    assert "does not match branches" in text


def test_explain_of_the_unknown_is_1(buildwatch: Commands) -> None:
    ran = buildwatch("check", "--explain", "nope")
    assert (ran.status, ran.err) == (1, "nope: no entry of pipelines matches it\n")
    assert buildwatch("check", "nope").status == 2
    assert buildwatch("check", "--explain", "web/deploy", "main", "nonsense").status == 2
    assert buildwatch("check", "--explain", "web/deploy", "main", "baseline").status == 2


def test_online_reaches_everything(buildwatch: Commands, house_config: Path) -> None:
    assert house_config == buildwatch.config
    ran = buildwatch("check", "--online")
    assert ran.status == 0
    for name in ("providers.jenkins", "providers.github", "channels.ci-slack", "channels.mail"):
        assert name in ran.out


def test_online_names_what_fails_and_shows_no_secret(
    buildwatch: Commands, house_config: Path, house: Simulator
) -> None:
    house_config.write_text(house_config.read_text().replace(house.jenkins_token, "wrong-token-of-mine"))
    house.smtp.stop()
    ran = buildwatch("check", "--online", "--json")
    assert ran.status == 1
    told = {each["name"]: each for each in ran.json["online"]}
    assert {name: each["ok"] for name, each in told.items()} == {
        "jenkins": False, "github": True, "ci-slack": True, "web-slack": True, "mail": False,
    }  # fmt: skip
    assert told["jenkins"]["text"].startswith("auth: ")
    assert "wrong-token-of-mine" not in ran.out + ran.err


def test_tokens_clocks_and_limits_are_warned_of(now: datetime) -> None:
    def told(**facts: Any) -> list[str]:
        return list(reaching._warnings(Probe(**facts), now))

    assert told() == []
    assert told(token_expires_at=now + timedelta(days=3)) == [
        f"the token expires on {now + timedelta(days=3):%Y-%m-%d}"
    ]
    assert told(token_expires_at=now + timedelta(days=3), warnings=("the token expires soon",)) == [
        "the token expires soon"
    ]
    assert told(clock_skew=timedelta(seconds=-90)) == ["its clock and ours are 1m 30s apart: set them by NTP"]
    assert told(quota_limit=60, quota_remaining=0) == ["no requests are left until the limit is reset"]
    probe = Probe(version="2.5", identity="bot", scopes="repo", token_expires_at=now, quota_limit=60, quota_remaining=2)
    said = ", ".join(reaching._facts(probe))
    assert said == f"version 2.5, as bot, scopes repo, token until {now:%Y-%m-%d}, 2 of 60 requests left"


@pytest.mark.parametrize("word", ["--online", "--strict"])
def test_options_stand_alone(buildwatch: Commands, word: str, config: Path) -> None:
    config.write_text(config.read_text().replace("http://127.0.0.1:9/", "http://127.0.0.1:9/ci/"))
    assert buildwatch("check", word).status == (1 if word == "--online" else 0)


def test_explain_shows_the_silences_and_quiet_hours_that_hold_right_now(
    buildwatch: Commands, config: Path, store: Database, now: datetime
) -> None:
    hours = 'quiet_hours:\n  - {from: "00:00", to: "00:00", match: {kind: duration}}\n'
    config.write_text(config.read_text() + hours)
    for match in ({"pipeline": "web/*", "kind": "failure"}, {"pipeline": "api/*"}):
        new = Silence(match=match, ends=Ends(fixed=True), reason="release freeze", created_at=now)
        store.transact(lambda session, new=new: silences.add(session, new))
    (found,) = buildwatch("check", "--explain", "web/deploy", "--json").json["explain"]
    paths = {each["kind"]: each["now"] for each in found["paths"]}
    assert paths["failure"] == ["silence 1 covers it until it is fixed: release freeze"]
    assert paths["duration"][0].startswith("it waits: quiet hours until")
    assert paths["success_rate_drop"] == []
    assert "now: silence 1 covers it" in buildwatch("check", "--explain", "web/deploy").out
