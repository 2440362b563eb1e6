"""Through the real store: in whatever order, in whatever batches attempts arrive, the same is firing in the end."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.alert import AlertState, Reason, Scope
from domain.build import Build, Outcome, Pipeline
from poller.config import Configuration
from poller.intake.settling import settle_due
from store import alerts, awaited, outbox
from store.alerts import AlertView
from store.engine import Database, Session
from tests.support.arriving import taken_in
from tests.support.builders import build, minutes, pipeline
from tests.support.configurations import loaded

OUTCOMES = {"P": Outcome.SUCCESS, "F": Outcome.FAILURE, "A": Outcome.CANCELLED}
ATTEMPTS = st.text(alphabet="PFA", min_size=1, max_size=3)  # of one build
PAUSES = st.integers(min_value=0, max_value=40)  # minutes
CONFIG = """
providers:
  ci: {{kind: fake}}
pipelines:
  - {{provider: ci, job: "web/*", rerun: {{wait: {wait}}}}}
channels:
  desk: {{kind: lamp}}
"""


@dataclass
class Street:
    """A store that knows many pipelines; each example has one of its own."""

    database: Database
    configurations: dict[str, Configuration]
    keys: Iterator[int]

    def comes(self, configuration: Configuration, now: datetime, *given: Build) -> None:
        taken_in(self.database, configuration, *given, now=now)

    def passes(self, configuration: Configuration, now: datetime) -> None:
        self.database.transact(lambda session: settle_due(session, configuration, now))

    def told(self, of: Pipeline) -> list[AlertView]:
        def read(session: Session) -> list[AlertView]:
            scope = Scope(provider="ci", pipeline=of.key, branch="main")
            found = alerts.of_scope(session, scope)
            said = outbox.of_alerts(session, [each.id for each in found if each.id])
            return [AlertView(alert=each, notifications=tuple(said.get(each.id or 0, ()))) for each in found]

        return self.database.read(read)


@pytest.fixture
def street(sqlite_database: Database, tmp_path: Path) -> Street:
    configurations = {wait: loaded(tmp_path / f"{wait}.yaml", CONFIG.format(wait=wait)) for wait in ("0", "10m")}
    return Street(sqlite_database, configurations, itertools.count())


def finished(of: Pipeline, number: int, attempt: int, letter: str) -> Build:
    """Build n ends n * 10 minutes after NOON, each further attempt 4 minutes later."""
    end = minutes(number * 10 + attempt * 4)
    return build(
        number,
        OUTCOMES[letter],
        pipeline=of,
        attempt=attempt,
        started_at=end - timedelta(minutes=3),
        finished_at=end,
    )


def counts(letters: str) -> str | None:
    """What a build with these attempts comes to: the newest that passed or failed."""
    return next((letter for letter in reversed(letters) if letter != "A"), None)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.lists(ATTEMPTS, min_size=1, max_size=4), wait=st.sampled_from(["0", "10m"]), data=st.data())
def test_any_order_of_attempts_ends_in_what_the_newest_verdicts_say(
    street: Street, line: list[str], wait: str, data: st.DataObject
) -> None:
    configuration, of = street.configurations[wait], pipeline(f"web/{next(street.keys)}")
    now = minutes(5)
    street.comes(configuration, now, finished(of, 0, 1, "P"))
    arriving = [
        finished(of, number, attempt, letter)
        for number, letters in enumerate(line, 1)
        for attempt, letter in enumerate(letters, 1)
    ]
    rest = data.draw(st.permutations(arriving))
    while rest:
        size = data.draw(st.integers(min_value=1, max_value=len(rest)))
        street.comes(configuration, now, *rest[:size])
        street.comes(configuration, now, *rest[:size])  # seen again: nothing
        rest = rest[size:]
        now += timedelta(minutes=data.draw(PAUSES))
        street.passes(configuration, now)
    street.passes(configuration, now + timedelta(hours=3))
    final = [letter for letters in line if (letter := counts(letters))]
    told = street.told(of)
    firing = [each for each in told if each.alert.state is AlertState.FIRING]
    assert street.database.read(awaited.all) == []
    assert len(firing) == (1 if final[-1:] == ["F"] else 0)
    for each in firing:
        streak = len(final) - len("".join(final).rstrip("F"))
        failed = [number for number, letters in enumerate(line, 1) if counts(letters) == "F"]
        evidence = each.alert.evidence
        assert (evidence["in_a_row"], evidence["failures"]) == (streak, streak)
        assert evidence["last_failed"]["number"] == failed[-1]
        assert evidence["first_failed"]["number"] == failed[-streak]
    for each in told:
        reasons = [note.reason for note in each.notifications if note.reason is not Reason.REFRESH]
        over = each.alert.state is not AlertState.FIRING
        assert reasons in ([[Reason.FIRST], [Reason.FIRST, Reason.RESOLVED]] if over else [[Reason.FIRST]])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.lists(ATTEMPTS, min_size=1, max_size=4), wait=st.sampled_from(["0", "10m"]), data=st.data())
def test_no_break_that_stood_when_all_had_settled_goes_untold(
    street: Street, line: list[str], wait: str, data: st.DataObject
) -> None:
    configuration, of = street.configurations[wait], pipeline(f"web/{next(street.keys)}")
    street.comes(configuration, minutes(5), finished(of, 0, 1, "P"))
    for number, letters in enumerate(line, 1):
        attempts = [finished(of, number, attempt, letter) for attempt, letter in enumerate(letters, 1)]
        for each in data.draw(st.permutations(attempts)):
            street.comes(configuration, minutes(number * 10 + 12), each)
        street.passes(configuration, minutes(number * 10 + 12) + timedelta(hours=3))
        broken = [view for view in street.told(of) if view.alert.state is AlertState.FIRING and view.notifications]
        verdicts = [letter for letters in line[:number] if (letter := counts(letters))]
        assert bool(broken) is (verdicts[-1:] == ["F"])
