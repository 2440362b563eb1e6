"""The change feed: one row for each kind of change in a transaction, none lost, the newest kept."""

import threading

import pytest

from domain.alert import Alert, AlertKind, AlertState, Scope, Severity
from domain.build import Build, Verdict
from domain.details import Changes
from domain.silence import Ends, Silence
from store import alerts, builds, changes, details, pipelines, providers, silences
from store.changes import Delta, Kind
from store.database import Database, Session
from store.details import Findings
from store.providers import ProviderHealth
from tests.support.builders import NOON, minutes
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


def test_everything_that_people_see_is_told(database: Database) -> None:
    [build] = database.transact(lambda session: stored(session, *series("F")))
    silence = Silence(match={"pipeline": "*"}, ends=Ends(at=minutes(9)), reason="x", created_at=NOON)

    def kinds(*units: object) -> set[Kind]:
        seq = database.read(changes.newest)
        for unit in units:
            database.transact(unit)  # type: ignore[arg-type]
        return set(news(database, seq).kinds)

    findings = Findings(bucket="Helm", changes=Changes(commits=(), total=0))
    assert kinds(lambda session: details.save(session, build, findings)) == {Kind.BUILD}
    assert kinds(lambda session: details.save(session, build, findings)) == set()
    assert kinds(lambda session: providers.save(session, ProviderHealth(name="ci"))) == {Kind.PROVIDER}
    assert kinds(lambda session: silences.add(session, silence)) == {Kind.SILENCE}
    assert kinds(lambda session: silences.end(session, 77, "gone", NOON)) == set()
    assert kinds(lambda session: pipelines.set_missing(session, "ci", ["web/deploy"], NOON)) == {Kind.PIPELINE}
    assert kinds(lambda session: pipelines.rename(session, "ci", "web/deploy", "web/d")) == {Kind.PIPELINE}


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
