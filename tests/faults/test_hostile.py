"""Names that nobody should choose, from both providers through the store to every channel."""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.alert import Delivery, Reason
from domain.build import Outcome, Verdict
from simulator.github_world import Run
from simulator.house import Simulator
from simulator.jenkins_details import Change
from simulator.jenkins_world import Build
from store import builds, outbox, quarantine
from store.builds import BuildView
from store.engine import Database
from store.maintenance import stats
from tests.support.daemon import eventually, running
from tests.support.hostile import HOSTILE
from tests.support.scene import cards, command, save, scene

WATCHED = [
    {"provider": "ci", "job": "**", "branches": ["*", "**"]},
    {"provider": "gh", "repo": "acme/web", "branches": ["*", "**"]},
]


@pytest.fixture
def config(house: Simulator, store_url: str, tmp_path: Path, hurried: None) -> Path:  # noqa: ARG001
    configuration = scene(house, store_url, pipelines=WATCHED)
    configuration["channels"]["terminal"] = {"kind": "console"}
    return save(tmp_path / "config.yaml", configuration)


def start_all(house: Simulator) -> list[Build | Run]:
    """One running build for each hostile text on each server, with that text wherever a person could have put it."""
    repository, jenkins = house.world.github.repo("acme/web"), house.world.jenkins
    started: list[Build | Run] = []
    for number, text in enumerate(HOSTILE):
        flow = repository.workflow(f"flow-{number}.yml", name=text)
        branch = text if text.strip() else "main"
        started.append(repository.start(workflow=flow.path, branch=branch, title=text, actor=text or "ada"))
        change = Change(commit="1" * 40, author=text, message=text)
        plain = jenkins.job(f"hostile/plain-{number}")
        started.append(plain.start(display_name=text, branch=branch, changes=[change], description=text))
        project = jenkins.multibranch("hostile/project").branch(branch[:100])  # a ref is a path, and ends at 255 bytes
        started.append(project.start(changes=[change], description=text))
    return started


def finish_all(started: list[Build | Run], result: str) -> None:
    """End them all, on either server."""
    for each in started:
        if isinstance(each, Build):
            each.finish(result.upper(), log="done")
        else:
            each.finish(result)


def everything(database: Database) -> list[BuildView]:
    return database.read(lambda session: builds.recent(session, limit=10_000))


def delivered(database: Database) -> Counter[str]:
    """How many breaks each channel has been told, alone or with others."""
    sent = database.read(lambda session: outbox.listing(session, delivery=Delivery.SENT, limit=10_000))
    return Counter(each.channel for each in sent if each.reason is Reason.FIRST and each.channel != "terminal")


def texts(value: Any) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from texts(inner)


def is_harmless(text: str, *, lines: bool = False) -> bool:
    """Whether no character of it can move a cursor, turn the writing around, or break an encoder."""
    allowed = "\n\t" if lines else ""
    return all(unicodedata.category(c) not in {"Cc", "Cs", "Zl", "Zp"} or c in allowed for c in text)


@pytest.mark.timeout(300)
def test_a_hostile_name_loses_nothing(house: Simulator, config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    finish_all(start_all(house), "success")
    branches = house.world.jenkins.multibranch("hostile/project").children
    expected = 2 * len(HOSTILE) + len(branches) - 2  # no job can be called by NUL or a lone surrogate
    with running(config) as daemon:
        eventually(daemon.daemon.first_round_done)
        everywhere = stats(daemon.database).builds
        assert everywhere >= expected
        started = start_all(house)
        eventually(lambda: stats(daemon.database).builds == 2 * everywhere)
        finish_all(started, "failure")
        eventually(lambda: delivered(daemon.database) == {"bot": expected, "mail": expected}, within=120)
        assert daemon.database.read(quarantine.count) == 0
        kept = everything(daemon.database)
        assert len(kept) == 2 * everywhere
    for view in kept:
        build = view.build
        assert all(is_harmless(text) for text in (build.branch, build.title, build.actor, build.pipeline.name) if text)
        assert len(build.title or "") <= 300
        assert len(build.branch or "") <= 255
    for mail in house.smtp.mails:
        assert is_harmless(mail.subject)
        assert set(mail.message.keys()) & {"Bcc", "Cc"} == set()
        assert mail.recipients == ("team@example.com",)
    for message in house.slack.messages:
        said = message.words()
        assert not any(call in said for call in ("<!channel>", "<!here", "<!everyone>", "<@U12345678>"))
    assert is_harmless(capfd.readouterr().out, lines=True)
    assert house.jenkins.errors == house.github.errors == house.slack.errors == []


def test_a_build_that_cannot_be_read_is_set_aside_and_the_rest_of_its_page_is_stored(
    house: Simulator, config: Path
) -> None:
    job, repository = house.world.jenkins.job("api"), house.world.github.repo("acme/web")
    for _ in range(3):
        job.build("SUCCESS")
        repository.run("success")
    job.build("SUCCESS", extra={"timestamp": "yesterday"})
    repository.run("success").extra["run_number"] = {"not": "a number"}
    repository.run("success").extra["run_number"] = 10**25
    repository.run("success").extra["run_attempt"] = 10**12
    job.build("SUCCESS")
    repository.run("success")
    with running(config) as daemon:
        eventually(daemon.daemon.first_round_done)
        eventually(lambda: len(everything(daemon.database)) == 8)
        assert daemon.database.read(quarantine.count) == 4
        kept = daemon.database.read(quarantine.listing)
        assert {each.provider for each in kept} == {"ci", "gh"}
        assert any("yesterday" in each.raw for each in kept)
        said = command(config, "status", "--json")
        assert '"quarantined": 4' in said, said
        job.build("FAILURE")
        eventually(lambda: cards(house, "api failed"))
        assert cards(house) == cards(house, "api failed")


def test_an_unknown_word_is_kept_as_it_came_and_counts_for_nothing(house: Simulator, config: Path) -> None:
    job, repository = house.world.jenkins.job("api"), house.world.github.repo("acme/web")
    job.build("SUCCESS")
    repository.run("success")
    with running(config) as daemon:
        eventually(daemon.daemon.first_round_done)
        job.build("SPLENDID\u202e")
        repository.run("sublime")
        eventually(lambda: len(everything(daemon.database)) == 4)
        words = [view for view in everything(daemon.database) if view.build.outcome is not Outcome.SUCCESS]
        assert {view.build.raw_outcome for view in words} == {"SPLENDID\\u202e", "sublime"}
        assert {view.build.outcome for view in words} == {Outcome.UNKNOWN}
        assert {view.verdict for view in words} == {Verdict.NEUTRAL}
        assert cards(house) == []
