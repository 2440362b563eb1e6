import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from domain.alert import AlertState, Delivery
from domain.build import Outcome
from domain.testreport import TestCase, TestReport, TestStatus
from domain.waiting import Form
from store import alerts, builds, maintenance, notes, outbox, outcomes, quarantine, schema, waiting
from store.engine import Database, Session, open_database
from store.errors import StoreError
from store.maintenance import backup, check_integrity, keep_ballast, stats
from store.retention import Keep, Pruned, prune
from tests.store.test_builds import VERDICTS
from tests.support.builders import NOON, alert, build, minutes, notification
from tests.support.builders import builds as series

A_YEAR_LATER = NOON + timedelta(days=401)


def upsert(*some: builds.Build) -> Callable[[Session], list[builds.Change]]:
    return lambda session: builds.upsert(session, some, lambda each: VERDICTS.get(each.outcome), NOON)


def count(database: Database, table: str) -> int:
    query = select(func.count()).select_from(schema.metadata.tables[table])
    return int(database.read(lambda session: session.execute(query).scalar_one()))


def test_a_backup_is_a_private_store_of_its_own(sqlite_database: Database, tmp_path: Path) -> None:
    sqlite_database.transact(upsert(*series("PFP")))
    copy = tmp_path / "copy.db"
    backup(sqlite_database, copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.glob("copy.db*")] == ["copy.db"]
    sqlite_database.transact(upsert(build(9)))
    again = open_database(f"sqlite:///{copy}", create=False)
    assert count(again, "builds") == 3
    check_integrity(again)
    again.close()


def test_a_backup_overwrites_only_when_told_to(sqlite_database: Database, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("precious")
    with pytest.raises(StoreError, match=r"copy\.db: exists already"):
        backup(sqlite_database, copy)
    assert copy.read_text() == "precious"
    backup(sqlite_database, copy, replace=True)
    open_database(f"sqlite:///{copy}", create=False).close()


def test_a_backup_that_fails_leaves_nothing(sqlite_database: Database, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the backup failed"):
        backup(sqlite_database, tmp_path / "no" / "copy.db")
    assert not (tmp_path / "no").exists()


def test_postgresql_is_backed_up_by_its_own_tools(postgres_database: Database, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="pg_dump"):
        backup(postgres_database, tmp_path / "copy.db")
    assert not keep_ballast(postgres_database)
    maintenance.drop_ballast(postgres_database)
    check_integrity(postgres_database)


def test_figures_of_the_store(database: Database) -> None:
    empty = stats(database)
    assert (empty.builds, empty.oldest, empty.newest) == (0, None, None)
    database.transact(upsert(*series("PRF")))
    database.transact(lambda session: alerts.save(session, alert()))
    database.transact(lambda session: outbox.add(session, [notification()]))
    found = stats(database)
    assert (found.pipelines, found.builds, found.alerts, found.notifications, found.quarantined) == (1, 3, 1, 1, 0)
    assert (found.oldest, found.newest) == (minutes(15), minutes(35))
    assert found.bytes > 10_000
    assert found.url == database.url


def test_the_ballast_takes_real_room_once(sqlite_database: Database) -> None:
    assert keep_ballast(sqlite_database, 100_000)
    assert keep_ballast(sqlite_database, 100_000)
    assert sqlite_database.path is not None
    ballast = sqlite_database.path.with_name("buildwatch.db.ballast")
    assert ballast.stat().st_size == 100_000
    assert ballast.stat().st_blocks * 512 >= 100_000
    maintenance.drop_ballast(sqlite_database)
    assert not ballast.exists()


def test_old_builds_go_and_what_still_runs_stays(database: Database) -> None:
    recent = build(4, started_at=A_YEAR_LATER - timedelta(hours=1))
    database.transact(upsert(*series("PFR"), recent))
    pruned = prune(database, Keep(), A_YEAR_LATER)
    assert pruned == Pruned(builds=2)
    left = database.read(lambda session: builds.recent(session, limit=9))
    assert [each.build.number for each in left] == [3, 4]
    assert prune(database, Keep(), A_YEAR_LATER) == Pruned()


def test_many_old_builds_go_in_several_steps(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.retention._CHUNK", 2)
    database.transact(upsert(*series("PFPFP")))
    assert prune(database, Keep(), A_YEAR_LATER).builds == 5


def test_logs_and_cases_go_before_their_builds_and_totals_stay(database: Database) -> None:
    case = TestCase(suite="s", name="n", status=TestStatus.FAILED, message="boom")
    report = TestReport(passed=1, failed=1, skipped=0, cases=(case,))
    full = build(1, Outcome.FAILURE, log_excerpt="long", tests=report, reason="boom", bucket="helm")
    database.transact(upsert(full, build(2, Outcome.FAILURE, log_excerpt="new", started_at=NOON + timedelta(days=30))))
    assert prune(database, Keep(), NOON + timedelta(days=31)) == Pruned(logs=1)
    old, new = (each.build for each in reversed(database.read(builds.recent)))
    assert (old.log_excerpt, old.tests, old.reason, old.bucket) == (None, replace(report, cases=()), "boom", "helm")
    assert prune(database, Keep(), NOON + timedelta(days=31)) == Pruned()
    assert new.log_excerpt == "new"


def test_ended_alerts_go_with_their_messages_and_others_stay(database: Database) -> None:
    def some(session: Session) -> None:
        ended = {"state": AlertState.RESOLVED, "resolved_at": minutes(30)}
        old = alerts.save(session, alert(**ended))
        unsent = alerts.save(session, alert(**ended))
        alerts.save(session, alert())
        alerts.save(session, alert(state=AlertState.CLOSED, resolved_at=A_YEAR_LATER))
        outbox.add(session, [notification(alert_id=each.id) for each in (old, unsent)])
        first, _ = waiting.waiting(session, "team", NOON)
        assert first.alert_id == old.id
        outcomes.mark_sent(session, waiting.take(session, [first], Form.SINGLE, NOON), {}, NOON)

    database.transact(some)
    assert prune(database, Keep(), A_YEAR_LATER) == Pruned(alerts=1)
    assert [each.alert.id for each in database.read(lambda session: alerts.listing(session, all=True))] == [4, 3, 2]
    [left] = database.read(outbox.listing)
    assert (left.alert_id, left.delivery) == (2, Delivery.PENDING)
    assert count(database, "attempts") == 0


def test_ids_of_pruned_alerts_never_come_back(database: Database) -> None:
    saved = database.transact(
        lambda session: alerts.save(session, alert(state=AlertState.RESOLVED, resolved_at=minutes(30)))
    )
    prune(database, Keep(), A_YEAR_LATER)
    again = database.transact(lambda session: alerts.save(session, alert()))
    assert (again.id or 0) > (saved.id or 0)


def test_the_quarantine_does_not_grow_for_ever(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.retention._QUARANTINE_KEPT", 2)

    class Unreadable:
        pipeline, problem, raw = "a", "p", "{}"

        def __init__(self, number: int) -> None:
            self.external_id = str(number)

    def add(number: int, at: datetime) -> None:
        database.transact(lambda session: quarantine.add(session, "ci", [Unreadable(number)], at))

    for number in range(5):
        add(number, minutes(number))
    assert prune(database, Keep(), NOON).quarantined == 3
    assert [each.external_id for each in database.read(quarantine.listing)] == ["4", "3"]


def test_a_healthy_store_passes_its_check(database: Database) -> None:
    database.transact(lambda session: session.execute(update(schema.notes).values(value=1)))
    assert database.read(notes.read) == {}
    check_integrity(database)
