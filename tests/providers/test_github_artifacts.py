"""The zip archives that a run left behind."""

import io
import zipfile
from datetime import timedelta

import pytest

from domain.build import Build
from domain.details import Artifact
from providers._base import Refused, Trouble, Unavailable, Wanted
from simulator import faults
from simulator.github_world import Run
from tests.support.github_scene import Scene

LIST = "*/actions/runs/*/artifacts"


def names(scene: Scene, build: Build) -> list[str]:
    return [each.name for each in scene.github.artifacts(build)]


def reran(scene: Scene, *, failed_only: bool) -> tuple[Build, Build, Run]:
    """A run that left `lint` and `junit` behind and was run again, when it left only `junit` behind."""
    lint, test = scene.job("lint", "success"), scene.job("test")
    run = scene.run("failure", lint, test, duration=40)
    began = scene.clock() - timedelta(seconds=40)
    lint.started_at, lint.completed_at = began, began + timedelta(seconds=10)
    run.artifact("lint", {"lint.xml": "<a/>"}, at=began + timedelta(seconds=9))
    run.artifact("junit", {"junit.xml": "<old/>"}, at=began + timedelta(seconds=39))
    first = scene.build(run)
    scene.clock.advance(1000)
    run.rerun("failure", failed_only=failed_only)
    if failed_only:
        run.attempts[1].jobs[0].completed_at = lint.completed_at
    run.artifact("junit", {"junit.xml": "<new/>"})
    return first, scene.build(run), run


def test_an_archive_is_listed_and_read(scene: Scene) -> None:
    run = scene.run()
    made = run.artifact("junit results", {"reports/a.xml": "<testsuite/>", "b.txt": "ä"})
    build = scene.build(run)
    (artifact,) = scene.github.artifacts(build)
    assert artifact == Artifact(name="junit results", key=str(made.id), size=len(made.content), archive=True)
    body = scene.github.read_artifact(build, artifact, 1 << 20)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.read("reports/a.xml") == b"<testsuite/>"
    (blob,) = scene.server.storage.requests
    assert "authorization" not in blob.headers
    assert "range" not in blob.headers


def test_what_has_expired_is_not_listed(scene: Scene) -> None:
    run = scene.run()
    run.artifact("old", {}).expired = True
    run.artifact("new", {})
    assert names(scene, scene.build(run)) == ["new"]


def test_an_archive_that_expires_in_between_is_gone(scene: Scene) -> None:
    run = scene.run()
    made = run.artifact("junit", {})
    build = scene.build(run)
    (artifact,) = scene.github.artifacts(build)
    made.expired = True
    with pytest.raises(Refused, match=r"gone \(410\)") as caught:
        scene.github.read_artifact(build, artifact, 1000)
    assert caught.value.trouble is Trouble.NOT_FOUND


def test_many_archives_are_read_to_the_end(scene: Scene) -> None:
    run = scene.run()
    for number in range(150):
        run.artifact(f"report {number:03}", {})
    assert len(names(scene, scene.build(run))) == 150


def test_of_one_name_the_newest_counts(scene: Scene) -> None:
    run = scene.run(duration=50)
    run.artifact("junit", {"a": "1"}, at=scene.clock() - timedelta(seconds=20))
    newest = run.artifact("junit", {"a": "2"})
    assert [each.key for each in scene.github.artifacts(scene.build(run))] == [str(newest.id)]


def test_each_attempt_has_its_own_archives(scene: Scene) -> None:
    first, second, run = reran(scene, failed_only=False)
    old, new = (str(each.id) for each in run.artifacts if each.name == "junit")
    assert {each.name: each.key for each in scene.github.artifacts(first)}["junit"] == old
    assert {each.name: each.key for each in scene.github.artifacts(second)} == {"junit": new}


def test_what_a_job_left_behind_that_was_taken_over_belongs_to_the_attempt(scene: Scene) -> None:
    _, second, run = reran(scene, failed_only=True)
    new = [str(each.id) for each in run.artifacts if each.name == "junit"][1]
    found = {each.name: each.key for each in scene.github.artifacts(second)}
    assert sorted(found) == ["junit", "lint"]
    assert found["junit"] == new


def test_a_report_of_an_earlier_attempt_is_not_taken_for_a_new_one(scene: Scene) -> None:
    _, second, run = reran(scene, failed_only=True)
    run.artifacts.pop()  # the second attempt left none behind
    assert names(scene, second) == ["lint"]


def test_the_jobs_are_asked_for_only_when_a_run_was_run_again(scene: Scene) -> None:
    run = scene.run()
    run.artifact("junit", {})
    build = scene.build(run)
    scene.server.forget()
    scene.github.artifacts(build)
    assert len(scene.server.requests) == 1


def test_a_run_that_was_deleted_has_no_archives(scene: Scene) -> None:
    run = scene.run()
    build = scene.build(run)
    run.delete()
    with pytest.raises(Refused, match="not on GitHub any more") as caught:
        scene.github.artifacts(build)
    assert caught.value.trouble is Trouble.NOT_FOUND


def test_a_list_that_cannot_be_read_may_come_later(scene: Scene) -> None:
    build = scene.build(scene.run())
    scene.server.fault(faults.html(), path=LIST)
    with pytest.raises(Unavailable):
        scene.github.artifacts(build)


def test_archives_that_make_no_sense_are_left_out(scene: Scene) -> None:
    build = scene.build(scene.run())
    body = """{"artifacts": [7, {"id": "7", "name": "a"}, {"id": 7, "name": ""}, {"id": 8},
        {"id": 9, "name": "c", "size_in_bytes": "many", "created_at": "yesterday"}]}"""
    scene.server.fault(faults.answer(200, body), path=LIST)
    assert scene.github.artifacts(build) == (Artifact(name="c", key="9", archive=True),)


def test_everything_is_found_after_the_repository_was_renamed(scene: Scene) -> None:
    good = scene.build(scene.run("success"))
    run = scene.run()
    run.artifact("junit", {"a.xml": "<a/>"})
    build = scene.build(run)
    scene.repo.rename("acme/shop")
    found = scene.github.details(build, Wanted(since=good))
    assert found.notes == ()
    assert (found.failing_stage, len(found.logs)) == ("test: Run make test", 1)
    assert found.changes is not None
    assert found.changes.total == 1
    (artifact,) = scene.github.artifacts(build)
    assert scene.github.read_artifact(build, artifact, 1000).startswith(b"PK")
