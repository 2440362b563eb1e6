"""Days that have closed are judged once, when all is known of them, for each pipeline and for each label value."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from domain.alert import Alert, AlertKind, AlertState, Reason, Scope, Severity
from domain.build import Build, Outcome
from metrics.windows import daily
from poller import standing
from poller.config import Configuration
from poller.timing.comparing import LATE_POLLS, PATIENCE, compare_windows
from store import alerts, notes, outbox
from store import providers as stored_providers
from store.engine import Database
from store.providers import ProviderHealth
from tests.support.arriving import taken_in
from tests.support.builders import build, pipeline
from tests.support.configurations import loaded

KOLKATA = ZoneInfo("Asia/Kolkata")
CONFIG = """
timezone: Asia/Kolkata
day_starts_at: "10:00"
providers:
  ci: {kind: fake}
  far: {kind: fake}
pipelines:
  - {provider: ci, job: "web/*"}
  - {provider: far, job: "far/*"}
channels:
  desk: {kind: lamp}
  cloud: {kind: lamp}
alerts: {success_rate_drop: off, failure: off, duration: off, flapping: off}
routes:
  - {match: {labels: {cloud: aws}, kind: window_regression}, to: [cloud]}
  - {to: [desk]}
"""
FIRST_DAY = datetime(2026, 11, 5, 4, 30, tzinfo=UTC)  # 10:00 in Kolkata
DAYS = 15
CLOSED = FIRST_DAY + timedelta(days=DAYS)
DUE = CLOSED + LATE_POLLS
BEFORE = "532/560 in the 14 days before"


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return loaded(tmp_path / "config.yaml", CONFIG)


class House:
    """A store with days of builds in it."""

    def __init__(self, database: Database, configuration: Configuration) -> None:
        self.database = database
        self.configuration = configuration
        self.count = 0

    def day(self, number: int, passed: int, failed: int, **changes: object) -> None:
        """Builds that ended during a reporting day (0 is the first)."""
        window = daily(FIRST_DAY + timedelta(days=number), self.configuration.day_starts_at, KOLKATA)
        step = (window.end - window.start) / (passed + failed + 1)
        given = []
        for place in range(passed + failed):
            self.count += 1
            at = window.start + step * (place + 1)
            outcome = Outcome.FAILURE if place < failed else Outcome.SUCCESS
            given.append(build(self.count, outcome, started_at=at - timedelta(minutes=1), finished_at=at, **changes))
        self.comes(*given)

    def history(self, *, bad: tuple[int, int], **changes: object) -> None:
        """Fourteen usual days and a last one."""
        for number in range(DAYS - 1):
            self.day(number, 38, 2, **changes)
        self.day(DAYS - 1, *bad, **changes)

    def comes(self, *given: Build, met: datetime = FIRST_DAY - timedelta(days=30)) -> None:
        by_provider: dict[str, list[Build]] = {}
        for each in given:
            by_provider.setdefault(each.pipeline.provider, []).append(each)
        for provider, its in by_provider.items():
            taken_in(self.database, self.configuration, *its, provider=provider, now=met, last_poll=met)

    def look(
        self, now: datetime = DUE, known_until: Callable[[tuple[str, str]], datetime | None] | None = None
    ) -> frozenset[str]:
        return self.database.transact(
            lambda session: compare_windows(session, self.configuration, now, known_until=known_until)
        )

    def alerts(self) -> dict[str, Alert]:
        views = self.database.read(lambda session: alerts.listing(session, all=True))
        return {view.alert.scope.pipeline or view.alert.scope.branch or "": view.alert for view in views}

    def said(self) -> list[tuple[str, Reason, str]]:
        noted = reversed(self.database.read(outbox.listing))
        return [(each.channel, each.reason, each.message.headline) for each in noted]


@pytest.fixture
def here(database: Database, configuration: Configuration) -> House:
    return House(database, configuration)


def test_a_bad_day_is_told_once_it_has_closed_and_never_again(here: House) -> None:
    here.history(bad=(25, 15))
    assert here.look(DUE - timedelta(seconds=1)) == frozenset()
    assert here.look(DUE) == {"desk"}
    assert here.look(DUE) == frozenset()
    assert here.look(DUE + timedelta(hours=23)) == frozenset()
    assert here.said() == [
        (
            "desk",
            Reason.FIRST,
            f"🟠 deploy success rate 95 % → 62 % (25/40 in the day until 2026-11-20 10:00 IST; {BEFORE})",
        )
    ]
    alert = here.alerts()["web/deploy"]
    assert (alert.scope.branch, alert.started_at) == (None, CLOSED - timedelta(days=1))


def test_the_next_day_back_inside_is_told_and_a_look_in_between_costs_nothing(here: House) -> None:
    here.history(bad=(25, 15))
    here.look(DUE)
    here.day(DAYS, 38, 2)
    assert here.look(DUE + timedelta(hours=12)) == frozenset()
    assert here.look(DUE + timedelta(days=1)) == {"desk"}
    assert here.alerts()["web/deploy"].state is AlertState.RESOLVED
    headline = here.said()[-1][2]
    assert headline == (
        "🟢 deploy success rate is back at 95 % "
        "(38/40 in the day until 2026-11-21 10:00 IST), it was 95 % before it fell"
    )


def test_days_that_closed_while_nobody_looked_are_judged_in_their_order(here: House) -> None:
    for number in range(DAYS - 1):
        here.day(number, 38, 2)
    here.look(DUE - timedelta(days=1))
    here.day(DAYS - 1, 25, 15)
    here.day(DAYS, 38, 2)
    here.day(DAYS + 1, 20, 20)
    assert here.look(DUE + timedelta(days=2)) == {"desk"}
    assert [(reason, text.split(" success rate ")[1].split(" (")[0]) for _, reason, text in here.said()] == [
        (Reason.FIRST, "95 % → 62 %"),
        (Reason.RESOLVED, "is back at 95 %"),
        (Reason.FIRST, "93 % → 50 %"),
    ]
    assert here.look(DUE + timedelta(days=2)) == frozenset()


def test_a_day_that_was_missed_waits_until_its_builds_are_known(here: House) -> None:
    for number in range(DAYS - 1):
        here.day(number, 38, 2)
    here.look(DUE - timedelta(days=1))
    here.day(DAYS - 1, 25, 15)
    assert here.look(DUE + timedelta(days=1), lambda _: None) == frozenset()
    assert here.look(DUE + timedelta(days=1, minutes=30), lambda _: CLOSED) == {"desk"}
    assert here.alerts()["web/deploy"].state is AlertState.FIRING
    here.day(DAYS, 38, 2)
    assert here.look(DUE + timedelta(days=1, minutes=40), lambda _: CLOSED + timedelta(days=1)) == {"desk"}
    assert here.alerts()["web/deploy"].state is AlertState.RESOLVED


def test_of_a_long_absence_two_weeks_are_judged_and_the_first_start_judges_one_day(here: House) -> None:
    here.history(bad=(25, 15))
    here.look(CLOSED + timedelta(days=3))
    assert here.alerts() == {}, "nobody had looked before: the day before yesterday is history"
    here.look(CLOSED + timedelta(days=40))
    note = here.database.read(lambda session: notes.get(session, "window_regression"))
    assert note is not None
    assert len(note.value["days"]) == 1


def test_what_an_earlier_version_noted_is_understood(here: House) -> None:
    here.history(bad=(25, 15))
    known = {"until": (CLOSED - timedelta(days=1)).isoformat(), "waiting": [], "labels": False}
    here.database.transact(lambda session: notes.put(session, "window_regression", known, CLOSED))
    assert here.look(DUE + timedelta(days=1)) == {"desk"}


def test_a_label_over_several_pipelines_is_told_where_its_route_says(here: House) -> None:
    for name in ("web/a", "web/b", "web/c"):
        job = pipeline(name, labels={"cloud": "aws"})
        for number in range(DAYS - 1):
            here.day(number, 10, 1, pipeline=job)
        here.day(DAYS - 1, 6, 4, pipeline=job)  # each alone has too few builds
    assert here.look() == {"cloud"}
    (alert,) = here.alerts().values()
    assert alert.scope == Scope(provider="*", branch="cloud=aws")
    assert alert.evidence["worst"] == [{"pipeline": name, "failed": 4, "runs": 10} for name in "abc"]
    assert here.said()[0][2].startswith("🟠 cloud=aws success rate 91 % → 60 % (18/30 in the day until")
    here.database.transact(lambda session: standing.close_orphans(session, here.configuration, DUE))
    assert here.alerts()["cloud=aws"].state is AlertState.FIRING


def test_a_label_of_builds_hides_that_of_their_pipeline(here: House) -> None:
    job = pipeline("web/a", labels={"cloud": "gcp"})
    for number in range(DAYS):
        bad = number == DAYS - 1
        here.day(number, 28, 2, pipeline=job)
        here.day(number, 10 if bad else 28, 20 if bad else 2, pipeline=job, labels={"cloud": "aws"})
    here.look()
    assert set(here.alerts()) == {"web/a", "cloud=aws"}


def test_a_label_that_says_the_same_as_a_pipeline_is_not_told_beside_it(here: House) -> None:
    here.history(bad=(25, 15), pipeline=pipeline(labels={"team": "web", "cloud": "aws"}))
    here.look()
    assert set(here.alerts()) == {"web/deploy"}


def test_what_is_not_watched_does_not_count(here: House) -> None:
    here.history(bad=(38, 2))
    for number in range(DAYS):
        here.day(number, 20 if number < DAYS - 1 else 0, 20, branch="topic")
        here.day(number, 0, 20, is_pull_request=True, branch="main")
        here.day(number, 20 if number < DAYS - 1 else 0, 20, pipeline=pipeline("other/job"))
    here.look()
    assert here.alerts() == {}


def test_a_day_that_closed_before_first_contact_is_no_news(here: House) -> None:
    first = build(9000, started_at=CLOSED, finished_at=CLOSED + timedelta(minutes=3))
    here.comes(first, met=CLOSED + timedelta(minutes=5))
    here.history(bad=(25, 15))
    assert here.look() == frozenset()
    here.day(DAYS, 20, 19)
    assert here.look(DUE + timedelta(days=1)) == {"desk"}


def unreachable(database: Database, name: str, since: datetime | None) -> None:
    health = ProviderHealth(name=name, failing_since=since, failures=9 if since else 0)
    database.transact(lambda session: stored_providers.save(session, health))


def test_a_provider_that_cannot_be_read_is_judged_when_it_can_be(here: House) -> None:
    far = pipeline("far/job", provider="far", labels={"cloud": "aws"})
    here.history(bad=(25, 15), pipeline=far)
    here.history(bad=(25, 15), pipeline=pipeline(labels={"cloud": "aws"}))
    unreachable(here.database, "far", CLOSED - timedelta(hours=1))
    assert here.look(DUE) == {"cloud"}
    assert set(here.alerts()) == {"web/deploy"}
    assert here.look(DUE + timedelta(minutes=30)) == frozenset()
    unreachable(here.database, "far", None)
    assert here.look(DUE + timedelta(minutes=40)) == {"cloud"}
    assert set(here.alerts()) == {"web/deploy", "far/job", "cloud=aws"}
    assert here.look(DUE + timedelta(minutes=50)) == frozenset()


def test_labels_wait_an_hour_and_are_judged_without_those_of_an_unreachable_provider(here: House) -> None:
    here.history(bad=(25, 15), pipeline=pipeline("far/job", provider="far", labels={"cloud": "aws"}))
    for name in ("web/a", "web/b"):
        here.history(bad=(25, 15), pipeline=pipeline(name, labels={"scheduler": "old"}))
    unreachable(here.database, "far", CLOSED)
    here.look(DUE)
    assert set(here.alerts()) == {"web/a", "web/b"}
    here.look(DUE + PATIENCE)
    assert set(here.alerts()) == {"web/a", "web/b", "scheduler=old"}
    unreachable(here.database, "far", None)
    here.look(DUE + timedelta(hours=3))
    assert set(here.alerts()) == {"web/a", "web/b", "scheduler=old", "far/job"}


def test_nothing_is_judged_until_all_is_known_up_to_the_end_of_the_day(here: House) -> None:
    here.history(bad=(25, 15))
    assert here.look(DUE, lambda _: None) == frozenset()
    assert here.look(DUE, lambda _: CLOSED - timedelta(seconds=1)) == frozenset()
    assert here.look(DUE, lambda _: CLOSED) == {"desk"}


def test_a_stale_pipeline_hides_its_rate_until_it_builds_again(here: House) -> None:
    here.history(bad=(25, 15))
    stale = Alert(
        kind=AlertKind.STALE,
        scope=Scope(provider="ci", pipeline="web/deploy"),
        severity=Severity.WARNING,
        state=AlertState.FIRING,
        started_at=CLOSED,
        summary="no build for 26 h",
    )
    saved = here.database.transact(lambda session: alerts.save(session, stale))
    assert here.look(DUE) == frozenset()
    over = replace(saved, state=AlertState.RESOLVED, resolved_at=DUE)
    here.database.transact(lambda session: alerts.save(session, over))
    assert here.look(DUE + timedelta(hours=2)) == {"desk"}


def test_what_is_switched_off_is_not_judged_and_its_label_alerts_are_closed(here: House, tmp_path: Path) -> None:
    for name in ("web/a", "web/b"):
        here.history(bad=(25, 15), pipeline=pipeline(name, labels={"cloud": "aws"}))
    here.look()
    assert set(here.alerts()) == {"web/a", "web/b", "cloud=aws"}
    off = CONFIG.replace("flapping: off", "flapping: off, window_regression: off")
    here.configuration = loaded(tmp_path / "off.yaml", off)
    here.database.transact(lambda session: standing.close_orphans(session, here.configuration, DUE))
    assert {each.state for each in here.alerts().values()} == {AlertState.CLOSED}
    here.day(DAYS, 10, 30)
    assert here.look(DUE + timedelta(days=1)) == frozenset()


def test_a_label_that_is_gone_is_followed_until_it_is_given_up(here: House) -> None:
    for name in ("web/a", "web/b"):
        here.history(bad=(25, 15), pipeline=pipeline(name, labels={"cloud": "aws"}))
    here.look()
    for later in range(1, 15):
        here.look(DUE + timedelta(days=later))
    assert here.alerts()["cloud=aws"].state is AlertState.CLOSED


def test_a_clock_that_is_set_back_judges_nothing_anew(here: House) -> None:
    here.history(bad=(25, 15))
    here.day(DAYS, 38, 2)
    here.look(DUE + timedelta(days=1))
    before = here.database.read(notes.read)
    assert here.look(DUE) == frozenset()
    assert here.alerts() == {}
    assert here.database.read(notes.read) == before


CHANGES = {
    "Europe/Berlin": ((2026, 3, 25), (2026, 10, 21)),
    "America/New_York": ((2026, 3, 4), (2026, 10, 28)),
    "Australia/Lord_Howe": ((2026, 4, 1), (2026, 9, 30)),  # by half an hour
}


@pytest.mark.parametrize("zone", CHANGES)
def test_days_follow_each_other_without_a_gap_across_a_change_of_clocks(
    database: Database, tmp_path: Path, zone: str
) -> None:
    configuration = loaded(tmp_path / "config.yaml", CONFIG.replace("Asia/Kolkata", zone))
    for day in CHANGES[zone]:
        ends = set()
        for hour in range(0, 24 * 8, 3):
            now = datetime(*day, tzinfo=UTC) + timedelta(hours=hour)
            database.transact(lambda session, now=now: compare_windows(session, configuration, now))
            note = database.read(lambda session: notes.get(session, "window_regression"))
            assert note is not None
            ends.add(datetime.fromisoformat(note.value["days"][-1]["until"]))
        local = [end.astimezone(ZoneInfo(zone)) for end in sorted(ends)]
        assert {end.strftime("%H:%M") for end in local} == {"10:00"}
        assert {(after.date() - before.date()).days for before, after in pairwise(local)} == {1}
