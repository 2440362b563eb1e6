"""Messages about a build whose details have come: those that wait are written anew, those that were sent follow up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.decision import decision
from alerts.policies.routing import Subject, destinations
from domain.alert import Alert, AlertState, Delivery, Notification, Reason, Scope
from domain.build import Build
from domain.testreport import TestStatus
from poller.config import Configuration
from poller.telling.matter import Matter, brief_matter_of, matter_of
from poller.telling.subject import subject_of, wrong_number
from poller.telling.tell import speak, tell, written
from poller.telling.withholding import is_withheld
from store import alerts, builds, details, held, outbox
from store.details import Findings
from store.engine import Session

Told = frozenset[str]
"""Channels that have something new."""

COMPANY = timedelta(seconds=1)
"""What has its details waits so long for others that began with it and have not: they may have the same cause."""
CROWD = 20
"""Of more alerts at once nobody reads the details: they wait for none, and their card is not edited for them."""

_REWRITTEN = frozenset({Reason.FIRST, Reason.UPDATE, Reason.REMINDER, Reason.REFRESH})
_FOLLOWED_UP = "followed_up"  # in Alert.handling: the details came late, and that was told
_NOW_KNOWN = "What is known now: the details came after the first message."


def catch_up(
    session: Session,
    build_id: int,
    configuration: Configuration,
    now: datetime,
    *,
    again: datetime | None = None,
    news: bool = True,
) -> Told:
    """Bring what is said about a build up to what is known of it now.

    `again`: when more of it is tried to be read; messages that can wait for that do. `news`: there is anything new.
    """
    view = builds.get(session, [build_id]).get(build_id)
    if view is None or view.build.stream is None:
        return frozenset()
    found = details.get(session, [build_id]).get(build_id, Findings())
    told: Told = frozenset()
    for alert, rows in _concerned(session, view.build) if news else ():
        if alert.state is AlertState.FIRING:
            told |= _Late(session, alert, tuple(rows), view.build, found, configuration, now).told()
    if news:
        told |= _tell_whom_they_name(session, view.build, found, configuration, now)
    return told | let_go(session, view.build, now, again=again)


def let_go(session: Session, build: Build, now: datetime, *, again: datetime | None = None) -> Told:
    """Nothing more is waited for: the details of a build have come, or will not come in time.

    Of what is tried `again` then: the messages that would not wait so long.
    """
    waiting = [row for _, its in _concerned(session, build) for row in its if held.for_details(row, now)]
    rows = [row for row in waiting if again is None or (row.hold_until or now) <= again]
    ours = [row.id for row in rows if row.id is not None and row.about.get("build") == build.id]
    return held.let_go(session, ours, now, company=COMPANY, crowd=CROWD) if ours else frozenset()


def _tell_whom_they_name(
    session: Session, build: Build, found: Findings, configuration: Configuration, now: datetime
) -> Told:
    """Alerts that no route took until it was known what the details tell of their build."""
    told: Told = frozenset()
    for alert in alerts.of_scope(session, _scope(build)):
        is_open = alert.state is AlertState.FIRING and not (alert.channels or alert.evidence.get("baseline"))
        if not is_open or is_withheld(alert) or wrong_number(alert) != build.id:
            continue
        subject, routes = subject_of(alert, build.pipeline, build), configuration.routes
        if destinations(routes, subject) and not destinations(routes, _without_details(subject, build, found)):
            told |= tell(session, decision(alert, Reason.FIRST), build.pipeline, configuration, now)
    return told


def _without_details(subject: Subject, build: Build, found: Findings) -> Subject:
    """What was known of it before the details of its build had come."""
    labels = {name: value for name, value in subject.labels.items() if name not in found.labels}
    return replace(subject, bucket=None, labels={**build.pipeline.labels, **labels})


def _scope(build: Build) -> Scope:
    return Scope(provider=build.pipeline.provider, pipeline=build.pipeline.key, branch=build.stream)


def _concerned(session: Session, build: Build) -> list[tuple[Alert, list[Notification]]]:
    """The alerts of a build's stream of which something is said, or to be said, about this build."""
    known = {alert.id: alert for alert in alerts.of_scope(session, _scope(build)) if alert.id is not None}
    said = outbox.of_alerts(session, list(known)) if known else {}
    return [(known[of], rows) for of, rows in said.items() if any(row.about.get("build") == build.id for row in rows)]


