"""A day of a thousand pipelines through the daemon's own parts: how many messages, of which kinds, and is any lost?

`python -m bench.day [--quick] [--wait=10m]`. Polls, timers and couriers do what they do in the daemon, by a clock that
jumps. Days of history lie before, so that rates, durations and gaps have something to be compared with. On the day
builds are flaky and break for real, a cloud is down for an hour, and so is a server.
"""

import argparse
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.breaks import MINUTE, START, Break, Mix
from bench.measure import goal, heading, note, peak, rows
from bench.world import BUILDS_A_DAY, CLOUD_DOWN, DAY, PROVIDERS, Watch, World, make_world
from domain.alert import Alert, AlertKind, AlertState, Delivery, Notification, Reason
from poller.config import Configuration, load
from poller.proof import selfcheck
from store import proof
from store.engine import Session, open_database

AFTERWARDS = timedelta(hours=3)  # everything has settled and is told
ENDINGS = frozenset({Reason.RESOLVED, Reason.CLOSED})
CONFIG = """\
store: {{url: "sqlite:///{folder}/store.db"}}
providers:
{providers}
pipelines:
{entries}
channels:
  bot: {{kind: slack, token: xoxb-1, channel: "#ci"}}
  webhook: {{kind: slack, webhook_url: "https://hooks.example.com/x"}}
routes: [{{to: [bot, webhook]}}]
defaults: {{rerun: {{wait: {wait}}}, expect: auto}}
"""
Rows = Sequence[tuple[Alert, Notification]]


