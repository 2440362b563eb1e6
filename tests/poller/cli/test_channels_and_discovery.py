from pathlib import Path

import pytest
from ruamel.yaml import YAML

from poller.cli.discover import entry_line, flow
from providers._base import Candidate
from simulator.house import Simulator
from tests.support.builders import NOON, pipeline
from tests.support.commands import Commands


@pytest.mark.usefixtures("house_config")
def test_both_samples_arrive_as_one_card(buildwatch: Commands, house: Simulator) -> None:
    ran = buildwatch("test-channel", "ci-slack")
    assert ran.status == 0
    assert ran.out.count("was accepted") == 2
    card, reply = house.slack.messages
    assert "a test of this channel" in card.text
    assert (card.edits, reply.thread_ts) == (1, card.ts)


@pytest.mark.usefixtures("house_config")
def test_receipts_come_as_json(buildwatch: Commands, house: Simulator) -> None:
    first, resolved = buildwatch("test-channel", "mail", "--json").json
    assert (first["reason"], resolved["reason"], first["error"]) == ("first", "resolved", None)
    assert first["receipt"]["message_id"] == house.smtp.mails[0].message["Message-ID"]
    assert house.smtp.mails[1].message["In-Reply-To"] == first["receipt"]["message_id"]


def test_what_is_refused_is_1_and_shows_no_secret(buildwatch: Commands, house_config: Path, house: Simulator) -> None:
    assert house_config.exists()
    house.slack.refuse("channel_not_found")
    ran = buildwatch("test-channel", "ci-slack")
    assert ran.status == 1
    assert "channel_not_found" in ran.err
    assert house.slack.token not in ran.out + ran.err
    (failed,) = buildwatch("test-channel", "ci-slack", "--json").json
    assert "channel_not_found" in failed["error"]


def test_an_unknown_channel_is_a_usage_error(buildwatch: Commands) -> None:
    ran = buildwatch("test-channel", "taem")
    assert ran.status == 2
    assert 'did you mean "team"?' in " ".join(ran.err.split())


def test_discovery_prints_entries_ready_to_paste(buildwatch: Commands, house_config: Path, house: Simulator) -> None:
    house.world.jenkins.job("odd/name with # and : in it").build("SUCCESS")
    ran = buildwatch("discover", "jenkins")
    assert ran.status == 0
    assert YAML(typ="safe").load(ran.out) == {
        "pipelines": [{"provider": "jenkins", "job": "odd/name with # and : in it"}]
    }
    assert "# - {provider: jenkins, job: team/api}  # watched already" in ran.out
    assert "of them watched already" in ran.err
    pasted = house_config.read_text().replace("pipelines:\n", ran.out)
    house_config.write_text(pasted)
    assert buildwatch("check").status == 0
    assert "0, " not in buildwatch("discover", "github").err


@pytest.mark.usefixtures("house_config")
def test_candidates_come_as_json(buildwatch: Commands) -> None:
    found = buildwatch("discover", "github", "--json").json
    web = next(each for each in found if each["pipeline"].startswith("acme/web/"))
    assert {"provider", "pipeline", "name", "url", "watched", "last_build_at", "entry"} <= set(web)
    assert web["watched"] is True
    assert web["entry"]["repo"] == "acme/web"


def test_an_unknown_provider_is_a_usage_error_and_a_dead_one_is_69(buildwatch: Commands) -> None:
    assert buildwatch("discover", "nope").status == 2
    ran = buildwatch("discover", "ci")
    assert ran.status == 69
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "value",
    ["plain", "on", "null", "12", "a: b", "#x", "*", "[a]", 'a "b"', "tab\there", "é", "", "-", "a/b-c_d.e", "~"],
)
def test_any_text_survives_as_yaml(value: str) -> None:
    read = YAML(typ="safe").load("- " + flow({"key": value, "list": [value, 3, True, None]}))
    assert read == [{"key": value, "list": [value, 3, True, None]}]


def test_what_looks_like_a_reference_stays_text() -> None:
    assert flow("a${HOME}") == '"a$${HOME}"'


def test_an_entry_tells_when_it_was_built_last() -> None:
    candidate = Candidate(
        pipeline=pipeline(), entry={"provider": "ci", "job": "web/deploy"}, watched=True, last_build_at=NOON
    )
    assert entry_line(candidate) == ("  # - {provider: ci, job: web/deploy}  # watched already, last build 2026-11-20")
