"""`buildwatch explain`: by id, by number, by URL."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete

from domain.alert import Delivery
from domain.build import Build, Outcome
from poller.config import Configuration, load
from poller.intake.ingest import ingest
from providers._base import Page
from store import builds as stored_builds
from store import outbox, outcomes, schema
from store.engine import Database, Session
from tests.support.builders import build, pipeline
from tests.support.commands import Commands

LONG_AGO = timedelta(days=30)


@pytest.fixture
def configuration(config: Path) -> Configuration:
    return load(config, environ={})


@pytest.fixture
def comes(store: Database, configuration: Configuration) -> Callable[..., None]:
    """Builds come in on their own pages, right after they ended."""

    def one(session: Session, each: Build) -> None:
        now = each.finished_at or each.started_at
        assert now is not None
        page = Page(builds=[each], pipelines=[each.pipeline])
        since = now - LONG_AGO
        ingest(session, page, provider="ci", target="x", configuration=configuration, now=now, last_poll=since)

    def put(*given: Build) -> None:
        for each in given:
            store.transact(partial(one, each=each))

    return put


@pytest.fixture
def broken(comes: Callable[..., None]) -> None:
    """Build 2 of web/deploy failed, 3 passed."""
    url = "https://ci.example.com/web/deploy/{}/"
    comes(build(1, url=url.format(1)), build(2, Outcome.FAILURE, url=url.format(2)), build(3, url=url.format(3)))


def sent(store: Database) -> None:
    def unit(session: Session) -> None:
        for each in outbox.listing(session, delivery=Delivery.PENDING):
            outcomes.mark_sent(session, each.id or 0, {}, each.created_at)

    store.transact(unit)


@pytest.mark.usefixtures("broken")
def test_a_build_is_explained_with_every_message(buildwatch: Commands, store: Database) -> None:
    sent(store)
    ran = buildwatch("explain", "2")
    assert ran.status == 0, ran.err
    assert ran.out.splitlines()[1:7] == [
        "Sent to team at 2026-11-20 12:25 UTC (alert 1)",
        "verdict: failed, its outcome is failure",
        "stream: deploy / main, watched",
        "alert 1 (failure, resolved): 1 failed since #2, fixed by #3; this build is its first failure",
        "  message 1 (first): sent to team at 2026-11-20 12:25 UTC",
        "  message 2 (resolved): sent to team at 2026-11-20 12:35 UTC",
    ]
    assert ran.out.startswith("web/deploy #2 (build 2), ended ")
    assert ran.out.endswith("https://ci.example.com/web/deploy/2/\n")


@pytest.mark.usefixtures("broken")
def test_json_has_the_same_facts(buildwatch: Commands, store: Database) -> None:
    sent(store)
    told = buildwatch("explain", "2", "--json").json
    assert (told["fate"], told["told"], told["verdict"]["verdict"]) == ("told", True, "failed")
    assert told["stream"] == {"name": "main", "watched": True, "because": "deploy / main, watched"}
    assert told["build"]["number"] == 2
    [alert] = told["alerts"]
    assert (alert["id"], alert["kind"], alert["role"], alert["covers"]) == (1, "failure", "its first failure", True)
    first, second = alert["messages"]
    assert (first["channel"], first["reason"], first["state"], first["fate"]) == ("team", "first", "sent", "told")
    assert (first["together_with"], first["batch"], first["hold_until"]) == (0, None, None)
    assert [each["state"] for each in first["tries"]] == ["sent"]
    assert second["reason"] == "resolved"
    assert told["lines"][0] == told["answer"]


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    "name",
    [
        "web/deploy#2",
        "deploy#2",
        "web/*#2",
        "https://ci.example.com/web/deploy/2/",
        "https://ci.example.com/web/deploy/2/console",
    ],
)
def test_a_build_is_found_by_its_number_or_url(buildwatch: Commands, name: str) -> None:
    assert buildwatch("explain", name, "--json").json["build"]["id"] == 2


def test_a_build_is_found_by_what_its_provider_calls_it(buildwatch: Commands, comes: Callable[..., None]) -> None:
    url = "https://github.example.com/acme/web/actions/runs/8123"
    comes(build(5, external_id="8123", url=url), build(6, external_id="8124", url=url.replace("3", "4")))
    assert buildwatch("explain", url, "--json").json["build"]["number"] == 5
    assert buildwatch("explain", url + "/job/99", "--json").json["build"]["number"] == 5


def test_of_several_attempts_the_one_that_counts_is_meant(buildwatch: Commands, comes: Callable[..., None]) -> None:
    comes(build(1), build(2, Outcome.FAILURE), build(2, attempt=2))
    told = buildwatch("explain", "deploy#2", "--json").json
    assert (told["build"]["attempt"], told["fate"]) == (2, "passed")
    first = buildwatch("explain", "2", "--json").json
    assert (first["build"]["attempt"], first["fate"]) == (1, "superseded")


def test_an_ambiguous_number_lists_the_ids(buildwatch: Commands, comes: Callable[..., None]) -> None:
    comes(build(1), build(1, branch="dev", external_id="dev-1"))
    ran = buildwatch("explain", "deploy#1")
    assert ran.status == 1
    assert "2 builds are called deploy#1: give the id of one" in ran.err
    assert "1  ci: web/deploy main" in ran.err


def test_what_is_not_there_is_said(buildwatch: Commands, comes: Callable[..., None]) -> None:
    comes(build(1))
    for name in ("99", "deploy#99", "nothing#1", "https://ci.example.com/other/1/"):
        ran = buildwatch("explain", name)
        assert (ran.status, ran.err) == (1, f"there is no build {name}: `buildwatch builds` lists them\n")
    assert buildwatch("explain", "deploy").status == 2


@pytest.mark.usefixtures("broken")
def test_a_message_that_was_never_written_is_found_something_wrong(buildwatch: Commands, store: Database) -> None:
    store.transact(lambda session: session.execute(delete(schema.outbox)))
    ran = buildwatch("explain", "2")
    assert ran.status == 1
    assert "No message to team was ever written (alert 1)" in ran.out


def test_a_late_failure_beside_a_break_is_part_of_it(buildwatch: Commands, comes: Callable[..., None]) -> None:
    comes(build(1), build(4, Outcome.FAILURE), build(5), build(3, Outcome.FAILURE))
    told = buildwatch("explain", "deploy#3", "--json").json
    assert (told["fate"], told["alerts"][0]["role"]) == ("waiting", "one of its failures")


def test_a_build_far_back_in_a_long_stream_is_found_in_it(
    buildwatch: Commands, store: Database, comes: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poller.proof.inquiry.BACK", 3)
    comes(build(1), build(2, Outcome.FAILURE), *(build(number) for number in range(3, 9)))
    assert buildwatch("explain", "deploy#2", "--json").json["fate"] == "waiting"
    assert store.read(lambda session: stored_builds.get(session, [2])) != {}


def test_other_pipelines_are_not_touched(buildwatch: Commands, comes: Callable[..., None]) -> None:
    api = pipeline("api/one")
    comes(build(1), build(2, Outcome.FAILURE), build(2, Outcome.CANCELLED, pipeline=api))
    told = buildwatch("explain", "api/one#2", "--json").json
    assert (told["fate"], told["alerts"]) == ("neutral", [])
