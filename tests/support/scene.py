"""What the tests of faults share: configurations over the simulator, and what people see in the end.

Configurations are dictionaries here: JSON is YAML, and a test changes a key more easily than a text.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from simulator.house import Simulator
from store import builds, pipelines
from store.engine import Database

Section = dict[str, Any]

ROOT = Path(__file__).parents[2]

EVERY = 0.5  # seconds between two polls


def jenkins(house: Simulator, **changes: Any) -> Section:
    """The simulated Jenkins under `providers:`."""
    address = {"url": house.jenkins_url, "username": "bot", "token": house.jenkins_token}
    return {"kind": "jenkins", **address, "poll_every": f"{EVERY}s", **changes}


def github(house: Simulator, **changes: Any) -> Section:
    """The simulated GitHub under `providers:`."""
    address = {"api_url": house.github_url, "token": house.github_token}
    return {"kind": "github", **address, "poll_every": f"{EVERY}s", **changes}


def bot(house: Simulator, **changes: Any) -> Section:
    """The Slack channel #ci by bot token, under `channels:`."""
    return {"kind": "slack", "token": house.slack_token, "channel": "#ci", "api_url": house.slack_api_url, **changes}


def mail(house: Simulator, **changes: Any) -> Section:
    """Mail to team@example.com, under `channels:`."""
    server = {"host": house.smtp_host, "port": house.smtp_port, "starttls": False}
    return {"kind": "smtp", **server, "from": "ci@example.com", "to": ["team@example.com"], **changes}


def scene(house: Simulator, store: str, **changes: Any) -> Section:
    """A whole configuration: every job of Jenkins, acme/web on GitHub, a bot and mail."""
    return {
        "store": {"url": store},
        "providers": {"ci": jenkins(house), "gh": github(house)},
        "pipelines": [{"provider": "ci", "job": "**"}, {"provider": "gh", "repo": "acme/web"}],
        "channels": {"bot": bot(house), "mail": mail(house)},
        "alerts": {"success_rate_drop": "off", "provider_unreachable": {"after": 3, "lasting": "1s"}},
        **changes,
    }


def save(path: Path, configuration: Section) -> Path:
    """Write a configuration as an editor does; returns the path."""
    path.write_text(json.dumps(configuration, indent=2))
    path.chmod(0o600)
    return path


def cards(house: Simulator, word: str = "", room: str = "ci") -> list[str]:
    """The first lines of the cards in a Slack channel as they stand now, oldest first."""
    return [each.text for each in house.slack.room(room).messages if not each.thread_ts and word in each.text]


def replies(house: Simulator, word: str = "") -> list[str]:
    """What stands in the threads under the cards."""
    return [message.text for message in house.slack.messages if message.thread_ts and word in message.text]


def subjects(house: Simulator, word: str = "") -> list[str]:
    """The subjects of the mails that were accepted, oldest first."""
    return [mail.subject for mail in house.smtp.mails if word in mail.subject]


def stored(database: Database, provider: str, key: str) -> list[int]:
    """The numbers of the stored builds of a pipeline, oldest first; `key` may be a glob."""
    views = database.read(lambda session: builds.recent(session, pipelines=key, limit=100_000))
    return sorted(view.build.number for view in views if view.build.pipeline.provider == provider)


def missing(database: Database) -> list[str]:
    """The pipelines that count as gone."""
    return [each.pipeline.key for each in database.read(pipelines.all) if each.missing_since]


def command(config: Path, *arguments: str) -> str:
    """Everything that a command prints, run as a process of its own."""
    line = [sys.executable, "-m", "poller", *arguments, "--config", str(config)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr
