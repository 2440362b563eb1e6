"""What a build comes to in the end: cancelled, overtaken, run again. From provider to sink, on both databases."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from domain.alert import Alert, AlertKind, AlertState
from domain.build import Outcome
from domain.testreport import TestCase, TestStatus
from simulator.github_world import Repository
from simulator.house import Simulator
from simulator.jenkins_world import Job
from store import alerts, awaited, builds
from store.schema import OUTCOMES
from store.schema import builds as table
from tests.support.daemon import Running, eventually, running
from tests.support.running_clock import RunningClock
from tests.support.scene import bot, cards, github, jenkins, mail, replies, save, subjects

JOB, REPOSITORY = "team/api", "acme/web"
DAY = timedelta(days=1)


@pytest.fixture
def time() -> RunningClock:
    return RunningClock()


@pytest.fixture
def house(time: RunningClock) -> Iterator[Simulator]:
    """One job and one repository that have always been green."""
    with Simulator(now=time.now) as simulator:
        for _ in range(3):
            job(simulator).build("SUCCESS")
            repository(simulator).run("success")
        yield simulator


def job(house: Simulator) -> Job:
    return house.world.jenkins.job(JOB)


def repository(house: Simulator, name: str = REPOSITORY) -> Repository:
    return house.world.github.repo(name)


def config(house: Simulator, store: str, folder: Path, **entry: Any) -> Path:
    """A job and all repositories of acme, which a bot and a mail server hear of. `entry` belongs to each entry."""
    written = {
        "store": {"url": store},
        "providers": {"ci": jenkins(house), "gh": github(house)},
        "pipelines": [
            {"provider": "ci", "job": "**", "branches": ["main", "release/*"], **entry},
            {"provider": "gh", "repo": "acme/*", **entry},
        ],
        "channels": {"bot": bot(house), "mail": mail(house)},
        "alerts": {"success_rate_drop": "off", "stuck": "off", "flapping": "off"},
        "routes": [{"to": ["bot", "mail"]}],
    }
    return save(folder / "config.yaml", written)


def quiet(daemon: Running) -> None:
    """Wait until everything has been polled once."""
    eventually(daemon.daemon.first_round_done)


def seen(daemon: Running, count: int, outcome: Outcome | None = None) -> None:
    """Wait until so many attempts of builds have been stored that have ended (in this way)."""
    ended = table.c.outcome.is_not(None) if outcome is None else table.c.outcome == OUTCOMES.index(outcome)
    query = select(func.count()).select_from(table).where(ended)
    eventually(lambda: daemon.database.read(lambda session: session.execute(query).scalar_one()) >= count)


def stored(daemon: Running) -> list[Alert]:
    """All alerts about failures."""
    listed = [view.alert for view in daemon.database.read(lambda session: alerts.listing(session, all=True))]
    return [alert for alert in listed if alert.kind is AlertKind.FAILURE]


def firing(daemon: Running) -> list[Alert]:
    return [each for each in stored(daemon) if each.state is AlertState.FIRING]


def fixed(house: Simulator, daemon: Running, count: int) -> None:
    """Wait until so many cards, and no other, have turned to fixed, and so many mails have said so."""
    eventually(lambda: len(cards(house, "is fixed")) == count == len(cards(house)) and not firing(daemon))
    eventually(lambda: len(subjects(house, "is fixed")) == count)


def test_1_aborted_builds_between_failures_make_one_message_and_one_fix(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    words = {"FAILURE": "failure", "ABORTED": "cancelled", "SUCCESS": "success"}
    with running(config(house, store_url, tmp_path), time.clock()) as daemon:
        quiet(daemon)
        for count, how in enumerate(["FAILURE", "ABORTED", "FAILURE", "ABORTED", "SUCCESS"], 7):
            job(house).build(how, interrupted_by="user" if how == "ABORTED" else None)
            repository(house).run(words[how])
            seen(daemon, 2 * count - 6)
            eventually(lambda: len(cards(house)) == 2)  # or it would be told as one that has recovered since
        fixed(house, daemon, 2)
        assert len(subjects(house)) == 4
        assert {alert.evidence["failures"] for alert in stored(daemon)} == {2}


def test_2_a_pass_fixes_what_was_broken_while_a_later_build_still_runs(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    with running(config(house, store_url, tmp_path), time.clock()) as daemon:
        quiet(daemon)
        job(house).build("FAILURE")
        repository(house).run("failure")
        second, third = job(house).start(), job(house).start()
        run_2, run_3 = repository(house).start(), repository(house).start()
        eventually(lambda: len(cards(house, "failed")) == 2)
        second.finish("SUCCESS")
        run_2.finish("success")
        fixed(house, daemon, 2)
        assert {alert.evidence["fixed_by"]["number"] for alert in stored(daemon)} == {5}
        third.finish("SUCCESS")
        run_3.finish("success")
        seen(daemon, 12)
        assert len(stored(daemon)) == 2


def test_3_older_builds_that_pass_late_do_not_fix_what_the_newest_has_broken(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    with running(config(house, store_url, tmp_path), time.clock()) as daemon:
        quiet(daemon)
        older = [job(house).start(), job(house).start()]
        runs = [repository(house).start(), repository(house).start()]
        job(house).build("FAILURE")
        repository(house).run("failure")
        eventually(lambda: len(cards(house, "failed")) == 2)
        for build, run in zip(older, runs, strict=True):
            build.finish("SUCCESS")
            run.finish("success")
        seen(daemon, 12)
        assert {alert.evidence["last_passed"]["number"] for alert in firing(daemon)} == {5}
    assert (len(cards(house, "failed")), len(cards(house)), replies(house, "fixed")) == (2, 2, [])


def test_4_a_rerun_that_passes_turns_the_message_into_a_recovery_and_breaks_no_streak(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    with running(config(house, store_url, tmp_path), time.clock()) as daemon:
        quiet(daemon)
        run = repository(house).run("failure")
        job(house).build("FAILURE", commit="c" * 40)
        eventually(lambda: len(cards(house, "failed")) == 2)
        run.rerun("cancelled")
        seen(daemon, 1, Outcome.CANCELLED)
        run.rerun(None, duration=None)  # and this one waits for a runner
        eventually(lambda: daemon.database.read(lambda session: builds.unfinished(session, "gh")))
        assert len(firing(daemon)) == 2
        run.finish("success")
        job(house).build("SUCCESS", commit="c" * 40)  # Jenkins counts no attempts
        eventually(lambda: len(cards(house, "has recovered on re-run")) == 2)
        eventually(lambda: len(subjects(house, "has recovered on re-run")) == 2)
        assert len(cards(house)) == 2
        assert all(alert.evidence["flaky"] for alert in stored(daemon))
        repository(house).run("failure")
        eventually(lambda: len(firing(daemon)) == 1)
        assert firing(daemon)[0].evidence["last_passed"]["number"] == 4


def test_4_with_a_wait_a_rerun_that_passes_in_time_is_told_to_nobody(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    path = config(house, store_url, tmp_path, rerun={"wait": "10m"})
    with running(path, time.clock()) as daemon:
        quiet(daemon)
        run = repository(house).run("failure")
        job(house).build("FAILURE", commit="c" * 40)
        eventually(lambda: len(daemon.database.read(awaited.all)) == 2)
        run.rerun("success")
        job(house).build("SUCCESS", commit="c" * 40)
        eventually(lambda: daemon.database.read(awaited.all) == [])
        never_run_again = repository(house).run("failure")
        eventually(lambda: len(daemon.database.read(awaited.all)) == 1)
        assert stored(daemon) == []
    time.pass_by(minutes=11)
    with running(path, time.clock()) as daemon:  # what is awaited survives a restart
        eventually(lambda: len(cards(house, "failed")) == 1 == len(subjects(house, "failed")))
        never_run_again.rerun("success")
        eventually(lambda: cards(house, "has recovered on re-run"))
        stuck = repository(house).run("failure")
        stuck.rerun(None, duration=None)
        eventually(lambda: len(daemon.database.read(awaited.all)) == 1)
        time.pass_by(minutes=100)
        eventually(lambda: daemon.database.read(lambda session: builds.unfinished(session, "gh")))
        assert firing(daemon) == []
        time.pass_by(minutes=30)
        eventually(lambda: len(cards(house, "failed")) == 1)
        assert len(stored(daemon)) == 2


def test_5_what_was_cancelled_by_nobody_is_a_timeout_or_an_error(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    world = house.world.github
    too_long = "The job running on runner GitHub Actions 7 has exceeded the maximum execution time of 360 minutes."
    ends: Mapping[str, tuple[str, dict[str, Any]]] = {
        "acme/slow": ("cancelled", {"jobs": [world.job("test", "cancelled", annotation=too_long)]}),
        "acme/queue": ("cancelled", {"queued_for": DAY, "jobs": [world.job("test", "cancelled", begun=False)]}),
        "acme/idle": ("failure", {"jobs": [world.job("test", "cancelled", begun=False)]}),
        "acme/person": ("cancelled", {}),
    }
    for name in ends:
        repository(house, name).run("success", started_ago=2 * DAY)
    with running(config(house, store_url, tmp_path), time.clock()) as daemon:
        quiet(daemon)
        for name, (conclusion, details) in ends.items():
            repository(house, name).run(conclusion, **details)
        job(house).build("ABORTED", interrupted_by="timeout")
        house.world.jenkins.job("team/aborted").build("SUCCESS")
        house.world.jenkins.job("team/aborted").build("ABORTED", interrupted_by="user")
        eventually(lambda: len(firing(daemon)) == 4)
        seen(daemon, 2, Outcome.CANCELLED)
        seen(daemon, 2, Outcome.ERROR)
        seen(daemon, 2, Outcome.TIMEOUT)
        told = "".join(message.words() for message in house.slack.messages)
        eventually(lambda: too_long in "".join(message.words() for message in house.slack.messages), within=5)
        for name in ends:
            repository(house, name).run("success")
        job(house).build("SUCCESS")
        eventually(lambda: firing(daemon) == [])
        assert "person" not in told
        named = {alert.scope.pipeline for alert in stored(daemon)}
        workflow = ".github/workflows/ci.yml"
        assert named == {JOB, *(f"acme/{name}/{workflow}" for name in ("slow", "queue", "idle"))}


def test_12_a_fork_whose_branch_is_called_main_says_nothing(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    with running(config(house, store_url, tmp_path), time.clock()) as daemon:
        quiet(daemon)
        for event in ("pull_request", "workflow_run", "push"):
            repository(house).run("failure", event=event, head_repository="eve/web")
        repository(house).run("failure", event="pull_request", head_repository=None)
        seen(daemon, 4, Outcome.FAILURE)
        assert stored(daemon) == []
        repository(house).run("failure")
        eventually(lambda: len(cards(house)) == 1 == len(subjects(house)))
        assert [alert.evidence["first_failed"]["number"] for alert in stored(daemon)] == [8]


def test_13_an_unstable_build_with_new_failing_tests_is_one_message(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    def case(name: str, status: TestStatus) -> TestCase:
        return TestCase(suite="orders", name=name, status=status)

    with running(config(house, store_url, tmp_path), time.clock()) as daemon:
        quiet(daemon)
        red = [case("adds", TestStatus.FAILED), case("rounds", TestStatus.PASSED)]
        job(house).build("UNSTABLE", tests=red)
        eventually(lambda: len(cards(house)) == 1 == len(subjects(house)))
        seen(daemon, 1, Outcome.UNSTABLE)
        assert firing(daemon)[0].evidence["failures"] == 1
        job(house).build("SUCCESS", tests=[case("adds", TestStatus.PASSED)])
        fixed(house, daemon, 1)
    assert len(subjects(house)) == 2


def test_a_merge_queue_is_one_stream_whatever_waits_in_it(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    def queued(conclusion: str, pull: int) -> None:
        branch = f"gh-readonly-queue/main/pr-{pull}-0a1b2c"
        repository(house).run(conclusion, event="merge_group", branch=branch)

    with running(config(house, store_url, tmp_path), time.clock()) as daemon:
        quiet(daemon)
        queued("success", 1)
        seen(daemon, 7)
        queued("failure", 2)
        eventually(lambda: len(cards(house, "failed")) == 1)
        queued("success", 3)
        fixed(house, daemon, 1)
        assert [alert.scope.branch for alert in stored(daemon)] == ["gh-readonly-queue/main"]


def test_the_alert_of_a_branch_that_is_deleted_is_closed(
    house: Simulator, time: RunningClock, store_url: str, tmp_path: Path
) -> None:
    project = house.world.jenkins.multibranch("shop/checkout", ["main", "release/1"])
    project.build(branch="main")
    project.build(branch="release/1")
    with running(config(house, store_url, tmp_path), time.clock()) as daemon:
        quiet(daemon)
        project.build("FAILURE", branch="release/1")
        eventually(lambda: len(cards(house, "failed")) == 1 == len(subjects(house)))
        project.branch("release/1").delete()
        eventually(lambda: len(cards(house, "the branch is gone")) == 1 == len(subjects(house, "the branch is gone")))
        assert [alert.state for alert in stored(daemon)] == [AlertState.CLOSED]
