"""What the daemon writes down about itself, so that `status` in another process can tell."""

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from metrics.live import DAY, Live
from poller.config import Configuration
from poller.delivery.courier import ChannelStatus
from poller.reload import Broken
from poller.startup import record_alive, record_return
from poller.watching.polling import POLLS, Polling
from providers._base import Target, TellsQuota
from store import changes, notes
from store.changes import Kind
from store.engine import Session

DAEMON = "daemon"
CONFIGURATION = "configuration"
CHANNELS = notes.CHANNELS
WEB = "web"


def record_start(session: Session, configuration: Configuration, now: datetime) -> None:
    """A daemon has started with this configuration."""
    value = {"since": now.isoformat(), "pid": os.getpid(), "host": socket.gethostname()}
    notes.put(session, DAEMON, value, now)
    record_return(session, now)
    record_configuration(session, configuration, None, now, started=True)


def record_configuration(
    session: Session, configuration: Configuration, broken: Broken | None, now: datetime, *, started: bool = False
) -> None:
    """Which configuration is in use and since when, and why not the one on disk."""
    note = notes.get(session, CONFIGURATION)
    before = note.value if note else {}
    is_same = before.get("hash") == configuration.loaded and before.get("path") == str(configuration.path)
    value = {
        "path": str(configuration.path),
        "loaded_at": before["loaded_at"] if is_same and not started else now.isoformat(),
        "hash": configuration.loaded,
        "error": broken.text if broken else None,
    }
    notes.put(session, CONFIGURATION, value, now)
    changes.note(session, Kind.CONFIGURATION)


def record_standing(
    session: Session, channels: Mapping[str, ChannelStatus], polling: Polling, targets: list[Target], now: datetime
) -> None:
    """That we work, how the channels are, when each target was last polled with success, and how often all were."""
    record_alive(session, now)
    polling.counts.save(session, now)
    notes.put(session, CHANNELS, {name: asdict(status) for name, status in channels.items()}, now)
    quotas = {name: each.quota() for name, each in polling.providers.items() if isinstance(each, TellsQuota)}
    notes.put(session, notes.QUOTAS, {name: asdict(each) for name, each in quotas.items() if each is not None}, now)
    polls = {str(target): polling.memory_of(target).last_poll for target in targets}
    moments = {name: moment.isoformat() for name, moment in polls.items() if moment}
    notes.put(session, POLLS, _of_unlisted(session, polling, targets) | moments, now)


def record_web(session: Session, standing: Mapping[str, Any], now: datetime) -> None:
    """Where the web server of the daemon listens, and why it does not answer when it should: {"url", "trouble"}."""
    note = notes.get(session, WEB)
    if note is None or note.value != standing:
        notes.put(session, WEB, standing, now)


def _of_unlisted(session: Session, polling: Polling, targets: list[Target]) -> dict[str, str]:
    """What is known of the targets of providers that have not said yet what to poll: right after the start, say."""
    unlisted = polling.providers.keys() - {target.provider for target in targets}
    stored = notes.get(session, POLLS)
    known: dict[str, str] = stored.value if stored else {}
    return {name: moment for name, moment in known.items() if any(name.startswith(f"{each}:") for each in unlisted)}


def in_a_line(polling: Polling, targets: list[Target], live: Live, now: datetime) -> str:
    """How everything is: what `systemctl status` shows."""
    failing = [name for name, health in polling.health.items() if health.facts.failing_since]
    day = live.summaries(DAY, now).values()
    passed, failed = sum(each.passed for each in day), sum(each.failed for each in day)
    text = f"{len(targets)} targets of {len(polling.providers)} providers"
    if passed + failed:
        text += f", {passed} of {passed + failed} builds passed in 24 h"
    return text + (f", not answering: {', '.join(failing)}" if failing else "")
