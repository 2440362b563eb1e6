from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from domain.alert import Alert, Delivery
from domain.build import Outcome
from store import alerts
from store.engine import Database
from tests.support.builders import build, pipeline
from tests.support.commands import Commands


@pytest.fixture
def silent(buildwatch: Commands) -> Callable[..., int | None]:
    """Makes a silence of everything below web, until it is fixed."""

    def make(*more: str) -> int | None:
        ran = buildwatch("silence", "web/*", "--until-fixed", "--reason", "freeze", "--by", "ada", *more, "--json")
        assert ran.status == 0, ran.err
        return int(ran.json["id"])

    return make


def test_a_silence_says_what_it_covers_now(buildwatch: Commands, told: Callable[..., Alert]) -> None:
    told(summary="3 failed in a row since #5")
    ran = buildwatch("silence", "web/*", "--branch", "main", "--for", "4h", "--until-fixed", "--reason", "release")
    assert ran.status == 0
    first, second = ran.out.splitlines()
    assert first.startswith("silence 1: pipeline web/*, branch main; until 20")
    assert first.endswith("UTC, or until it is fixed")
    assert second == (
        "  alert 1: web/deploy / main: 3 failed in a row since #5 (told to team: its end will be, nothing else)"
    )


@pytest.mark.usefixtures("store")
def test_a_silence_that_covers_nothing_yet_says_so(buildwatch: Commands) -> None:
    ran = buildwatch("silence", "**", "--label", "cloud=aws", "--label", "team=web", "--until-fixed", "--reason", "x")
    assert ran.out.splitlines() == [
        "silence 1: pipeline **, label cloud aws, label team web; until it is fixed",
        "  nothing that it covers fires now",
    ]


@pytest.mark.usefixtures("store")
def test_silences_are_listed_and_shown_as_json(buildwatch: Commands, silent: Callable[..., int | None]) -> None:
    assert buildwatch("silence", "--list").out == "nothing is silenced\n"
    assert buildwatch("silence", "--list", "--all").out == "no silences\n"
    assert silent("--until-build", "9", "--until-new-bucket", "--kind", "failure", "--provider", "ci") == 1
    (found,) = buildwatch("silence", "--list", "--json").json
    assert found["match"] == {"provider": "ci", "pipeline": "web/*", "kind": "failure"}
    assert found["until"] == {"at": None, "fixed": True, "build": 9, "new_bucket": True}
    assert (found["reason"], found["by"], found["ended_at"]) == ("freeze", "ada", None)
    text = buildwatch("silence", "--list").out
    assert "holds" in text
    assert "freeze" in text
    done = buildwatch("unsilence", "1", "--by", "bob")
    assert (done.status, done.out.partition(":")[0]) == (0, "silence 1 is over")
    assert buildwatch("silence", "--list").out == "nothing is silenced\n"
    assert "ended by bob" in buildwatch("silence", "--list", "--all").out
    again = buildwatch("unsilence", "1")
    assert (again.status, again.err) == (1, "silence 1 is over already: ended by bob\n")
    silent()
    assert buildwatch("unsilence", "2", "--json").json["ended_because"].startswith("ended by ")


def test_an_alert_can_be_silenced_by_its_id(buildwatch: Commands, told: Callable[..., Alert]) -> None:
    told(channels=())
    ran = buildwatch("silence", "--alert", "1", "--until-fixed", "--reason", "known", "--json")
    assert ran.json["match"] == {"provider": "ci", "pipeline": "web/deploy", "branch": "main", "kind": "failure"}
    assert [each["id"] for each in ran.json["firing"]] == [1]
    assert "(untold)" in buildwatch("silence", "--alert", "1", "--until-fixed", "--reason", "known").out
    unknown = buildwatch("silence", "--alert", "7", "--until-fixed", "--reason", "known")
    assert (unknown.status, unknown.err) == (1, "there is no alert 7: `buildwatch alerts --all` lists them\n")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("web/*", "--until-fixed"), "say why"),
        (("web/*", "--reason", "x"), "say until when"),
        (("--until-fixed", "--reason", "x"), "give a pipeline"),
        (("web/*", "--alert", "1", "--until-fixed", "--reason", "x"), "give a pipeline"),
        (("web/*", "--for", "soon", "--reason", "x"), "is not a duration"),
        (("web/*", "--for", "99999999999d", "--reason", "x"), "--for"),
        (("web/*", "--provider", "cj", "--until-fixed", "--reason", "x"), 'there is no provider "cj"; known here: ci'),
        (("web/*", "--label", "cloud", "--until-fixed", "--reason", "x"), "KEY=GLOB"),
        (("web/*", "--kind", "nonsense", "--until-fixed", "--reason", "x"), "nonsense"),
        (("web/*", "--until-build", "0", "--reason", "x"), "until-build"),
        (("web/[z-a]", "--until-fixed", "--reason", "x"), "is not a pattern"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(buildwatch: Commands, words: tuple[str, ...], text: str) -> None:
    ran = buildwatch("silence", *words)
    assert ran.status == 2
    assert text in " ".join(ran.err.replace("│", " ").split())


def test_an_end_that_has_come_is_refused(buildwatch: Commands, stored: Callable[..., None], now: datetime) -> None:
    stored(build(9, Outcome.FAILURE, pipeline=pipeline(), started_at=now))
    ran = buildwatch("silence", "web/*", "--until-build", "9", "--reason", "x")
    assert (ran.status, ran.err) == (1, "build 9 of deploy / main, or a later one, has passed or failed already\n")
    assert buildwatch("silence", "web/*", "--for", "0s", "--reason", "x").status == 1


def test_acknowledging_and_taking_it_back(buildwatch: Commands, told: Callable[..., Alert]) -> None:
    told()
    ran = buildwatch("ack", "1", "--by", "ada", "--reason", "rolling back")
    assert (ran.status, ran.out.splitlines()[0]) == (0, "alert 1 is acknowledged by ada: rolling back")
    (found,) = buildwatch("alerts", "--json").json
    assert (found["acknowledged"]["by"], found["acknowledged"]["reason"]) == ("ada", "rolling back")
    assert "firing, acknowledged" in buildwatch("alerts").out
    assert buildwatch("ack", "1", "--undo", "--json").json["acknowledged"] is None
    assert buildwatch("ack", "1", "--undo").status == 1
    assert buildwatch("ack", "1", "--undo", "--reason", "x").status == 2
    mine = buildwatch("ack", "1", "--json").json["acknowledged"]
    assert mine["by"]
    assert mine["reason"] is None
    assert "not acknowledged any more" in buildwatch("ack", "1", "--undo").out
    missing = buildwatch("ack", "9")
    assert (missing.status, missing.err) == (1, "there is no alert 9: `buildwatch alerts --all` lists them\n")


def test_alerts_say_what_withholds_them(buildwatch: Commands, store: Database, told: Callable[..., Alert]) -> None:
    silenced = told(Delivery.PENDING, channels=(), handling={"silenced_by": 3, "silenced_at": "2026-11-20T12:00:00"})
    (found,) = buildwatch("alerts", "--json").json
    assert (found["silenced_by"], found["hidden_by"], found["reminders"]) == (3, None, 0)
    assert "firing, silenced by 3" in buildwatch("alerts").out
    hidden = {"hidden_by": 8, "hidden_at": "2026-11-20T12:00:00"}
    store.transact(lambda session: alerts.save(session, replace(silenced, handling=hidden)))
    assert "firing, hidden by alert 8" in buildwatch("alerts").out


def test_without_a_store_nothing_can_be_silenced(buildwatch: Commands) -> None:
    assert buildwatch("silence", "web/*", "--until-fixed", "--reason", "x").status != 0
    assert buildwatch("ack", "1").status != 0


@pytest.mark.parametrize(
    "command",
    [
        ("silence", "web/*", "--until-build", str(10**30), "--reason", "x"),
        ("silence", "--alert", str(10**30), "--until-fixed", "--reason", "x"),
        ("unsilence", str(10**30)),
        ("ack", str(10**30)),
    ],
)
@pytest.mark.usefixtures("store")
def test_a_number_that_no_store_can_hold_is_refused(buildwatch: Commands, command: tuple[str, ...]) -> None:
    ran = buildwatch(*command)
    assert ran.status == 2
    assert "9223372036854775807" in ran.err


@pytest.mark.usefixtures("store")
def test_a_name_that_is_no_text_is_compared_as_the_store_has_it(buildwatch: Commands) -> None:
    ran = buildwatch(
        "silence", "caf\udce9/*", "--label", "a\udce9=b\udce9", "--until-fixed", "--reason", "\udce9", "--json"
    )
    assert ran.status == 0, ran.err
    assert ran.json["match"] == {"pipeline": "caf\ufffd/*", "labels": {"a\ufffd": "b\ufffd"}}
