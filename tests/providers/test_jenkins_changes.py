"""Who changed what since the last pass, out of the change logs of the builds in between."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.build import Build
from domain.details import Changes, Commit
from providers._base import Wanted
from providers._jenkins.changes import read_changes
from simulator import faults
from simulator.jenkins_details import Change
from simulator.jenkins_world import Job
from tests.support.builders import build
from tests.support.jenkins_scene import Scene, a_scene

DATA = Path(__file__).parents[3] / "shared" / "data" / "jenkins" / "hygieia"
recorded = pytest.mark.skipif(not DATA.exists(), reason="recorded CI data (../shared/data) is not on this machine")

LIBRARY = "https://git.example.com/shared/library.git"


@pytest.fixture
def scene() -> Iterator[Scene]:
    with a_scene() as made:
        yield made


def change(number: int, author: str = "Ada Moreau", message: str | None = None) -> Change:
    return Change(commit=f"{number:040x}", author=author, message=message or f"change {number}")


def history(job: Job, count: int, first: int = 1) -> None:
    """The first passed, all others failed; each came with one change of its number."""
    for number in range(first, count + 1):
        result = "SUCCESS" if number == 1 else "FAILURE"
        job.build(result, started_ago=(count - number + 1) * 60, changes=[change(number)], commit=f"{number:040x}")


def long_history(scene: Scene) -> None:
    """More than a poll lists, so there are two polls."""
    history(scene.world.job("web"), 10)
    scene.build("web")
    history(scene.world.job("web"), 130, first=11)


def told(scene: Scene, key: str, since: int | None, number: int | None = None) -> tuple[list[str], tuple[str, ...]]:
    """The titles, and the notes."""
    found = scene.details(key, number, since=since, stages=False, log_bytes=0, tests=False)
    return [commit.title for commit in found.changes.commits] if found.changes else [], found.notes


@pytest.mark.parametrize("kind", ["pipeline", "freestyle"])
def test_the_changes_of_all_builds_since_the_pass_are_told_newest_first(scene: Scene, kind: str) -> None:
    history(scene.world.pipeline("web") if kind == "pipeline" else scene.world.job("web"), 4)
    assert told(scene, "web", since=1) == (["change 4", "change 3", "change 2"], ())
    assert scene.asked() == ["job/web/4/", "job/web/"]


def test_the_build_right_after_the_pass_tells_its_own_changes_without_asking_more(scene: Scene) -> None:
    history(scene.world.job("web"), 2)
    assert told(scene, "web", since=1) == (["change 2"], ())
    assert scene.asked() == ["job/web/2/"]


def test_builds_that_came_later_bring_nothing_in(scene: Scene) -> None:
    history(scene.world.job("web"), 40)
    assert told(scene, "web", since=1, number=4) == (["change 4", "change 3", "change 2"], ())
    ranges = [request.query["tree"].rpartition("{")[2] for request in scene.server.requests[1:]]
    assert ranges == ["0,13}", "0,100}"]


def test_without_a_pass_only_its_own_changes_are_told(scene: Scene) -> None:
    history(scene.world.job("web"), 3)
    scene.world.job("quiet").build("FAILURE", changes=[])
    assert told(scene, "web", since=None) == (["change 3"], ())
    assert scene.details("quiet").changes is None


def test_nothing_changed_since_the_pass_is_an_answer_too(scene: Scene) -> None:
    for result in ("SUCCESS", "FAILURE", "FAILURE"):
        scene.world.job("web").build(result, changes=[])
    assert scene.details("web", since=1).changes == Changes(commits=(), total=0)


def test_a_pass_before_the_newest_hundred_is_noted(scene: Scene) -> None:
    long_history(scene)
    titles, notes = told(scene, "web", since=1)
    assert (len(titles), notes) == (50, ("changes: only those since #31: Jenkins lists the newest 100 builds",))
    found = scene.details("web", since=1).changes
    assert found is not None
    assert found.total == 100


def test_a_build_beyond_the_newest_hundred_tells_its_own(scene: Scene) -> None:
    long_history(scene)
    note = "changes: only those since #5: Jenkins lists the newest 100 builds"
    assert told(scene, "web", since=1, number=5) == (["change 5"], (note,))


def test_a_list_that_cannot_be_read_leaves_its_own_changes(scene: Scene) -> None:
    history(scene.world.job("web"), 4)
    scene.build("web")
    scene.server.fault(faults.answer(500), path="/ci/job/web/api/json")
    build_four, good = scene.watcher.of("web")[4], scene.watcher.of("web")[1]
    found = scene.watcher.jenkins.details(build_four, wanted(good))
    assert found.notes == ("changes: only those of this build: HTTP 500",)
    assert found.changes is not None
    assert [commit.title for commit in found.changes.commits] == ["change 4"]


def wanted(since: Build) -> Wanted:
    return Wanted(stages=False, log_bytes=0, tests=False, since=since)


def test_a_pass_of_another_numbering_means_nothing(scene: Scene) -> None:
    job = scene.world.job("web")
    job.build("SUCCESS", started_ago=900)
    good = scene.build("web")
    job.recreate()
    history(job, 3)
    newest = scene.build("web", 3)
    found = scene.watcher.jenkins.details(newest, wanted(good))
    assert found.changes is not None
    assert [commit.title for commit in found.changes.commits] == ["change 3"]


def test_a_commit_that_several_builds_list_is_told_once_where_it_came_in(scene: Scene) -> None:
    job = scene.world.pipeline("web")
    for number, changes in enumerate(([], [change(2)], [change(3), change(2)], [change(4), change(3), change(2)]), 1):
        job.build("FAILURE" if number > 1 else "SUCCESS", changes=changes, started_ago=600 - number * 60)
    assert told(scene, "web", since=1)[0] == ["change 4", "change 3", "change 2"]


def test_what_changed_in_a_shared_library_comes_last(scene: Scene) -> None:
    job = scene.world.pipeline("team/web")
    library = Change(commit="a" * 40, author="Lena Fischer", message="library: new step")
    job.build("SUCCESS", started_ago=120)
    job.build(
        "FAILURE",
        other_revisions=[(LIBRARY, "a" * 40, "main")],
        other_changes=[[library]],
        changes=[change(2)],
        commit=change(2).commit,
    )
    assert told(scene, "team/web", since=1)[0] == ["change 2", "library: new step"]


def test_authors_are_told_with_their_login_and_bots_as_such(scene: Scene) -> None:
    names = ["Ada Moreau", "dependabot[bot]", "Renovate Bot", "jenkins-bot", "Abbot Robot", "github-actions"]
    changes = [Change(commit=f"{n:040x}", author=name, message="x") for n, name in enumerate(names)]
    changes.append(Change(commit="f" * 40, author="Mei Tanaka", message="x", login="mei.t", email="ci-bot@example.com"))
    scene.world.job("web").build("FAILURE", changes=changes)
    found = scene.details("web").changes
    assert found is not None
    assert {commit.author: commit.is_bot for commit in found.commits} == {
        "Ada Moreau": False,
        "dependabot[bot]": True,
        "Renovate Bot": True,
        "jenkins-bot": True,
        "Abbot Robot": False,
        "github-actions": True,
        "Mei Tanaka": True,
    }
    assert {commit.login for commit in found.commits} >= {"ada", "mei.t"}


@pytest.mark.parametrize(
    ("remote", "commit", "compare"),
    [
        ("https://github.com/acme/web.git", "https://github.com/acme/web/commit/", "https://github.com/acme/web/compare/"),
        ("git@github.com:acme/web.git", "https://github.com/acme/web/commit/", "https://github.com/acme/web/compare/"),
        ("ssh://git@gitlab.acme.io:2222/acme/web", "https://gitlab.acme.io/acme/web/-/commit/", "https://gitlab.acme.io/acme/web/-/compare/"),
        ("https://user@github.acme.io/acme/web", "https://github.acme.io/acme/web/commit/", "https://github.acme.io/acme/web/compare/"),
        ("https://git.example.com/web.git", None, None),
        ("/srv/git/github/web.git", None, None),
    ],
)  # fmt: skip
def test_commits_have_addresses_where_the_host_is_known(
    scene: Scene, remote: str, commit: str | None, compare: str | None
) -> None:
    job = scene.world.pipeline("team/web")
    job.remote = remote
    history(job, 2)
    found = scene.details("team/web", since=1).changes
    assert found is not None
    new, old = f"{2:040x}", f"{1:040x}"
    assert found.commits[0].url == (f"{commit}{new}" if commit else None)
    assert found.url == (f"{compare}{old}...{new}" if compare else None)


def raw_changes(items: list[Any], **more: Any) -> Changes | None:
    changes, note = read_changes(None, build(7), None, {"number": 7, "changeSets": [{"items": items}], **more})  # type: ignore[arg-type]
    assert note is None
    return changes


def test_odd_items_are_read_as_far_as_they_go() -> None:
    found = raw_changes([7, {}, {"id": "1"}, {"commitId": 1651902, "msg": " two\nlines", "author": {"id": "unknown"}}])
    assert found == Changes(
        commits=(Commit(id="1", title=""), Commit(id="1651902", title="two")),
        total=2,
    )
    assert raw_changes([], changeSet=None) is None


def test_commits_of_one_build_are_told_by_their_time() -> None:
    found = raw_changes([{"id": "a", "timestamp": 1}, {"id": "b", "timestamp": 3}, {"id": "c", "timestamp": 2}])
    assert found is not None
    assert [commit.id for commit in found.commits] == ["b", "c", "a"]


@recorded
def test_recorded_change_sets_that_repeat_each_other_are_told_once() -> None:
    raw = json.loads((DATA / "buildDetails_pipeline-duplicate_changeSets.json").read_text("utf-8"))
    changes, _ = read_changes(None, build(raw["number"]), None, raw)  # type: ignore[arg-type]
    assert changes is not None
    assert [(commit.id, commit.author) for commit in changes.commits] == [
        ("1651902", "uschindler"),
        ("1651896", "ehatcher"),
    ]
    assert changes.total == 2


@recorded
@pytest.mark.parametrize("path", sorted(DATA.glob("buildDetails_*.json")) or [Path("none")], ids=lambda path: path.stem)
def test_recorded_builds_are_read_without_trouble(path: Path) -> None:
    raw = json.loads(path.read_text("utf-8"))
    changes, note = read_changes(None, build(raw["number"]), None, raw)  # type: ignore[arg-type]
    assert note is None
    assert (changes is not None) is ("full" in path.stem or "changeSets" in path.stem)
