"""The change feed: one row for each kind of change in a transaction, none lost, the newest kept."""

import threading
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from domain.alert import Alert, AlertKind, AlertState, Scope, Severity
from domain.build import Build, Verdict
from domain.details import Changes
from domain.silence import Ends, Silence
from domain.testreport import TestCase, TestReport, TestStatus
from domain.waiting import Form
from store import (
    alerts,
    awaited,
    buckets,
    builds,
    changes,
    details,
    held,
    measurements,
    outbox,
    outcomes,
    pipelines,
    providers,
    retention,
    silences,
    waiting,
)
from store import tests as reports
from store.buckets import Assigned
from store.changes import Delta, Kind
from store.database import Database, Session
from store.details import Findings
from store.engine import open_database
from store.providers import ProviderHealth
from store.retention import Keep
from tests.support.builders import NOON, minutes, notification
from tests.support.builders import builds as series


def stored(session: Session, *what: Build) -> list[int]:
    return [change.id for change in builds.upsert(session, what, lambda _: Verdict.PASSED, NOON)]


def firing(number: int = 1) -> Alert:
    return Alert(
        kind=AlertKind.FAILURE,
        scope=Scope(provider="ci", pipeline=f"job {number}", branch=""),
        severity=Severity.CRITICAL,
        state=AlertState.FIRING,
        started_at=NOON,
        summary="red",
    )


def news(database: Database, seq: int = 0) -> Delta:
    found = database.read(lambda session: changes.since(session, seq))
    assert found is not None
    return found


def count(database: Database) -> int:
    return int(database.read(lambda session: session.exec_driver_sql("SELECT count(*) FROM changes").scalar_one()))


def test_nothing_has_changed_in_a_new_store(database: Database) -> None:
    assert database.read(changes.newest) == 0
    assert news(database) == Delta(seq=0)


def test_builds_are_told_with_their_pipelines_and_once(database: Database) -> None:
    page = series("PFP")
    first = database.transact(lambda session: stored(session, *page))
    [pipeline] = database.read(pipelines.all)
    told = news(database)
    assert told.kinds == {Kind.BUILD, Kind.PIPELINE}
    assert (told.builds, told.pipelines, told.alerts) == (frozenset(first), {pipeline.id}, frozenset())
    database.transact(lambda session: stored(session, *page))
    assert database.read(changes.newest) == told.seq


def test_only_what_is_new_on_a_page_is_told(database: Database) -> None:
    *old, new = series("PFP")
    database.transact(lambda session: stored(session, *old))
    before = database.read(changes.newest)
    added = database.transact(lambda session: stored(session, *old, new))
    assert news(database, before).builds == set(added)
    assert len(added) == 1


def test_a_transaction_writes_a_row_for_each_kind_however_much_it_changes(database: Database) -> None:
    def unit(session: Session) -> None:
        stored(session, *series("PF"))
        stored(session, *series("PFPF"))
        for number in range(5):
            alerts.save(session, firing(number))

    database.transact(unit)
    told = news(database)
    assert count(database) == len(told.kinds) == 3
    assert told.builds is not None
    assert told.alerts is not None
    assert (len(told.builds), len(told.alerts)) == (4, 5)


def test_very_many_are_not_named(database: Database) -> None:
    database.transact(lambda session: [alerts.save(session, firing(number)) for number in range(501)])
    assert news(database).alerts is None
    database.transact(lambda session: alerts.save(session, firing(9999)))
    assert news(database).alerts is None


def test_what_is_rolled_back_is_not_told(database: Database) -> None:
    def unit(session: Session) -> None:
        alerts.save(session, firing())
        raise LookupError

    for _ in range(3):
        with pytest.raises(LookupError):
            database.transact(unit)
    database.transact(lambda session: alerts.save(session, firing(2)))
    [alert] = database.read(alerts.firing)
    assert news(database).alerts == {alert.id}


def kinds(database: Database, *units: object) -> set[Kind]:
    """What these transactions tell."""
    seq = database.read(changes.newest)
    for unit in units:
        database.transact(unit)  # type: ignore[arg-type]
    return set(news(database, seq).kinds)


def test_everything_that_people_see_is_told(database: Database) -> None:
    [build] = database.transact(lambda session: stored(session, *series("F")))
    silence = Silence(match={"pipeline": "*"}, ends=Ends(at=minutes(9)), reason="x", created_at=NOON)
    findings = Findings(bucket="Helm", changes=Changes(commits=(), total=0))
    report = TestReport(passed=0, failed=1, skipped=0, cases=(TestCase(suite="s", name="t", status=TestStatus.FAILED),))
    other = [Assigned(build_id=build, bucket="Disk", kind="infra", reason="full")]
    told = partial(kinds, database)
    assert told(lambda session: details.save(session, build, findings)) == {Kind.BUILD}
    assert told(lambda session: details.save(session, build, findings)) == set()
    assert told(lambda session: details.add_due(session, [build], NOON)) == {Kind.BUILD}
    assert told(lambda session: details.done(session, build)) == {Kind.BUILD}
    assert told(lambda session: details.done(session, build)) == set()
    assert told(lambda session: buckets.assign(session, other)) == {Kind.BUILD}
    assert told(lambda session: reports.record(session, build, report)) == {Kind.BUILD}
    assert told(lambda session: measurements.record(session, build, {"lines": 7.0})) == {Kind.BUILD}
    assert told(lambda session: awaited.mark(session, [build])) == {Kind.BUILD}
    assert told(lambda session: awaited.release(session, [build])) == {Kind.BUILD}
    assert told(lambda session: silences.add(session, silence)) == {Kind.SILENCE}
    assert told(lambda session: silences.end(session, 1, "enough", NOON)) == {Kind.SILENCE}
    assert told(lambda session: silences.end(session, 77, "gone", NOON)) == set()
    assert told(lambda session: pipelines.set_missing(session, "ci", ["web/deploy"], NOON)) == {Kind.PIPELINE}
    assert told(lambda session: pipelines.rename(session, "ci", "web/deploy", "web/d")) == {Kind.PIPELINE}


def test_how_providers_are_is_told_and_not_that_they_answer_once_more(database: Database) -> None:
    told = partial(kinds, database)
    assert told(lambda session: providers.save(session, ProviderHealth(name="ci"))) == {Kind.PROVIDER}
    assert told(lambda session: providers.save(session, ProviderHealth(name="ci", last_ok_at=NOON))) == {Kind.PROVIDER}
    later = ProviderHealth(name="ci", last_ok_at=minutes(1))
    assert told(lambda session: providers.save(session, later)) == set()
    assert database.read(lambda session: providers.load(session, "ci")) == later
    assert told(lambda session: providers.save(session, replace(later, failures=1))) == {Kind.PROVIDER}
    assert told(lambda session: providers.forget(session, ["other"])) == set()
    assert told(lambda session: providers.forget(session, ["ci"])) == {Kind.PROVIDER}


def test_what_becomes_of_messages_is_told(database: Database) -> None:
    told = partial(kinds, database)
    alert = database.transact(lambda session: alerts.save(session, firing()))
    message = notification(alert_id=alert.id or 0)
    assert told(lambda session: outbox.add(session, [message])) == {Kind.DELIVERY}
    [row] = database.read(lambda session: waiting.waiting(session, message.channel, minutes(1)))
    assert told(lambda session: waiting.take(session, [row], Form.SINGLE, NOON)) == {Kind.DELIVERY}
    assert told(lambda session: outcomes.mark_retry(session, row.id, "no", minutes(2))) == {Kind.DELIVERY}
    assert told(lambda session: waiting.take_again(session, row.id, NOON)) == {Kind.DELIVERY}
    assert told(outcomes.recover) == {Kind.DELIVERY}
    assert told(outcomes.recover) == set()
    assert told(lambda session: outbox.drop(session, row.id, NOON)) == {Kind.DELIVERY}
    assert told(lambda session: outbox.retry(session, row.id, NOON)) == {Kind.DELIVERY}
    assert told(lambda session: outbox.retry(session, 77, NOON)) == set()
    assert told(lambda session: outcomes.mark_sent(session, row.id, {}, NOON)) == {Kind.DELIVERY}
    assert told(lambda session: held.rewrite(session, row.id, message.message, {})) == {Kind.DELIVERY}
    assert told(lambda session: held.take_back(session, [row.id])) == {Kind.DELIVERY}


def test_what_is_forgotten_is_told(database: Database) -> None:
    [build] = database.transact(lambda session: stored(session, *series("F")))
    database.transact(lambda session: details.save(session, build, Findings(log_excerpt="x")))
    ended = replace(firing(), state=AlertState.RESOLVED, resolved_at=NOON)
    alert = database.transact(lambda session: alerts.save(session, ended))
    seq = database.read(changes.newest)
    retention.prune(database, Keep(), NOON + timedelta(days=31))
    logs = news(database, seq)
    assert (logs.kinds, logs.builds) == ({Kind.BUILD}, {build})
    retention.prune(database, Keep(), NOON + timedelta(days=500))
    gone = news(database, logs.seq)
    assert gone.kinds == {Kind.BUILD, Kind.ALERT}
    assert (gone.builds, gone.alerts) == (frozenset({build}), frozenset({alert.id or 0}))


