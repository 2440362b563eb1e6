"""From config.yaml to Slack and mail, through the running daemon, on both databases."""

from pathlib import Path

import pytest

from simulator.house import Simulator
from tests.support.daemon import Running, eventually, running

CONFIG = """
store:
  url: {store}
providers:
  nsp:
    kind: jenkins
    url: {house.jenkins_url}
    username: bot
    token: {house.jenkins_token}
    poll_every: 1s
  github:
    kind: github
    api_url: {house.github_url}
    token: {house.github_token}
    poll_every: 1s
pipelines:
  - {{provider: nsp, job: team/*, labels: {{team: payments}}}}
  - {{provider: nsp, job: shop/checkout}}
  - {{provider: github, repo: acme/web}}
channels:
  slack:
    kind: slack
    token: {house.slack_token}
    channel: "#ci"
    api_url: {house.slack_api_url}
  mail:
    kind: smtp
    host: {house.smtp_host}
    port: {house.smtp_port}
    starttls: false
    from: CI <ci@example.com>
    to: [team@example.com]
routes:
  - to: [slack, mail]
"""


@pytest.fixture
def config(house: Simulator, store_url: str, tmp_path: Path) -> Path:
    """Green history everywhere, and the configuration that watches it."""
    jenkins, github = house.world.jenkins, house.world.github
    for name in ("team/api", "team/worker"):
        for _ in range(3):
            jenkins.job(name).build("SUCCESS")
    checkout = jenkins.multibranch("shop/checkout", ["main", "feature/x"])
    checkout.branch("main").build("SUCCESS")
    for _ in range(3):
        github.repo("acme/web").run("success")
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(store=store_url, house=house))
    return path


def cards(house: Simulator) -> list[str]:
    return [message.text for message in house.slack.messages if message.thread_ts is None]


def subjects(house: Simulator) -> list[str]:
    return [mail.subject for mail in house.smtp.mails]


def settled(daemon: Running) -> None:
    """Wait until every provider has been polled once."""
    eventually(daemon.daemon.first_round_done)


def test_a_break_is_one_card_and_one_mail_and_its_fix_one_of_each(house: Simulator, config: Path) -> None:
    with running(config) as daemon:
        settled(daemon)
        assert cards(house) == []
        house.world.jenkins.job("team/api").build("FAILURE")
        house.world.github.repo("acme/web").run("failure")
        house.world.jenkins.multibranch("shop/checkout").branch("main").build("FAILURE")
        eventually(lambda: len(cards(house)) == 3 and len(subjects(house)) == 3)
        house.world.jenkins.job("team/api").build("FAILURE")
        house.world.jenkins.multibranch("shop/checkout").branch("feature/x").build("FAILURE")
        house.world.github.repo("acme/web").run("failure", event="pull_request", head_repository="eve/web")
        text = "\n".join(str(message.blocks) for message in house.slack.messages)
        for expected in ("team/api", "acme/web", "shop/checkout", "main", "#4", "/job/team/job/api/4/", "1 in a row"):
            assert expected in text, expected
        house.world.jenkins.job("team/api").build("SUCCESS")
        house.world.github.repo("acme/web").run("success")
        house.world.jenkins.multibranch("shop/checkout").branch("main").build("SUCCESS")
        eventually(lambda: len(subjects(house)) == 6)
        eventually(lambda: sum("is fixed" in card for card in cards(house)) == 3)
    assert len(cards(house)) == 3
    assert sum("is fixed" in subject for subject in subjects(house)) == 3
    with running(config) as daemon:  # nothing new: a restart says nothing
        settled(daemon)
    assert len(cards(house)) == 3
    assert len(subjects(house)) == 6


def test_what_broke_while_the_daemon_was_down_is_told_once(house: Simulator, config: Path) -> None:
    with running(config) as daemon:
        settled(daemon)
    house.world.jenkins.job("team/worker").build("FAILURE")
    house.world.github.repo("acme/web").run("failure")
    with running(config) as daemon:
        eventually(lambda: len(cards(house)) == 2 and len(subjects(house)) == 2)
        settled(daemon)


def test_what_was_broken_at_first_contact_is_one_summary(house: Simulator, config: Path) -> None:
    house.world.jenkins.job("team/api").build("FAILURE")
    house.world.jenkins.job("team/worker").build("FAILURE")
    house.world.github.repo("acme/web").run("failure")
    with running(config):
        eventually(lambda: len(cards(house)) == 1 and len(subjects(house)) == 1)
        house.world.jenkins.job("team/api").build("SUCCESS")
        eventually(lambda: len(subjects(house)) == 2)
    assert "is fixed" in subjects(house)[-1]


def test_a_pipeline_added_while_running_is_polled_within_two_seconds(house: Simulator, config: Path) -> None:
    house.world.jenkins.job("late/newcomer").build("SUCCESS")
    with running(config) as daemon:
        settled(daemon)
        before = config.read_text()
        config.write_text(before.replace("channels:", "  - {provider: nsp, job: late/newcomer}\nchannels:"))
        eventually(lambda: daemon.knows("nsp", "late/newcomer"), within=2.5)
        house.world.jenkins.job("late/newcomer").build("FAILURE")
        eventually(lambda: len(cards(house)) == 1)
        config.write_text("providers: {")
        house.world.jenkins.job("team/api").build("FAILURE")
        eventually(lambda: len(cards(house)) == 2)  # the old configuration goes on
