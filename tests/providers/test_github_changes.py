"""What came in since a build that passed."""

from dataclasses import replace
from typing import Any

import pytest
import requests

from domain.build import Build
from domain.details import Changes, Commit
from providers._base import Wanted
from simulator import faults
from tests.support.github_scene import Scene

ONLY_CHANGES: dict[str, Any] = {"stages": False, "log_bytes": 0}
COMPARE = "*/compare/*"


def changes(scene: Scene, since: Build, build: Build) -> tuple[Changes | None, tuple[str, ...]]:
    found = scene.github.details(build, Wanted(since=since, **ONLY_CHANGES))
    return found.changes, found.notes


@pytest.fixture
def good(scene: Scene) -> Build:
    return scene.build(scene.run("success"))


def test_commits_are_told_newest_first_with_who_made_them(scene: Scene, good: Build) -> None:
    pushed = [
        scene.repo.commit("Fix the cart\n\nIt was broken.", login="ada", author="Ada Lovelace"),
        scene.repo.commit("bump lodash", login="dependabot[bot]"),
        scene.repo.commit("local work", login=None, author="Grace Hopper"),
    ]
    build = scene.build(scene.run("failure", commits=pushed))
    found, notes = changes(scene, good, build)
    assert found is not None
    assert [(each.title, each.author, each.login, each.is_bot) for each in found.commits] == [
        ("local work", "Grace Hopper", None, False),
        ("bump lodash", "dependabot[bot]", "dependabot[bot]", True),
        ("Fix the cart", "Ada Lovelace", "ada", False),
    ]
    assert (found.total, notes) == (3, ())
    assert found.url == f"https://github.com/acme/web/compare/{good.commit}...{build.commit}"
    assert found.commits[0].url == f"https://github.com/acme/web/commit/{build.commit}"


def test_the_same_commit_has_no_changes_and_costs_nothing(scene: Scene, good: Build) -> None:
    build = scene.build(scene.run("failure", sha=good.commit))
    scene.server.forget()
    assert changes(scene, good, build) == (Changes(commits=(), total=0), ())
    assert scene.server.requests == []


def test_an_older_commit_has_no_changes(scene: Scene, good: Build) -> None:
    newer = scene.build(scene.run("success"))
    found, _ = changes(scene, newer, good)
    assert found is not None
    assert (found.commits, found.total) == ((), 0)


def test_without_a_build_that_passed_nothing_is_asked(scene: Scene, good: Build) -> None:
    assert scene.github.details(good, Wanted(**ONLY_CHANGES)).changes is None


def test_of_very_many_commits_the_newest_are_told(scene: Scene, good: Build) -> None:
    pushed = [scene.repo.commit(f"change {number}") for number in range(250)]
    build = scene.build(scene.run("failure", commits=pushed))
    scene.server.forget()
    found, _ = changes(scene, good, build)
    assert found is not None
    titles = [each.title for each in found.commits]
    assert (found.total, len(titles)) == (250, 150)
    assert (titles[0], titles[49], titles[50], titles[-1]) == ("change 249", "change 200", "change 99", "change 0")
    assert len(scene.server.asked(COMPARE)) == 2


def test_after_a_force_push_the_newest_commit_alone_is_known(scene: Scene, good: Build) -> None:
    build = scene.build(scene.run("failure", title="Rewrite everything"))
    scene.repo.history.forget(str(good.commit))
    found, notes = changes(scene, good, build)
    assert found is not None
    assert ([each.title for each in found.commits], found.total, found.url) == (["Rewrite everything"], 1, None)
    (note,) = notes
    assert note == (
        "changes: the commit of the last build that passed is not there any more: only the newest one is known"
    )


def test_when_no_commit_is_there_nothing_is_known(scene: Scene, good: Build) -> None:
    build = scene.build(scene.run())
    for each in (good, build):
        scene.repo.history.forget(str(each.commit))
    found, notes = changes(scene, good, build)
    assert found is None
    assert len(notes) == 1


def test_a_build_without_a_commit_is_not_compared(scene: Scene, good: Build) -> None:
    build = scene.build(scene.run())
    scene.server.forget()
    for odd in (None, "main", "../../user", "abc...def"):
        assert changes(scene, replace(good, commit=odd), build) == (
            None,
            ("changes: a build without a commit: GitHub cannot compare",),
        )
    assert scene.server.requests == []


def test_a_comparison_that_is_not_permitted_is_a_note(scene: Scene, good: Build) -> None:
    build = scene.build(scene.run())
    scene.server.fault(faults.answer(403), path=COMPARE)
    assert changes(scene, good, build) == (
        None,
        ("changes: not permitted (403): the token needs Contents: read",),
    )


def test_a_comparison_that_breaks_is_a_note(scene: Scene, good: Build) -> None:
    build = scene.build(scene.run())
    scene.server.fault(faults.answer(200, "[]"), path=COMPARE)
    found, notes = changes(scene, good, build)
    assert (found, notes) == (None, ("changes: GitHub compared commits without an object",))


def test_commits_that_make_no_sense_are_left_out(scene: Scene, good: Build) -> None:
    build = scene.build(scene.run())
    body = """{"total_commits": "many", "html_url": "javascript:alert(1)", "commits": [7, {"sha": null},
        {"sha": "abc1234", "commit": null, "author": null, "html_url": 7},
        {"sha": "abc1235", "commit": {"message": 7, "author": {"name": 7}},
         "author": {"login": "ci", "type": "Bot"}}]}"""
    scene.server.fault(faults.answer(200, body), path=COMPARE)
    found, _ = changes(scene, good, build)
    assert found == Changes(
        commits=(Commit(id="abc1235", title="", login="ci", is_bot=True), Commit(id="abc1234", title="")), total=2
    )


def test_the_simulated_github_compares_like_the_real_one(scene: Scene, good: Build) -> None:
    later = scene.build(scene.run("success"))
    side = scene.build(scene.run("success", branch="feature"))

    def status(base: Build, head: Build) -> tuple[str, int, int]:
        found = _ask(scene, f"compare/{base.commit}...{head.commit}")
        return found["status"], found["ahead_by"], found["behind_by"]

    scene.build(scene.run("success"))
    assert status(good, later) == ("ahead", 1, 0)
    assert status(later, good) == ("behind", 0, 1)
    assert status(later, later) == ("identical", 0, 0)
    newest = scene.build(scene.run("success"))
    assert status(newest, replace(side, commit=side.commit)) == ("diverged", 1, 2)


def _ask(scene: Scene, path: str) -> dict[str, Any]:
    headers = {"Authorization": "Bearer github-token"}
    found: dict[str, Any] = requests.get(f"{scene.server.url}/repos/acme/web/{path}", headers=headers, timeout=5).json()
    return found
