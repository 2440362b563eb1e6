"""Looks at what the demo's daemon and servers have done since the last look, and tells it on the screen."""

import queue
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from typing_extensions import override

from domain.alert import Alert, AlertKind, AlertState
from domain.build import Build, Status, Verdict
from poller.cli.demo_cards import card, colour_of, headline_of, letter
from poller.cli.demo_screen import Screen
from poller.daemon import Daemon
from poller.intake.ingest import Ingested
from simulator.house import Simulator
from simulator.slack_messages import Message
from store import alerts as stored_alerts
from store.builds import Change
from store.engine import Database

LINE = 90  # characters
MANY = 4  # builds of one pipeline at once are counted instead of named
SIGNS = {Verdict.PASSED: "✓", Verdict.FAILED: "✗", Verdict.NEUTRAL: "–"}  # noqa: RUF001


class WatchedDaemon(Daemon):
    """The daemon as it is, and somebody who is told what each page brought."""

    def __init__(self, *wiring: Any, seen: Callable[[Ingested], None]) -> None:
        self._seen = seen
        super().__init__(*wiring)

    @override
    def _after_commit(self, ingested: Ingested) -> None:
        super()._after_commit(ingested)
        self._seen(ingested)

    def polls(self) -> int:
        """How many polls went well."""
        return sum(self._polling.memory_of(target).polls for target in self._schedule.targets())


class Observer:
    """Remembers what has been told."""

    def __init__(self, screen: Screen, house: Simulator) -> None:
        self._screen = screen
        self._house = house
        self._ingested: queue.SimpleQueue[Ingested] = queue.SimpleQueue()
        self._happenings = 0
        self._edits: dict[tuple[str, str], int] = {}
        self._signs: dict[tuple[str, str], str] = {}
        self._mails = 0
        self._finished = self._before = 0
        self._began = datetime.now(UTC)
        self._firing: set[tuple[str, datetime]] = set()
        self._shown: dict[tuple[Any, ...], str] = {}

    def ingested(self, page: Ingested) -> None:
        """A page was stored; called from the daemon's threads."""
        self._ingested.put(page)

    def look(self) -> None:
        """Tell what is new."""
        self._tell_world()
        self._tell_polls()
        for message in self._house.slack.messages:
            self._tell_slack(message)
        self._tell_mails()

    def _tell_world(self) -> None:
        story = self._house.story
        happenings = story.happenings[self._happenings :] if story is not None else []
        for happening in happenings:
            self._screen.tell("world", happening.text, "magenta")
        self._happenings += len(happenings)

    def _tell_polls(self) -> None:
        changes: list[Change] = []
        transitions: list[Alert] = []
        while not self._ingested.empty():
            page = self._ingested.get()
            changes += page.changes
            transitions += page.transitions
        finished = [change for change in changes if change.build.status is Status.FINISHED]
        self._finished += len(finished)
        self._before += sum(_ended(change) < self._began for change in finished)
        if finished:
            self._screen.tell("polled", _in_lines(_summed_up(finished)))
        for alert in transitions:
            self._screen.tell("alert", self._changed(alert), "red" if alert.state is AlertState.FIRING else "green")

    def _changed(self, alert: Alert) -> str:
        episode = alert.fingerprint, alert.started_at
        goes_on = alert.state is AlertState.FIRING and episode in self._firing
        self._firing.add(episode)
        where = alert.scope.pipeline or alert.scope.provider
        branch = f" / {alert.scope.branch}" if alert.scope.branch else ""
        return f"{alert.kind} {'goes on' if goes_on else alert.state}: {where}{branch}: {alert.summary}"

    def _tell_slack(self, message: Message) -> None:
        key, sign = (message.channel, message.ts), message.text[:1]
        room = f"#{self._house.slack.room(message.channel).name}"
        headline = headline_of(message.text)
        if key not in self._edits:
            if message.thread_ts is not None:
                self._screen.tell("Slack", f"{room}, in the thread of the card: {headline}")
            else:
                self._show_card(f"{room}, a new card", message)
        elif self._edits[key] != message.edits:
            if self._signs[key] != sign:
                self._show_card(f"{room}, the same card, edited", message)
            else:
                self._screen.tell("Slack", f"{room}, the card now says: {headline}")
        self._edits[key], self._signs[key] = message.edits, sign

    def _show_card(self, title: str, message: Message) -> None:
        """The whole card, unless another channel has just shown the same one."""
        lines, room = card(message.blocks, message.text), self._house.slack.room(message.channel).name
        words = tuple(piece for line in lines for piece in line)
        if words in self._shown:
            self._screen.tell("Slack", f"{title}: the same as in #{self._shown[words]}")
            return
        self._shown[words] = room
        self._screen.show("Slack", title, lines, colour_of(message.text))

    def _tell_mails(self) -> None:
        mails = self._house.smtp.mails[self._mails :]
        for mail in mails:
            reply = ", in reply to the first one" if mail.message["In-Reply-To"] else ""
            title = f"to {', '.join(mail.recipients)}{reply}"
            self._screen.show("mail", title, letter(mail.subject, mail.text()), colour_of(mail.subject))
        self._mails += len(mails)

    def summarize(self, database: Database, polls: int, passed: str) -> None:
        """The last words."""
        told = [
            view.alert
            for view in database.read(lambda session: stored_alerts.listing(session, all=True, limit=10_000))
            if view.alert.kind is not AlertKind.BASELINE and view.alert.channels
        ]
        broke = len(told)
        healed = sum(alert.state is AlertState.RESOLVED for alert in told)
        messages = self._house.slack.messages
        cards = sum(message.thread_ts is None for message in messages)
        edits = sum(message.edits for message in messages)
        requests = len(self._house.jenkins.requests) + len(self._house.github.requests)
        self._screen.say("")
        self._screen.say(f"In {passed}:", style="bold")
        self._screen.say(
            f"  polls     {polls}, {requests} requests",
            f"  builds    {self._finished - self._before} finished, beside {self._before} that were there before",
            f"  breaks    {broke} told of, {healed} of them healed since",
            f"  messages  {len(messages) + len(self._house.smtp.mails)}: {cards} Slack cards ({edits} edits, "
            f"{len(messages) - cards} replies in threads), {len(self._house.smtp.mails)} mails",
        )


def _summed_up(changes: Iterable[Change]) -> list[str]:
    pipelines: dict[str, list[Change]] = {}
    for change in changes:
        pipelines.setdefault(_named(change.build), []).append(change)
    return [
        f"{name}: {len(its)} builds" if len(its) > MANY else f"{name} {' '.join(map(_short, its))}"
        for name, its in pipelines.items()
    ]


def _in_lines(parts: Iterable[str]) -> str:
    """Several to a line, as many as fit well."""
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + len(part) > LINE:
            lines.append("")
        lines[-1] += f"   {part}" if lines[-1] else part
    return "\n".join(lines)


def _ended(change: Change) -> datetime:
    return change.build.finished_at or datetime.max.replace(tzinfo=UTC)


def _named(build: Build) -> str:
    if build.stream is None:
        return f"{build.pipeline.name} ({'fork' if build.is_fork else 'pull request'})"
    return f"{build.pipeline.name} / {build.stream}" if build.stream else build.pipeline.name


def _short(change: Change) -> str:
    sign = SIGNS[change.verdict] if change.verdict is not None else ""
    again = f".{change.build.attempt}" if change.build.attempt > 1 else ""
    return f"#{change.build.number}{again} {sign}{change.build.outcome}"