def test_what_was_read_of_a_build_names_it_and_its_pipeline(database: Database) -> None:
    [build] = database.transact(lambda session: stored(session, *series("F")))
    seq = database.read(changes.newest)
    database.transact(lambda session: details.save(session, build, Findings(bucket="Helm")))
    told = news(database, seq)
    [pipeline] = database.read(pipelines.all)
    assert (told.builds, told.pipelines) == ({build}, {pipeline.id})


def test_the_newest_rows_are_kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "KEPT", 150)
    for _ in range(320):
        database.transact(lambda session: changes.note(session, Kind.CONFIGURATION))
    assert 150 <= count(database) <= 250
    newest = database.read(changes.newest)
    assert news(database, newest - 100).kinds == {Kind.CONFIGURATION}
    assert database.read(lambda session: changes.since(session, newest - 300)) is None


def test_a_number_that_the_store_does_not_know_means_look_at_everything(database: Database) -> None:
    assert database.read(lambda session: changes.since(session, 12)) is None
    database.transact(lambda session: changes.note(session, Kind.SILENCE))
    newest = database.read(changes.newest)
    assert database.read(lambda session: changes.since(session, newest + 1)) is None
    assert news(database, newest) == Delta(seq=newest)


def test_too_much_at_once_means_look_at_everything(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "TOGETHER", 3)
    for _ in range(4):
        database.transact(lambda session: changes.note(session, Kind.SILENCE))
    assert database.read(lambda session: changes.since(session, 0)) is None


def test_who_listens_is_called_after_the_commit_and_only_for_news(database: Database) -> None:
    heard: list[int] = []
    end = database.listen(lambda: heard.append(database.read(changes.newest)))
    database.transact(lambda session: changes.note(session, Kind.ALERT, ids=[1]))
    database.transact(lambda session: details.done(session, 1))
    database.read(details.counts)
    assert heard == [database.read(changes.newest)]
    end()
    database.transact(lambda session: changes.note(session, Kind.ALERT, ids=[2]))
    assert len(heard) == 1


def test_reading_on_from_the_last_number_misses_nothing_of_many_writers(database: Database) -> None:
    told: set[int] = set()
    done = threading.Event()

    def write(first: int) -> None:
        for number in range(first, first + 20):
            database.transact(lambda session, number=number: changes.note(session, Kind.ALERT, ids=[number]))  # type: ignore[misc]

    def follow() -> None:
        seq = 0
        last = False
        while not last:
            last = done.is_set()
            delta = news(database, seq)
            assert delta.alerts is not None
            told.update(delta.alerts)
            seq = delta.seq

    reader = threading.Thread(target=follow)
    writers = [threading.Thread(target=write, args=(1000 * each,)) for each in range(4)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert told == {1000 * each + number for each in range(4) for number in range(20)}


def test_a_transaction_that_began_first_and_ends_last_is_not_skipped(database: Database) -> None:
    """Of two processes: whoever has a number commits before the next one gets another."""
    elsewhere = open_database(database.engine.url.render_as_string(hide_password=False), create=False)
    writing, go_on, followed = threading.Event(), threading.Event(), []

    def slow(session: Session) -> None:
        changes.note(session, Kind.ALERT, ids=[1])
        writing.set()
        assert go_on.wait(20)

    def quick() -> None:
        elsewhere.transact(lambda session: changes.note(session, Kind.ALERT, ids=[2]))

    first = threading.Thread(target=database.transact, args=[slow])
    second = threading.Thread(target=quick)
    first.start()
    assert writing.wait(20)
    second.start()
    seq = 0
    for wait in (0.3, 20):
        second.join(wait)
        told = news(database, seq)
        followed.append(told.alerts)
        seq = told.seq
        go_on.set()
    first.join(20)
    elsewhere.close()
    assert followed == [frozenset(), {1, 2}]


def test_deltas_add_up() -> None:
    one = Delta(seq=1, kinds=frozenset({Kind.BUILD}), pipelines=frozenset({1}), builds=frozenset({10}))
    two = Delta(seq=2, kinds=frozenset({Kind.ALERT}), pipelines=frozenset({2}), alerts=None)
    both = one | two
    assert both == Delta(
        seq=2,
        kinds=frozenset({Kind.BUILD, Kind.ALERT}),
        pipelines=frozenset({1, 2}),
        builds=frozenset({10}),
        alerts=None,
    )
