from dataclasses import dataclass, replace

from store import cursors, notes, pipelines, providers, quarantine
from store.engine import Database
from store.providers import ProviderHealth
from tests.support.builders import NOON, build, minutes, pipeline


@dataclass(frozen=True)
class Unreadable:
    pipeline: str
    external_id: str
    problem: str = "no number"
    raw: str = "{}"


def test_cursors_are_kept_by_target_and_forgotten_by_none(database: Database) -> None:
    def save(provider: str, target: str, **values: dict[str, object] | None) -> None:
        database.transact(lambda session: cursors.save(session, provider, target, values))

    def load(provider: str, target: str) -> dict[str, dict[str, object]]:
        return database.read(lambda session: cursors.load(session, provider, target))

    save("ci", "all", one={"next": 5}, two={"etag": '"x"', "seen": [1, 2]})
    save("ci", "other", one={"next": 1})
    save("ci", "all", one={"next": 6}, two=None, three={})
    save("ci", "all")
    assert load("ci", "all") == {"one": {"next": 6}, "three": {}}
    assert load("ci", "other") == {"one": {"next": 1}}
    database.transact(lambda session: cursors.forget(session, "ci", "other"))
    assert load("ci", "other") == {}
    database.transact(lambda session: cursors.forget(session, "ci"))
    assert load("ci", "all") == {}


def test_a_pipeline_is_new_once(database: Database) -> None:
    def remember(*met: pipelines.Pipeline, minute: int = 0) -> dict[pipelines.Key, pipelines.Known]:
        return database.transact(lambda session: pipelines.remember(session, met, minutes(minute)))

    labelled = pipeline(labels={"release": "4.2"}, branched=False, default_branch=None)
    first = remember(labelled)["ci", "web/deploy"]
    assert (first.pipeline, first.is_new, first.watched_since) == (labelled, True, NOON)
    again = remember(labelled, minute=5)["ci", "web/deploy"]
    assert again == replace(first, is_new=False)
    renamed = remember(replace(labelled, name="Deploy"), minute=6)["ci", "web/deploy"]
    assert (renamed.id, renamed.pipeline.name, renamed.watched_since) == (first.id, "Deploy", NOON)
    assert remember() == {}
    given = {("ci", "x"): minutes(-60)}
    early = database.transact(lambda session: pipelines.remember(session, [pipeline("x")], NOON, watched_since=given))
    assert early["ci", "x"].watched_since == minutes(-60)


def test_a_missing_pipeline_is_missing_since_the_first_time_until_it_is_met_again(database: Database) -> None:
    database.transact(lambda session: pipelines.remember(session, [pipeline(), pipeline("other")], NOON))
    for minute in (1, 2):
        at = minutes(minute)
        database.transact(lambda session, at=at: pipelines.set_missing(session, "ci", ["web/deploy"], at))
    assert [each.missing_since for each in database.read(pipelines.all)] == [None, minutes(1)]
    back = database.transact(lambda session: pipelines.remember(session, [pipeline()], minutes(3)))
    assert back["ci", "web/deploy"].missing_since is None
    assert back["ci", "web/deploy"].is_back


def test_a_renamed_pipeline_keeps_its_row(database: Database) -> None:
    known = database.transact(lambda session: pipelines.remember(session, [pipeline(), pipeline("b")], NOON))

    def rename(old: str, new: str) -> bool:
        return database.transact(lambda session: pipelines.rename(session, "ci", old, new))

    assert rename("web/deploy", "web/ship") is True
    assert rename("web/deploy", "web/ship") is False
    assert rename("web/ship", "b") is False
    found = database.read(lambda session: pipelines.find(session, [("ci", "web/ship")]))
    assert found["ci", "web/ship"].id == known["ci", "web/deploy"].id


def test_pipelines_are_listed_by_provider(database: Database) -> None:
    met = [pipeline("b"), pipeline("a"), pipeline("c", provider="zz")]
    database.transact(lambda session: pipelines.remember(session, met, NOON))
    assert [each.pipeline.key for each in database.read(pipelines.all)] == ["a", "b", "c"]
    assert [each.pipeline.key for each in database.read(lambda session: pipelines.all(session, "zz"))] == ["c"]
    assert database.read(lambda session: pipelines.by_ids(session, [])) == []
    assert build().pipeline == pipeline()


def test_the_health_of_a_provider_survives(database: Database) -> None:
    assert database.read(lambda session: providers.load(session, "ci")) == ProviderHealth(name="ci")
    bad = ProviderHealth(
        name="ci",
        failing_since=NOON,
        failures=3,
        trouble="auth",
        text="token refused",
        last_ok_at=minutes(-5),
        retry_at=minutes(15),
    )
    for health in (ProviderHealth(name="ci"), bad, ProviderHealth(name="aa")):
        database.transact(lambda session, health=health: providers.save(session, health))
    assert database.read(lambda session: providers.load(session, "ci")) == bad
    assert [each.name for each in database.read(providers.all)] == ["aa", "ci"]
    database.transact(lambda session: providers.forget(session, ["aa"]))
    assert [each.name for each in database.read(providers.all)] == ["ci"]


def test_an_unreadable_build_is_kept_once_and_renewed(database: Database) -> None:
    def add(*some: Unreadable, minute: int = 0, provider: str = "ci") -> int:
        return database.transact(lambda session: quarantine.add(session, provider, some, minutes(minute)))

    assert add(Unreadable("a", "1"), Unreadable("a", "2")) == 2
    assert add(Unreadable("a", "1", problem="worse"), minute=5) == 0
    assert add(Unreadable("a", "1"), minute=1, provider="other") == 1
    assert database.read(quarantine.count) == 3
    assert database.read(lambda session: quarantine.count(session, "ci")) == 2
    newest = database.read(lambda session: quarantine.listing(session, limit=2))[0]
    assert (newest.external_id, newest.problem, newest.first_seen_at, newest.last_seen_at) == (
        "1",
        "worse",
        NOON,
        minutes(5),
    )
    database.transact(lambda session: quarantine.discard(session, "ci", "a", ["1"]))
    assert database.read(lambda session: quarantine.count(session, "ci")) == 1


def test_what_no_database_can_store_is_quarantined_all_the_same(database: Database) -> None:
    hostile = Unreadable("a\0b", "1", problem="lone \ud800 surrogate", raw="\0\udfff")
    database.transact(lambda session: quarantine.add(session, "ci", [hostile], NOON))
    [found] = database.read(quarantine.listing)
    assert (found.pipeline, found.problem, found.raw) == ("a\\x00b", "lone \\ud800 surrogate", "\\x00\\udfff")


def test_notes_are_overwritten_and_read_by_prefix(database: Database) -> None:
    for key, value in (("poll:a", 1), ("poll:b", [1, {"x": None}]), ("poll:a", 2), ("pollen", None)):
        database.transact(lambda session, key=key, value=value: notes.put(session, key, value, NOON))
    found = database.read(lambda session: notes.read(session, "poll:"))
    assert {key: note.value for key, note in found.items()} == {"poll:a": 2, "poll:b": [1, {"x": None}]}
    note = database.read(lambda session: notes.get(session, "pollen"))
    assert note is not None
    assert (note.value, note.updated_at) == (None, NOON)
    database.transact(lambda session: notes.remove(session, ["pollen"]))
    assert database.read(lambda session: notes.get(session, "pollen")) is None
