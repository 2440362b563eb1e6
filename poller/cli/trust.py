"""What `doctor` says about silence: whether every failure was told or has a reason, what is late, what is silenced."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from alerts.wording import plural
from domain.alert import AlertKind
from poller.cli.findings import Finding, State, found
from poller.cli.showing import ago
from poller.config import Configuration
from poller.proof.fates import until
from poller.proof.selfcheck import AT, SELFCHECK
from store import alerts, notes, pipelines, silences
from store.engine import Database, Session

LATE = timedelta(days=2)
LISTED = 10


def of_trust(configuration: Configuration, database: Database, now: datetime) -> list[Finding]:
    """The nightly self-check, expectations and silences."""

    def unit(session: Session) -> list[Finding]:
        return [
            _of_selfcheck(session, configuration, now),
            *_of_expectations(session, configuration),
            *_of_silences(session, configuration),
        ]

    return database.read(unit)


def _of_selfcheck(session: Session, configuration: Configuration, now: datetime) -> Finding:
    note = notes.get(session, SELFCHECK)
    value: Mapping[str, Any] = note.value if note is not None else {}
    if "at" not in value:
        when = f"{AT:%H:%M} {configuration.timezone.key}"
        return found("self-check", State.NOTE, f"not yet: at {when} the daemon looks whether every failure was told")
    at = datetime.fromisoformat(value["at"])
    if value["unexplained"]:
        listed = ", ".join(map(str, value["unexplained"][:LISTED]))
        count = plural(len(value["unexplained"]), "failed build")
        text = f"{count} without a message and without a reason ({ago(at, now)}): {listed} (`buildwatch explain ID`)"
        return found("self-check", State.WRONG, text)
    if now - at > LATE:
        return found("self-check", State.WARNING, f"last {ago(at, now)}: is the daemon running?")
    reasons = ", ".join(f"{count} {fate.replace('_', ' ')}" for fate, count in value["reasons"].items())
    text = f"{plural(value['failed'], 'failure')} looked at {ago(at, now)}: {value['told']} told"
    return found("self-check", State.OK, f"{text}, {reasons}" if reasons else text)


def _of_expectations(session: Session, configuration: Configuration) -> Iterator[Finding]:
    """How many pipelines are expected to build, and those that are late."""
    expected = 0
    for each in pipelines.all(session):
        entry = configuration.entry_of(each.pipeline)
        expected += entry is not None and configuration.rules_of(entry).stale is not None
    late = [each for each in alerts.firing(session) if each.kind is AlertKind.STALE]
    if late:
        listed = ", ".join(dict.fromkeys(each.scope.pipeline or each.scope.provider for each in late[:LISTED]))
        yield found("expectations", State.WARNING, f"{len(late)} of {plural(expected, 'pipeline')} late: {listed}")
    elif expected:
        yield found("expectations", State.OK, f"{plural(expected, 'pipeline')} with `expect:`, none is late")


def _of_silences(session: Session, configuration: Configuration) -> Iterator[Finding]:
    holding = silences.unended(session)
    if holding:
        words = [f'#{each.id} "{each.reason}" {until(each, configuration.timezone)}' for each in holding[:LISTED]]
        yield found("silences", State.NOTE, f"{len(holding)} hold: {'; '.join(words)}")
