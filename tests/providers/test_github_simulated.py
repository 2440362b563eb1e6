"""The provider against the simulator's GitHub, over real sockets and on one still clock."""

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from domain.build import Build
from providers._base import Trouble, Unavailable
from simulator import faults
from simulator.github import GithubServer
from simulator.github_quota import App
from simulator.world import World
from tests.support.github_provider import Watcher, provider
from tests.support.still_clock import StillClock


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def world(clock: StillClock) -> World:
    return World(seed=1, now=clock)


@pytest.fixture
def server(world: World) -> Iterator[GithubServer]:
    with GithubServer(world.github, link_base="https://elsewhere.example") as running:
        yield running
        assert running.errors == []


@pytest.fixture
def watcher(server: GithubServer, clock: StillClock) -> Iterator[Watcher]:
    github = provider(api_url=server.url, token="github-token")
    yield Watcher(github, now=clock())
    github.close()


def told(builds: list[Build]) -> list[tuple[int, int, str]]:
    return [(each.number, each.attempt, str(each.outcome or each.status)) for each in builds]


def polled(watcher: Watcher, clock: StillClock, after: float = 60) -> list[tuple[int, int, str]]:
    clock.advance(after)
    return told(watcher.poll(timedelta(seconds=after)))


def test_a_run_breaks_is_run_again_and_heals(
    world: World, server: GithubServer, watcher: Watcher, clock: StillClock
) -> None:
    repo = world.github.repo("acme/web")
    repo.run()
    assert polled(watcher, clock) == [(1, 1, "success")]
    run = repo.start()
    assert polled(watcher, clock)[-1] == (2, 1, "running")
    run.finish("failure")
    assert polled(watcher, clock)[-1] == (2, 1, "failure")
    run.rerun("success", duration=30)
    assert polled(watcher, clock)[-2:] == [(2, 1, "failure"), (2, 2, "success")]
    server.forget()
    assert polled(watcher, clock) == []
    assert len(server.requests) == 1


def test_an_unchanged_repository_costs_no_point(
    world: World, server: GithubServer, watcher: Watcher, clock: StillClock
) -> None:
    for _ in range(5):
        world.github.repo("acme/web").run()
    polled(watcher, clock)
    spent = server.points["github-token"]
    for _ in range(10):
        assert polled(watcher, clock) == []
    assert server.points["github-token"] == spent


def test_a_rerun_after_a_week_is_found_and_waiting_for_it_costs_no_point(
    world: World, server: GithubServer, watcher: Watcher, clock: StillClock
) -> None:
    repo = world.github.repo("acme/web")
    run = repo.run("failure")
    polled(watcher, clock)
    for _ in range(100):
        repo.run(jobs=[])
    polled(watcher, clock)
    polled(watcher, clock, 3600)
    server.forget()
    spent = server.points["github-token"]
    for _ in range(14):
        assert polled(watcher, clock, 12 * 3600) == []
    asked = [each.path.rpartition("/")[2] for each in server.requests]
    assert (asked.count(str(run.id)), asked.count("runs"), asked.count("web")) == (14, 14, 7)
    assert server.points["github-token"] - spent == 7  # the description of the repository, once a day
    run.rerun("success")
    assert polled(watcher, clock, 12 * 3600) == [(1, 1, "failure"), (1, 2, "success")]


def test_150_runs_between_two_polls_all_come(world: World, watcher: Watcher, clock: StillClock) -> None:
    repo = world.github.repo("acme/web")
    repo.run()
    polled(watcher, clock)
    clock.advance(86400)
    for _ in range(150):
        repo.run()
    assert [number for number, _, _ in polled(watcher, clock)][-150:] == list(range(2, 152))


def test_a_renamed_repository_is_followed_under_its_configured_key(
    world: World, server: GithubServer, watcher: Watcher, clock: StillClock
) -> None:
    repo = world.github.repo("acme/web")
    repo.run()
    polled(watcher, clock)
    repo.rename("acme/site")
    repo.run("failure")
    clock.advance(60)
    pages = watcher.pages()
    assert {build.pipeline.key for page in pages for build in page.builds} == {"acme/web/.github/workflows/ci.yml"}
    assert {each.url for page in pages for each in page.pipelines} == {
        f"{server.url.removesuffix('/api/v3')}/acme/site/actions/workflows/ci.yml"
    }
    for _ in range(3):
        world.github.repo("acme/web").run("failure")  # another repository takes the name: it is not the one we know
    assert polled(watcher, clock) == [(1, 1, "success"), (2, 1, "failure")]  # the new URL has no ETag yet
    assert polled(watcher, clock) == []


def test_a_repository_that_is_deleted_becomes_missing(world: World, watcher: Watcher, clock: StillClock) -> None:
    repo = world.github.repo("acme/web")
    repo.run()
    polled(watcher, clock)
    repo.delete()
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            watcher.poll()
        assert caught.value.trouble is Trouble.NOT_FOUND
    assert [list(page.missing) for page in watcher.pages()] == [["acme/web/.github/workflows/ci.yml"]]


def test_a_spent_quota_is_waited_for_and_the_cursor_kept(
    world: World, server: GithubServer, watcher: Watcher, clock: StillClock
) -> None:
    world.github.repo("acme/web").run()
    polled(watcher, clock)
    server.fault(faults.rate_limited(7))
    world.github.repo("acme/web").run("failure")
    with pytest.raises(Unavailable) as caught:
        polled(watcher, clock)
    assert (caught.value.trouble, caught.value.retry_after) == (Trouble.RATE_LIMIT, 7)
    server.heal()
    watcher.github = provider(api_url=server.url, token="github-token")  # seven seconds later
    assert polled(watcher, clock)[-1] == (2, 1, "failure")
    watcher.github.close()


def test_jobs_that_never_come_hold_back_no_failure(
    world: World, server: GithubServer, watcher: Watcher, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers._github.collection._PATIENCE", 0.2)
    server.fault(faults.hang(), path="*/jobs")
    world.github.repo("acme/web").run("failure")
    began = time.monotonic()
    assert polled(watcher, clock) == [(1, 1, "failure")]
    assert time.monotonic() - began < 10


def test_globs_discovery_and_probe_work_as_an_app() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

    def verify(signed: bytes, signature: bytes) -> bool:
        key.public_key().verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        return True

    world = World()  # on the real clock: signatures expire by it
    world.github.repo("acme/web").run()
    world.github.repo("acme/api").run()
    bot = App(id="77", slug="bw", installations={5: "acme"}, verify=verify)
    values = {"token": None, "app_id": 77, "private_key": pem, "installation_id": 5}
    with GithubServer(world.github, app=bot) as server:
        github = provider({"repo": "acme/*"}, api_url=server.url, **values)
        assert sorted(target.key for target in github.targets()) == ["acme/api", "acme/web"]
        assert {each.pipeline.name for each in github.discover()} == {"acme/api CI", "acme/web CI"}
        assert github.probe().identity == "app bw"
        assert github.probe().quota_limit == 5000
        github.close()


def test_a_backfill_reads_all_of_2500_runs(world: World, watcher: Watcher, clock: StillClock) -> None:
    repo = world.github.repo("acme/web")
    for number in range(2500):
        repo.run(started_ago=90_000 - number * 30, jobs=[])
    target = next(iter(watcher.github.targets()))
    since = clock() - timedelta(days=2)
    builds = [b for page in watcher.github.backfill(target, (), since, {}, clock()) for b in page.builds]
    assert sorted(build.number for build in builds) == list(range(1, 2501))
