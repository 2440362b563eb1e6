"""A store, a configuration and a clock: builds come in, and what would be said is in the outbox."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from typing_extensions import override

from alerts.decision import Decision
from domain.alert import Alert, AlertKind, AlertState, Notification, Reason, Scope, Severity
from domain.build import Build
from domain.silence import Ends, Silence
from poller.telling.handling import look_after, silence
from poller.telling.tell import tell
from store import alerts, outbox, silences
from store.engine import Database
from tests.support.arriving import taken_in
from tests.support.builders import NOON, alert, builds, minutes
from tests.support.configurations import FakeChannel, loaded

CONFIG = """
providers:
  ci: {kind: fake}
pipelines:
  - {provider: ci, job: "web/*", labels: {team: web}}
  - {provider: ci, job: "lib/*"}
channels:
  desk: {kind: lamp}
  wall: {kind: lamp}
  boss: {kind: lamp}
alerts: {success_rate_drop: off, flapping: off}
routes:
  - {match: {pipeline: "lib/*"}, to: [wall]}
  - {to: [desk]}
"""

Said = tuple[str, Reason]


class Desk:
    """What comes in, and what goes out."""

    def __init__(self, database: Database, folder: Path, more: str = "") -> None:
        self.database = database
        self.configuration = loaded(folder / "config.yaml", CONFIG + more)
        self.tells_details = False  # whether the provider does
        self.now = minutes(0)
        self._read = 0
        self._number = 0

    def with_rules(self, **rules: Any) -> None:
        """Change rules of all pipelines, whatever config.yaml says."""
        changed = replace(self.configuration.rules, **rules)
        self.configuration = replace(self.configuration, rules=changed)
        self.configuration._rules.update({id(each): changed for each in self.configuration.pipelines})

    def pass_by(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)

    def comes(self, *given: Build) -> None:
        """A page of these builds."""
        how = {"now": self.now, "tells_details": self.tells_details}
        taken_in(self.database, self.configuration, *given, **how)

    def builds(self, letters: str, **changes: Any) -> None:
        """The next builds of a pipeline, each on a page of its own, ten minutes after each other."""
        for each in builds(letters, self._number + 1, **changes):
            self._number += 1
            self.now = max(self.now, each.finished_at or self.now)
            self.comes(each)

    def decides(self, alert: Alert, reason: Reason | None) -> Alert:
        """A rule has decided this; returns the alert as it is stored then."""
        decision = Decision(alert=alert, reason=reason)
        self.database.transact(lambda session: tell(session, decision, None, self.configuration, self.now))
        return self.alerts()[-1] if alert.id is None else self.alert(alert.id)

    def looks(self) -> list[Said]:
        """The daemon looks after what lasts; what it says."""
        self.database.transact(lambda session: look_after(session, self.configuration, self.now))
        return self.said()

    def quiet(self, match: dict[str, Any] | None = None, **ends: Any) -> Silence:
        """Silence something, by default what there is."""
        wanted, until = match or {"pipeline": "**"}, Ends(**(ends or {"fixed": True}))
        return self.database.transact(
            lambda session: silence(session, wanted, until, self.now, reason="freeze", author="ada")
        ).silence

    def rows(self) -> list[Notification]:
        """Everything in the outbox, oldest first."""
        return self.database.read(outbox.listing)[::-1]

    def said(self) -> list[Said]:
        """What is new in the outbox since this was asked last."""
        rows = self.rows()
        new, self._read = rows[self._read :], len(rows)
        return [(each.channel, each.reason) for each in new]

    def alerts(self) -> list[Alert]:
        """All alerts, by id."""
        found = self.database.read(lambda session: alerts.listing(session, all=True))
        return [view.alert for view in reversed(found)]

    def alert(self, identity: int) -> Alert:
        """One alert."""
        return self.database.read(lambda session: alerts.get(session, [identity]))[identity]

    def silence(self, identity: int | None) -> Silence:
        """One silence, as it is stored."""
        return self.database.read(lambda session: silences.get(session, [identity or 0]))[identity or 0]


class EditingChannel(FakeChannel):
    """A channel that can edit what it said."""

    @property
    @override
    def edits(self) -> bool:
        return True


def editing(desk: Desk) -> Desk:
    """The same desk, with a channel `bot` beside the usual one."""
    configuration = desk.configuration
    routes = (replace(configuration.routes[-1], to=("desk", "bot")),)
    channels = {**configuration.channels, "bot": EditingChannel(kind="lamp")}
    desk.configuration = replace(configuration, channels=channels, routes=routes)
    return desk


def broken(**changes: Any) -> Alert:
    """A failure on main of `pipeline()` that nobody was told of."""
    return alert(**{"channels": (), "evidence": {"in_a_row": 1, "failures": 1, "after": 1}, **changes})


def flapping(**changes: Any) -> Alert:
    """A flapping alert on main of `pipeline()`."""
    values: dict[str, Any] = {
        "kind": AlertKind.FLAPPING,
        "scope": Scope(provider="ci", pipeline="web/deploy", branch="main"),
        "severity": Severity.WARNING,
        "state": AlertState.FIRING,
        "started_at": NOON,
        "summary": "changed sides 7 times in 20 builds, 9 failed",
        "evidence": {"changes": 7, "builds": 20, "failed": 9},
    }
    return Alert(**(values | changes))
