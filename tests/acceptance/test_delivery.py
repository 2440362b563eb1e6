"""Many breaks at once, and a channel that is away: from the providers to Slack and mail, on both databases."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from domain.alert import Delivery, Notification, Reason
from simulator import faults
from simulator.house import Simulator
from store import alerts, outbox
from tests.support.daemon import Running, eventually, running
from tests.support.running_clock import RunningClock
from tests.support.scene import bot, cards, mail, replies, save, scene, subjects

MANY = 300
GROUP_WAIT = 300  # seconds

Pipelines = Callable[[Simulator, str], None]


def jobs(house: Simulator, result: str) -> None:
    """Every job of a Jenkins server has a new build."""
    for number in range(MANY):
        house.world.jenkins.job(f"team/job-{number:03}").build(result.upper())


def workflows(house: Simulator, result: str) -> None:
    """Every workflow of the repositories of a GitHub organisation has a new run."""
    for number in range(MANY):
        repo = house.world.github.repo(f"acme/repo-{number // 30:02}")
        workflow = f"w-{number:03}.yml"
        repo.workflow(workflow, f"job-{number:03}")
        repo.run(result, workflow=workflow)


def config(house: Simulator, store_url: str, folder: Path, *, github: bool = False) -> Path:
    """All of Jenkins or all of an organisation is watched, by a bot, a webhook and mail."""
    channels = {
        "bot": bot(house),
        "hook": {"kind": "slack", "webhook_url": house.slack_webhook_url},
        "mail": mail(house),
    }
    pipelines = [{"provider": "gh", "repo": "acme/*"} if github else {"provider": "ci", "job": "**"}]
    given = scene(house, store_url, channels=channels, pipelines=pipelines, group_wait=f"{GROUP_WAIT}s")
    return save(folder / "config.yaml", given)


def told(daemon: Running) -> dict[tuple[str, str], Counter[Reason]]:
    """What was sent about each alert on each channel."""
    found: dict[tuple[str, str], Counter[Reason]] = {}
    for view in daemon.database.read(lambda session: alerts.listing(session, all=True, limit=5000)):
        for each in view.notifications:
            key = f"{view.alert.scope.pipeline}/{view.alert.id}", each.channel
            found.setdefault(key, Counter())
            if each.delivery is Delivery.SENT and each.reason is not Reason.REFRESH:
                found[key][each.reason] += 1
    return found


def all_told(daemon: Running, *reasons: Reason) -> bool:
    """Whether every alert has exactly these messages on every channel."""
    found = told(daemon)
    return len(found) == 3 * MANY and all(each == Counter(reasons) for each in found.values())


def named(house: Simulator, start: int = 0) -> Counter[str]:
    """In how many mails each pipeline has a line; headlines do not count."""
    texts = [each.text().partition("\n")[2] for each in house.smtp.mails[start:]]
    names = [f"job-{number:03}" for number in range(MANY)]
    return Counter(name for text in texts for name in names if name in text)


def firing(daemon: Running) -> int:
    """How many alerts fire."""
    return len(daemon.database.read(lambda session: alerts.listing(session, limit=5000)))


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("build", "store_url"), [(jobs, "sqlite"), (jobs, "postgresql"), (workflows, "sqlite")], indirect=["store_url"]
)
def test_three_hundred_pipelines_that_fail_at_once_are_at_most_two_messages_a_channel(
    build: Pipelines, store_url: str, tmp_path: Path
) -> None:
    time = RunningClock()
    with Simulator(now=time.now) as house:
        house.github.rate_limits = False  # so many polls of so many repositories: pacing is not what this is about
        build(house, "success")
        with running(config(house, store_url, tmp_path, github=build is workflows), time.clock()) as daemon:
            eventually(daemon.daemon.first_round_done, within=150)
            build(house, "failure")
            eventually(lambda: firing(daemon) == MANY, within=150)  # on a slow machine, at once takes a while
            time.pass_by(seconds=GROUP_WAIT)
            eventually(lambda: all_told(daemon, Reason.FIRST), within=150)
            room = house.slack.room
            assert len(room("ci").messages) <= 2
            assert len(room("web").messages) <= 2
            assert len(subjects(house)) <= 2
            assert len(named(house)) == MANY
            assert set(named(house).values()) == {1}
            before = len(house.smtp.mails)
            build(house, "success")
            eventually(lambda: firing(daemon) == 0, within=150)
            time.pass_by(seconds=GROUP_WAIT)
            eventually(lambda: all_told(daemon, Reason.FIRST, Reason.RESOLVED), within=150)
            assert len(replies(house)) <= 4  # two for each of the two cards
            assert len(cards(house)) <= 2
            assert all("All" in text or "fixed" in text for text in cards(house)), cards(house)
            assert len(room("web").messages) <= 6
            assert len(subjects(house)) <= 6
            assert len(named(house, before)) == MANY
            assert set(named(house, before).values()) == {1}


def test_what_recovers_before_slack_takes_it_is_one_note(house: Simulator, store_url: str, tmp_path: Path) -> None:
    house.world.jenkins.job("api").build("SUCCESS")
    with running(config(house, store_url, tmp_path)) as daemon:
        eventually(daemon.daemon.first_round_done)
        house.slack.fault(faults.rate_limited(3))
        house.world.jenkins.job("api").build("FAILURE")
        eventually(lambda: subjects(house, "failed"))
        eventually(lambda: _errors(daemon, "bot"))
        house.world.jenkins.job("api").build("SUCCESS")
        eventually(lambda: subjects(house, "is fixed"))
        house.slack.heal()
        eventually(lambda: cards(house) and cards(house, room="web"))
        eventually(lambda: not _waiting(daemon))
    for room in ("ci", "web"):
        assert len(house.slack.room(room).messages) == 1
        assert ", and has recovered since" in cards(house, room=room)[0]


def _waiting(daemon: Running) -> list[Notification]:
    return daemon.database.read(lambda session: outbox.listing(session, delivery=Delivery.PENDING))


def _errors(daemon: Running, channel: str) -> list[str]:
    return [str(each.last_error) for each in _waiting(daemon) if each.channel == channel and each.last_error]