def configured(folder: Path, wait: str) -> Configuration:
    names = [f"ci-{number}" for number in range(PROVIDERS)]
    account = "username: bot, token: secret"
    providers = "\n".join(
        f'  {name}: {{kind: jenkins, url: "https://{name}.example.com/", {account}}}' for name in names
    )
    entries = "\n".join(f'  - {{provider: {name}, job: "**"}}' for name in names)
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(folder=folder, wait=wait, providers=providers, entries=entries))
    config.chmod(0o600)
    return load(config, environ={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What became of it."""

    world: World
    watch: Watch
    rows: Rows  # what came into the outbox, with the alerts as they are in the end
    proof: Mapping[str, Any]  # the last check of the nightly proof


def live(world: World, wait: str, folder: Path, until: datetime = START + DAY + AFTERWARDS) -> Day:
    """The day, from the first build of its history to the last message."""
    configuration = configured(folder, wait)
    database = open_database(configuration.store.url.get_secret_value())
    watch = Watch(database, configuration, world)
    watch.remember(world.history)
    watch.live(until)

    def checked(session: Session) -> Mapping[str, Any]:
        return selfcheck.check(session, configuration, until)

    found = Day(
        world=world,
        watch=watch,
        proof=database.transact(checked),
        rows=database.read(lambda session: proof.written_since(session, START)),
    )
    database.close()
    return found


def show_messages(day: Day) -> None:
    for screen in day.watch.screens:
        reasons = [reason for reason in Reason if any(its is reason for _, its in screen.messages)]
        kinds = sorted({kind for kind, _ in screen.messages})
        heading(f"{screen.name}: {screen.messages.total():,} messages ({_acts(screen.acts)})")
        lines = [[kind, *(screen.messages[kind, reason] or "" for reason in reasons)] for kind in kinds]
        rows(["of the alert that leads", *reasons], lines)
        told = Counter((row.reason, alert.kind) for alert, row in day.rows if row.channel == screen.name)
        lines = [[kind, *(told[reason, kind] or "" for reason in reasons)] for kind in AlertKind if _any(told, kind)]
        rows(["alerts told in them", *reasons], lines)


def _any(told: Mapping[tuple[Reason, AlertKind], int], kind: AlertKind) -> bool:
    return any(its is kind for _, its in told)


def _acts(acts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {act}" for act, count in sorted(acts.items()))


def show_breaks(day: Day) -> int:
    """How many of the real breaks nobody heard of."""
    missed = 0
    table = []
    for screen in day.watch.screens:
        told = _told(day.rows, screen.name)
        delays = [_delay(each, told) for each in day.world.breaks]
        late = sorted(delay / MINUTE for delay in delays if delay is not None)
        missed += len(delays) - len(late)
        figures = (statistics.median(late), late[int(0.99 * len(late))], late[-1]) if late else (0, 0, 0)
        table.append((screen.name, len(delays), len(delays) - len(late), *(f"{each:.1f} min" for each in figures)))
    heading("Real breaks, from the end of the first build that failed to the message")
    rows(["", "breaks", "missed", "median", "p99", "max"], table)
    return missed


def _told(told: Rows, channel: str) -> Mapping[tuple[str, str | None], list[tuple[Alert, Notification]]]:
    """What was said first about the failures of each pipeline."""
    found: dict[tuple[str, str | None], list[tuple[Alert, Notification]]] = defaultdict(list)
    for alert, row in told:
        if alert.kind is AlertKind.FAILURE and row.reason is Reason.FIRST and row.channel == channel:
            found[alert.scope.provider, alert.scope.pipeline].append((alert, row))
    return found


def _delay(
    broken: Break, told: Mapping[tuple[str, str | None], Sequence[tuple[Alert, Notification]]]
) -> timedelta | None:
    its = told.get((broken.pipeline.provider, broken.pipeline.key), ())
    sent = [row.sent_at for alert, row in its if row.sent_at is not None and _covers(alert, broken)]
    return max(min(sent) - broken.seen_at, timedelta(0)) if sent else None


def _covers(alert: Alert, broken: Break) -> bool:
    first, last = (int(alert.evidence[name]["number"]) for name in ("first_failed", "last_failed"))
    return first <= broken.last and broken.first <= last


def false_alarms(day: Day) -> list[Alert]:
    """Alerts about failures that were told, and there was neither a break nor an outage: re-runs that came late."""
    breaks = defaultdict(list)
    for each in day.world.breaks:
        breaks[each.pipeline.key].append(each)
    told = {alert.id: alert for alert, row in day.rows if alert.kind is AlertKind.FAILURE}
    return [
        alert
        for alert in told.values()
        if not any(_covers(alert, each) for each in breaks[alert.scope.pipeline or ""])
        and not (alert.scope.pipeline in day.world.hit and CLOUD_DOWN.begin <= alert.started_at < CLOUD_DOWN.end)
    ]


def show_proof(day: Day, missed: int) -> None:
    heading("Nothing is lost")
    lost = sum(row.delivery is not Delivery.SENT for _, row in day.rows)
    wrong = endings_wrong(day.rows)
    goal("breaks that nobody was told of", missed, 0)
    goal("messages that were not delivered", lost, 0)
    goal("firing alerts without exactly one ending on a channel", len(wrong), 0)
    goal("failed builds without a message or a reason", len(day.proof["unexplained"]), 0)
    note(f"the nightly proof, at its last look: {dict(day.proof['reasons'])}, told {day.proof['told']}")
    still = {alert.id: alert.kind for alert, _ in day.rows if alert.state is AlertState.FIRING}
    note(f"still firing: {dict(Counter(str(kind) for kind in still.values()))}")


def endings_wrong(told: Rows) -> list[tuple[int, str]]:
    """Alerts and channels that were told of a beginning, and not of the end, or more than once."""
    begun: dict[tuple[int, str], Alert] = {}
    ends: Counter[tuple[int, str]] = Counter()
    for alert, row in told:
        place = row.alert_id, row.channel
        if row.reason is Reason.FIRST and row.about.get("state", "firing") == "firing":
            begun[place] = alert
        ends[place] += row.reason in ENDINGS and row.delivery is Delivery.SENT
    lasting = {AlertKind.BASELINE, AlertKind.DIGEST, AlertKind.STARTED}
    return [
        place
        for place, alert in begun.items()
        if alert.kind not in lasting and ends[place] != (alert.state is not AlertState.FIRING)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 pipelines")
    parser.add_argument("--pipelines", type=int)
    parser.add_argument("--history", type=int, default=3, help="days before the day")
    parser.add_argument("--wait", default="10m", help="rerun.wait")
    options = parser.parse_known_args()[0]
    count = options.pipelines or (100 if options.quick else 1000)
    mix = Mix(flaky=0.05, breaks=0.005, every=DAY / BUILDS_A_DAY)
    began = time.process_time()
    with tempfile.TemporaryDirectory() as name:
        day = live(make_world(count, options.history, mix), options.wait, Path(name))
    took = time.process_time() - began
    title = f"{count:,} pipelines, {day.world.builds:,} builds, 5 % flaky, rerun.wait {options.wait}"
    heading(f"24 hours: {title}; a cloud down for an hour, and a server")
    show_messages(day)
    missed = show_breaks(day)
    noise = false_alarms(day)
    note(f"{len(noise)} failures told that were none: {1000 * len(noise) / day.world.builds:.1f} per 1,000 builds")
    show_proof(day, missed)
    heading(f"Processor time: {took:.0f} s, of them {_spent(day.watch.cost.spent)}; memory {peak():.0f} MiB")


def _spent(spent: Mapping[str, float]) -> str:
    return ", ".join(f"{what} {seconds:.1f}" for what, seconds in spent.items())


if __name__ == "__main__":
    main()