@dataclass(slots=True)
class _Late:
    """An alert that fires, and what is in the outbox about it; the details of its build have come."""

    session: Session
    alert: Alert
    rows: Sequence[Notification]
    build: Build
    found: Findings
    configuration: Configuration
    now: datetime

    def told(self) -> Told:
        """What nobody has seen yet is written anew; the rest follows up."""
        self._reroute()
        matter = self._matter()
        anew: set[str] = set()
        for row in self.rows:
            if row.id is None:
                continue
            message, about = written(matter, row.reason, self.configuration, self.now)
            if _unseen(row) and row.reason in _REWRITTEN:
                held.rewrite(self.session, row.id, message, about)
                anew.add(row.channel)
            elif row.reason is Reason.FIRST:
                held.retell(self.session, row.id, about)
        if matter.build is None or matter.build.id != self.build.id:
            return frozenset(anew)  # another build is what people look at by now
        return frozenset(anew) | self._follow_up(matter, anew)

    def _matter(self) -> Matter:
        pipeline, session = self.build.pipeline, self.session
        together = [row.batch for row in self.rows if row.reason is Reason.FIRST and row.batch is not None]
        if any(held.together(session, batch) > CROWD for batch in together) or self._waits_in_a_crowd():
            return brief_matter_of(session, self.alert, pipeline)
        return matter_of(session, self.alert, pipeline, self.configuration, self.now)

    def _waits_in_a_crowd(self) -> bool:
        first = {row.channel for row in self.rows if row.reason is Reason.FIRST and _unseen(row)}
        return any(held.waiting(self.session, channel) > CROWD for channel in first)

    def _reroute(self) -> None:
        """Routes may look at the cause, which is known now: who should hear of it does, and nobody else who has not."""
        pipeline, routes = self.build.pipeline, self.configuration.routes
        subject = subject_of(self.alert, pipeline, self.build)
        wanted = destinations(routes, subject)
        before = destinations(routes, _without_details(subject, self.build, self.found))
        if wanted == before or not self.alert.channels:
            return
        seen = not all(_unseen(row) for row in self.rows)
        gone = () if seen else tuple(set(before).difference(wanted))
        new = tuple(name for name in wanted if name not in self.alert.channels)
        kept = tuple(name for name in self.alert.channels if name not in gone)
        self.alert = alerts.save(self.session, replace(self.alert, channels=(*kept, *new)))
        held.take_back(self.session, [row.id for row in self.rows if row.channel in gone and row.id is not None])
        self.rows = [row for row in self.rows if row.channel not in gone]
        if new:
            matter = matter_of(self.session, self.alert, pipeline, self.configuration, self.now)
            speak(self.session, matter, Reason.FIRST, self.configuration, self.now, channels=new)

    def _follow_up(self, matter: Matter, anew: set[str]) -> Told:
        """A card is edited; who cannot edit hears once what is known now, if that is worth a message."""
        first = [row for row in self.rows if row.reason is Reason.FIRST and row.channel not in anew]
        seen = [row for row in first if row.channel in self.configuration.channels and not _unseen(row)]
        can_edit = {row.channel for row in seen if self.configuration.channels[row.channel].edits}
        edits = [row.channel for row in seen if row.channel in can_edit and self._is_worth_an_edit(row)]
        others = [row.channel for row in seen if row.channel not in can_edit and self._was_told_alone(row)]
        if not self._is_worth_telling(matter):
            others = []
        if not (edits or others):
            return frozenset()
        handling = {**self.alert.handling, _FOLLOWED_UP: self.build.id} if others else self.alert.handling
        changed = replace(self.alert, transition=self.alert.transition + 1, handling=handling)
        matter = replace(matter, alert=alerts.save(self.session, changed))
        told: Told = frozenset()
        for channels, reason in ((edits, Reason.REFRESH), (others, Reason.UPDATE)):
            if channels:
                note = _NOW_KNOWN if reason is Reason.UPDATE else None
                told |= speak(self.session, matter, reason, self.configuration, self.now, channels=channels, note=note)
        return told

    def _is_worth_an_edit(self, row: Notification) -> bool:
        """In a crowd the line of one alert is not looked for: it is right when the card is next edited."""
        return row.batch is None or held.together(self.session, row.batch) <= CROWD

    def _was_told_alone(self, row: Notification) -> bool:
        """Whether the first message was about this build, and about nothing else: of a crowd nobody wants details."""
        return row.batch is None and row.about.get("build") == self.build.id

    def _is_worth_telling(self, matter: Matter) -> bool:
        if _FOLLOWED_UP in self.alert.handling:
            return False
        failing = self.build.tests is not None and any(
            each.status in (TestStatus.FAILED, TestStatus.ERROR) for each in self.build.tests.cases
        )
        suspects = matter.background.changes is not None and bool(matter.background.changes.commits)
        return bool(self.found.log_excerpt or self.found.bucket_class or failing or suspects)


def _unseen(row: Notification) -> bool:
    """Whether nobody can have seen it."""
    return row.delivery is Delivery.PENDING and not (row.ambiguous or row.batch is not None or row.progress)
