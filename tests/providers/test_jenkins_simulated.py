"""The provider against the simulated Jenkins: real sockets, a tree parser and a world that are not this package's."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from domain.build import Outcome, Status
from providers._base import Trouble
from simulator.jenkins import JenkinsServer
from simulator.jenkins_world import JenkinsWorld
from tests.support.jenkins_provider import Watcher, provider


class Clock:
    """The world's time."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def server() -> Iterator[JenkinsServer]:
    world = JenkinsWorld(now=Clock(), lock=threading.RLock())
    with JenkinsServer(world, context="/ci", root_url="https://ci.example.com/jenkins/") as running:
        yield running


def watcher_of(server: JenkinsServer, *jobs: str) -> Watcher:
    return Watcher(provider(*jobs, url=server.url, token="jenkins-token"))


def test_builds_of_folders_branches_and_matrices_arrive(server: JenkinsServer) -> None:
    world = server.world
    project = world.multibranch("org/web")
    project.build("SUCCESS", branch="main")
    project.build("ABORTED", branch="feature/x", interrupted_by="timeout", commit=None)
    project.build("FAILURE", branch="PR-3")
    world.job("regression/nightly").build("UNSTABLE")
    watcher = watcher_of(server, "org/*", "regression/nightly")
    watcher.poll()
    assert watcher.error is None
    by_branch = {build.branch: build for build in watcher.builds.values() if build.pipeline.key == "org/web"}
    assert watcher.pipelines["org/web"].default_branch == "main"
    assert by_branch["main"].outcome is Outcome.SUCCESS
    assert by_branch["feature/x"].outcome is Outcome.TIMEOUT
    assert by_branch["feature/x"].url == f"{server.url}/job/org/job/web/job/feature%252Fx/1/"
    assert by_branch["PR-3"].is_pull_request
    assert watcher.outcomes("regression/nightly") == {1: "unstable"}
    assert not watcher.pipelines["regression/nightly"].branched


def test_an_idle_poll_loads_no_builds_but_the_newest(server: JenkinsServer) -> None:
    for number in range(5):
        for _ in range(10):
            server.world.job(f"folder/j{number}").build("SUCCESS")
    watcher = watcher_of(server, "folder/*")
    watcher.poll()
    server.loads.clear()
    assert watcher.poll() == []
    assert sum(server.loads.values()) <= 2 * 5


def test_a_build_that_runs_is_followed_to_its_end(server: JenkinsServer) -> None:
    job = server.world.job("a")
    build = job.start()
    watcher = watcher_of(server, "a")
    watcher.poll()
    assert watcher.of("a")[1].status is Status.RUNNING
    build.finish("FAILURE", at=server.world.now() + timedelta(minutes=0))
    watcher.poll()
    assert watcher.outcomes("a") == {1: "failure"}
    job.recreate()
    job.build("SUCCESS", started_ago=1)
    watcher.poll()
    assert watcher.of("a")[1].generation == 1


@pytest.mark.parametrize(
    ("mode", "trouble"),
    [
        ("starting", Trouble.SERVER_ERROR),
        ("login", Trouble.NOT_JSON),
        ("login_redirect", Trouble.REDIRECT),
    ],
)
def test_a_server_that_is_not_itself_changes_nothing(server: JenkinsServer, mode: str, trouble: Trouble) -> None:
    server.world.job("a").build("SUCCESS")
    watcher = watcher_of(server, "a")
    watcher.poll()
    before = dict(watcher.cursors)
    server.mode = mode
    watcher.poll()
    assert watcher.error is not None
    assert watcher.error.trouble is trouble
    server.mode = "up"
    assert watcher.poll() == []
    assert (watcher.error, watcher.cursors) == (None, before)


def test_a_wrong_token_is_an_auth_trouble(server: JenkinsServer) -> None:
    watcher = Watcher(provider("a", url=server.url, token="wrong-token"))
    watcher.poll()
    assert watcher.error is not None
    assert watcher.error.trouble is Trouble.AUTH
    assert "wrong-token" not in str(watcher.error)


def test_the_connection_is_described(server: JenkinsServer) -> None:
    server.world.job("a").build("SUCCESS")
    watcher = watcher_of(server, "a")
    probe = watcher.jenkins.probe()
    assert (probe.identity, probe.version, probe.warnings) == ("bot", server.version, ())
    assert [each.pipeline.key for each in watcher.jenkins.discover()] == ["a"]
