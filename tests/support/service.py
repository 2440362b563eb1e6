"""buildwatch as a service of systemd, seen from outside."""

import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from simulator.house import Simulator
from tests.support.daemon import eventually
from tests.support.machine import Machine

UNIT = "buildwatch.service"

CONFIG = """\
store:
  url: sqlite:///buildwatch.db
providers:
  ci:
    kind: jenkins
    url: {house.jenkins_url}
    username: bot
    token: ${{credential:jenkins_token}}
    poll_every: 1s
pipelines:
  - {{provider: ci, job: team/*}}
channels:
  bot:
    kind: slack
    token: ${{SLACK_TOKEN}}
    channel: "#ci"
    api_url: {house.slack_api_url}
"""


class Service:
    """buildwatch as systemd sees it."""

    installed: CompletedProcess[str]  # what `buildwatch install-service` answered

    def __init__(self, machine: Machine, house: Simulator) -> None:
        self.machine = machine
        self.house = house

    @property
    def config(self) -> Path:
        """The config.yaml it reads."""
        return self.machine.root / "etc" / "buildwatch" / "config.yaml"

    def show(self, name: str) -> str:
        """A property of the unit."""
        return self.machine.ask("systemctl", "show", "--value", f"--property={name}", UNIT)

    def pid(self) -> int:
        """Its main process."""
        return int(self.show("MainPID"))

    def journal(self, *options: str) -> list[dict[str, Any]]:
        """What the unit has logged, as objects."""
        lines = self.machine.ask("journalctl", "--output=json", "--quiet", f"--unit={UNIT}", *options).splitlines()
        return [json.loads(line) for line in lines]

    def said(self, *options: str) -> str:
        """What the unit has logged, as text."""
        return "\n".join(str(entry["MESSAGE"]) for entry in self.journal(*options))

    def is_back(self, earlier: int) -> bool:
        """Whether another process than the earlier one is up and ready."""
        return self.pid() not in {0, earlier} and self.show("ActiveState") == "active"

    def cards(self) -> list[str]:
        """The alerts in Slack, without what was said in their threads."""
        return [message.text for message in self.house.slack.messages if message.thread_ts is None]

    def polls(self) -> int:
        """How often Jenkins was asked."""
        return len(self.house.jenkins.asked("*"))

    def goes_on(self) -> None:
        """Wait for one more poll."""
        before = self.polls()
        eventually(lambda: self.polls() > before + 1)


def configure(service: Service) -> None:
    """What an administrator writes: config.yaml, a credential, a file with variables."""
    etc = service.config.parent
    (etc / "credentials").mkdir(parents=True)
    service.config.write_text(CONFIG.format(house=service.house))
    (etc / "credentials" / "jenkins_token").write_text(f"{service.house.jenkins_token}\n")
    (etc / "environment").write_text(f"SLACK_TOKEN={service.house.slack_token}\n")
    for path in (etc / "environment", etc / "credentials" / "jenkins_token"):
        path.chmod(0o600)
