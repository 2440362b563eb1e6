"""What time alone changes, from the provider to Slack, through the running daemon on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from simulator import faults
from simulator.house import Simulator
from store import pace
from tests.support.daemon import Running, eventually, running
from tests.support.running_clock import RunningClock
from tests.support.scene import bot, cards, github, jenkins, save

WORKFLOW = "nightly.yml"


@pytest.fixture
def time() -> RunningClock:
    return RunningClock()


@pytest.fixture
def house(time: RunningClock) -> Iterator[Simulator]:
    with Simulator(now=time.now) as simulator:
        yield simulator


def config(house: Simulator, store: str, path: Path, *, only: str | None = None) -> Path:
    """Both servers, or `only` one of them; on each a build is expected every day."""
    providers = {"ci": jenkins(house), "gh": github(house)}
    expect = {"every": "24h", "grace": "1h"}
    entries = [{"provider": "ci", "job": "team/*"}, {"provider": "gh", "repo": "acme/web"}]
    written = {
        "store": {"url": store},
        "providers": {name: each for name, each in providers.items() if only in {None, name}},
        "pipelines": [{**entry, "expect": expect} for entry in entries if only in {None, entry["provider"]}],
        "channels": {"bot": bot(house)},
        "alerts": {"provider_unreachable": {"after": 2, "lasting": "1s"}},
    }
    return save(path / "config.yaml", written)


def unfinished(daemon: Running) -> list[pace.GoingOn]:
    return daemon.database.read(pace.going_on)


def looked(daemon: Running, time: RunningClock) -> bool:
    """Whether all has been read since the last time that passed at once, and judged."""
    polling, now = daemon.daemon._polling, time.now()
    targets = daemon.daemon._schedule.targets()
    return all(
        (m := polling.memory_of(each)).last_poll and now - m.last_poll < timedelta(seconds=30) for each in targets
    )


def quiet(daemon: Running) -> None:
    """Wait until everything has been polled once."""
    eventually(daemon.daemon.first_round_done)


def test_what_is_not_built_any_more_is_stale_with_the_reason_until_it_builds_again(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    job, repository = house.world.jenkins.job("team/nightly"), house.world.github.repo("acme/web")
    job.build("SUCCESS")
    repository.run("success", workflow=WORKFLOW)
    with running(config(house, store_url, tmp_path), time.clock()) as daemon:
        quiet(daemon)
        job.buildable = False
        repository.workflow(WORKFLOW).state = "disabled_inactivity"
        time.pass_by(hours=24, minutes=30)
        eventually(lambda: looked(daemon, time))
        assert cards(house) == []
        time.pass_by(minutes=45)
        eventually(lambda: len(cards(house)) == 2)
        (one,), (other,) = cards(house, "team/nightly"), cards(house, "acme/web")
        assert "no build for 1 d 1 h" in one
        assert one.endswith("expected every 1 d: the job is disabled")
        assert "GitHub disabled the schedule after 60 days without activity" in other
        repository.workflow(WORKFLOW).state = "active"
        repository.run("failure", workflow=WORKFLOW)
        job.buildable = True
        job.start()
        eventually(lambda: len(cards(house, "builds again: #2 after 1 d 1 h")) == 2)
        eventually(lambda: len(cards(house)) == 3, within=1)
        assert len(cards(house, "failed")) == 1


def test_what_was_stale_or_failing_at_first_contact_is_one_summary(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    house.world.jenkins.job("team/old").build("SUCCESS")
    house.world.jenkins.job("team/broken").build("FAILURE")
    house.world.jenkins.job("team/old").buildable = False
    time.pass_by(hours=30)
    house.world.jenkins.job("team/broken").build("FAILURE")
    with running(config(house, store_url, tmp_path, only="ci"), time.clock()) as daemon:
        quiet(daemon)
        eventually(lambda: cards(house))
        (summary,) = [str(message.blocks) for message in house.slack.messages]
        assert "2 pipelines already need attention" in cards(house)[0]
        assert "the job is disabled" in summary
        house.world.jenkins.job("team/old").build("SUCCESS")
        eventually(lambda: cards(house, "team/old builds again: #2"))


def test_a_build_that_hangs_is_told_while_it_runs_and_again_when_it_ends(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    job = house.world.jenkins.job("team/api")
    for _ in range(6):
        job.build("SUCCESS", duration=60)
    with running(config(house, store_url, tmp_path, only="ci"), time.clock()) as daemon:
        quiet(daemon)
        hanging = job.start()
        eventually(lambda: unfinished(daemon))
        time.pass_by(minutes=20)
        eventually(lambda: cards(house, "has a stuck build: #7 has been running for 20 m"))
        hanging.finish("ABORTED")
        eventually(lambda: cards(house, "is not stuck any more: #7 was cancelled after 20 m"))
        assert len(cards(house)) == 1


def test_a_run_that_no_runner_takes_is_told_and_its_start_too(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    repository = house.world.github.repo("acme/web")
    repository.run("success")
    with running(config(house, store_url, tmp_path, only="gh"), time.clock()) as daemon:
        quiet(daemon)
        repository.run(None, started_ago=-45 * 60, queued_for=45 * 60, duration=600)
        repository.run(None, started_ago=-90 * 60, queued_for=90 * 60, duration=None, status="waiting")
        eventually(lambda: len(unfinished(daemon)) == 2)
        time.pass_by(minutes=35)
        eventually(lambda: cards(house, "#2 has been waiting in the queue for 35 m"))
        time.pass_by(minutes=11)
        eventually(lambda: cards(house, "is not stuck any more: #2 started after 46 m"))
        assert len(cards(house)) == 1


def test_a_build_that_no_executor_takes_is_told_though_jenkins_lists_it_nowhere_but_in_its_queue(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    job = house.world.jenkins.job("team/api")
    job.build("SUCCESS")
    with running(config(house, store_url, tmp_path, only="ci"), time.clock()) as daemon:
        quiet(daemon)
        job.build("SUCCESS", started_ago=-45 * 60, queued_for=45 * 60)
        time.pass_by(minutes=31)
        eventually(lambda: cards(house, "team/api has a build waiting in the queue for 31 m"))
        assert cards(house)[0].endswith(": Waiting for next available executor")
        time.pass_by(minutes=15)
        eventually(lambda: cards(house, "is not stuck any more: a build left the queue after 46 m"))
        assert len(cards(house)) == 1


@pytest.mark.parametrize("which", ["ci", "gh"])
def test_html_instead_of_json_is_one_alert_and_freezes_what_lies_behind_it(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path, which: str
) -> None:
    job, repository = house.world.jenkins.job("team/nightly"), house.world.github.repo("acme/web")
    job.build("SUCCESS")
    repository.run("success")
    server = house.jenkins if which == "ci" else house.github
    with running(config(house, store_url, tmp_path), time.clock()) as daemon:
        quiet(daemon)
        server.fault(faults.html())
        eventually(lambda: cards(house, f"{which} answers, but not as a CI server does"))
        time.pass_by(hours=26)
        other = "acme/web" if which == "ci" else "team/nightly"
        eventually(lambda: cards(house, "no build for"))
        assert [other in card for card in cards(house, "no build for")] == [True]
        if which == "ci":
            job.build("FAILURE")
        else:
            repository.run("failure")
        server.heal()
        eventually(lambda: cards(house, "failed"))
        assert len(cards(house, "answers again")) == 1
        eventually(lambda: len(cards(house)) == 3)
        told = [m for m in house.slack.messages if m.thread_ts and "answers again" in m.text]
        broke = [m for m in house.slack.messages if not m.thread_ts and "failed" in m.text]
        assert told[0].ts < broke[0].ts
