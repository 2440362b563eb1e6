from alerts.verdict import verdict_of
from domain.build import Outcome
from domain.silence import Ends, Silence
from store import builds, pipelines, silences
from store.engine import Database
from tests.support.builders import NOON, build, minutes, pipeline


def put(database: Database, **changes: object) -> Silence:
    values = {"match": {"pipeline": "web/*"}, "ends": Ends(fixed=True), "reason": "freeze", "created_at": NOON}
    silence = Silence(**(values | changes))  # type: ignore[arg-type]
    return database.transact(lambda session: silences.add(session, silence))


def test_a_silence_comes_back_as_it_was_stored(database: Database) -> None:
    whole = Ends(at=minutes(5), fixed=True, build=815, new_bucket=True, buckets=("helm",))
    stored = [put(database, ends=whole, author="ada", match={"labels": {"cloud": "aws"}}), put(database)]
    assert database.read(silences.unended) == stored
    assert [each.id for each in stored] == [1, 2]
    assert database.read(lambda session: silences.get(session, [2, 3])) == {2: stored[1]}


def test_an_ended_silence_stays_and_ends_once(database: Database) -> None:
    put(database)
    end = lambda because: database.transact(lambda session: silences.end(session, 1, because, minutes(9)))  # noqa: E731
    assert end("fixed")
    assert not end("again")
    assert not database.transact(lambda session: silences.end(session, 7, "never was", minutes(9)))
    assert database.read(silences.unended) == []
    (over,) = database.read(silences.listing)
    assert (over.ended_at, over.ended_because) == (minutes(9), "fixed")


def test_streams_in_which_a_build_has_settled_are_found(database: Database) -> None:
    web, lib = pipeline("web"), pipeline("lib")
    given = [
        build(3, pipeline=web),
        build(4, Outcome.FAILURE, pipeline=web, branch="release/1"),
        build(9, None, pipeline=web, branch="running"),
        build(9, Outcome.CANCELLED, pipeline=web, branch="cancelled", external_id="c"),
        build(9, pipeline=web, branch="fork", external_id="f", is_fork=True),
        build(9, pipeline=lib),
    ]
    database.transact(lambda session: pipelines.remember(session, [web, lib], NOON))
    database.transact(lambda session: builds.upsert(session, given, verdict_of, NOON))
    ids = {each.pipeline.key: each.id for each in database.read(pipelines.all)}
    found = database.read(lambda session: silences.settled_streams(session, [ids["web"]], 4))
    assert found == [(ids["web"], "release/1")]
    both = database.read(lambda session: silences.settled_streams(session, list(ids.values()), 3))
    assert sorted(stream for _, stream in both) == ["main", "main", "release/1"]
    assert database.read(lambda session: silences.settled_streams(session, [], 1)) == []
