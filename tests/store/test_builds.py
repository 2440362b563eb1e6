from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, func, select

from domain.build import Build, Outcome, Status, Verdict
from domain.testreport import TestCase, TestReport, TestStatus
from domain.window import Window
from store import builds, pipelines, streams
from store.builds import Change
from store.engine import Database
from store.schema import builds as table
from tests.support.builders import NOON, build, minutes, pipeline
from tests.support.builders import builds as series

VERDICTS = {
    Outcome.SUCCESS: Verdict.PASSED,
    Outcome.UNSTABLE: Verdict.FAILED,
    Outcome.FAILURE: Verdict.FAILED,
    Outcome.TIMEOUT: Verdict.FAILED,
    Outcome.CANCELLED: Verdict.NEUTRAL,
}


def verdict_of(build: Build) -> Verdict | None:
    return None if build.outcome is None else VERDICTS[build.outcome]


def store(database: Database, *some: Build) -> list[Change]:
    return database.transact(lambda session: builds.upsert(session, some, verdict_of, NOON))


def stored(database: Database, *ids: int) -> list[Build]:
    found = database.read(lambda session: builds.get(session, ids))
    return [found[each].build for each in ids]


def tail(database: Database, stream: str = "main", key: str = "web/deploy") -> str:
    found = database.read(lambda session: streams.tail(session, "ci", key, stream))
    return " ".join(f"{each.number}{'P' if each.verdict is Verdict.PASSED else 'F'}" for each in found)


def test_a_build_comes_back_as_it_was_stored(database: Database) -> None:
    report = TestReport(
        passed=3,
        failed=1,
        skipped=0,
        cases=(TestCase(suite="a", name="b", status=TestStatus.FAILED, duration=0.5, message="boom"),),
    )
    original = build(
        7,
        Outcome.FAILURE,
        external_id="g1-7",
        generation=1,
        title="Fix the flux compensator",
        queued_at=minutes(69),
        url="https://ci.example.com/web/deploy/7/",
        failing_stage="Deploy",
        bucket="helm",
        reason="Helm install failed",
        log_excerpt="first\nsecond",
        labels={"cloud": "aws", "release": "4.2"},
        tests=report,
        measurements={"coverage": 81.5},
    )
    [change] = store(database, original)
    assert change.build.id is not None
    assert change.build == original
    assert (change.verdict, change.before, change.before_verdict) == (Verdict.FAILED, None, None)
    assert stored(database, change.build.id) == [original]


@pytest.mark.parametrize(
    "changes",
    [
        {"commit": None},
        {"commit": "abc"},
        {"commit": "r1234"},
        {"commit": "A" * 40},
        {"commit": "x" * 19},
        {"commit": "x" * 20},
        {"commit": "x" * 40},
        {"commit": "0" * 64},
        {"url": "https://ci.example.com/actions/runs/5/attempts/2", "external_id": "5", "attempt": 2},
        {"url": "https://ci.example.com/5/5/5/"},
        {"url": "https://ci.example.com/{number}/"},
        {"url": "https://elsewhere.example.com/"},
        {"labels": {f"label{each}": "x" * 100 for each in range(50)}},
        {"branch": "feature/ü 🎉", "title": "x" * 300, "actor": "ü" * 255},
        {"branch": None},
        {"is_fork": True},
        {"is_pull_request": True, "branch": None},
        {"pipeline": pipeline(branched=False)},
        {"pipeline": pipeline(branched=False), "branch": None},
        {"started_at": None, "finished_at": None},
        {"number": 2**40, "started_at": NOON},
    ],
    ids=str,
)
def test_every_form_of_a_build_survives(database: Database, changes: dict[str, object]) -> None:
    original = build(**{"number": 5, "outcome": Outcome.SUCCESS, **changes})
    [change] = store(database, original)
    assert stored(database, change.build.id or 0) == [original]
    assert store(database, original) == []


def test_a_build_that_is_stored_already_writes_nothing(sqlite_database: Database) -> None:
    some = series("PFRA")
    store(sqlite_database, *some)
    written: list[str] = []
    event.listen(sqlite_database.engine, "before_cursor_execute", lambda *given: written.append(given[2]))
    assert store(sqlite_database, *some) == []
    assert not [each for each in written if each.startswith(("INSERT", "UPDATE", "DELETE"))]


def test_a_change_tells_what_was_before(database: Database) -> None:
    store(database, build(1, None))
    [change] = store(database, build(1, Outcome.FAILURE))
    assert (change.before, change.before_verdict, change.verdict) == (Status.RUNNING, None, Verdict.FAILED)
    [change] = store(database, build(1, Outcome.SUCCESS))
    assert (change.before, change.before_verdict) == (Status.FINISHED, Verdict.FAILED)


def test_a_build_seen_twice_on_a_page_changes_once(database: Database) -> None:
    [change] = store(database, build(1, None), build(1, Outcome.SUCCESS))
    assert (change.before, change.build.status) == (None, Status.FINISHED)
    assert tail(database) == "1P"


def test_a_later_touch_does_not_move_the_end_of_a_build(database: Database) -> None:
    [change] = store(database, build(1))
    assert store(database, build(1, finished_at=minutes(600))) == []
    [found] = stored(database, change.build.id or 0)
    assert found.finished_at == minutes(15)


def test_another_outcome_moves_the_end(database: Database) -> None:
    store(database, build(1))
    [change] = store(database, build(1, Outcome.FAILURE, finished_at=minutes(20)))
    assert stored(database, change.build.id or 0)[0].finished_at == minutes(20)


def test_a_finished_build_may_run_again_under_the_same_number(database: Database) -> None:
    store(database, build(1, Outcome.FAILURE, reason="boom", log_excerpt="long"))
    [change] = store(database, build(1, None, started_at=minutes(50)))
    assert change.before is Status.FINISHED
    assert tail(database) == ""
    [found] = stored(database, change.build.id or 0)
    assert (found.finished_at, found.reason, found.log_excerpt) == (None, None, None)
    store(database, build(1, Outcome.SUCCESS, started_at=minutes(50)))
    assert tail(database) == "1P"


def test_facts_left_out_later_are_kept(database: Database) -> None:
    full = build(1, Outcome.FAILURE, reason="boom", title="Fix", labels={"a": "b"}, measurements={"m": 1.0})
    [change] = store(database, full)
    bare = build(1, Outcome.FAILURE, branch=None, commit=None, actor=None, trigger=None, raw_outcome=None)
    assert store(database, bare) == []
    assert stored(database, change.build.id or 0) == [full]


def test_details_that_arrive_later_are_a_change(database: Database) -> None:
    store(database, build(1, Outcome.FAILURE))
    [change] = store(database, build(1, Outcome.FAILURE, reason="boom"))
    assert change.before_verdict is Verdict.FAILED
    [change] = store(database, build(1, Outcome.FAILURE, bucket="helm"))
    [found] = stored(database, change.build.id or 0)
    assert (found.reason, found.bucket) == ("boom", "helm")


def test_the_newest_decided_attempt_counts(database: Database) -> None:
    store(database, build(1, Outcome.FAILURE))
    store(database, build(1, None, attempt=2))
    assert tail(database) == "1F"
    store(database, build(1, Outcome.CANCELLED, attempt=2))
    assert tail(database) == "1F"
    store(database, build(1, Outcome.SUCCESS, attempt=3))
    assert tail(database) == "1P"
    [settled] = database.read(lambda session: streams.tail(session, "ci", "web/deploy", "main"))
    assert (settled.attempt, settled.flaky) == (3, True)


def test_a_lower_attempt_that_arrives_late_is_superseded_at_once(database: Database) -> None:
    store(database, build(1, Outcome.SUCCESS, attempt=2))
    [change] = store(database, build(1, Outcome.FAILURE))
    assert tail(database) == "1P"
    view = database.read(lambda session: builds.get(session, [change.build.id or 0]))[change.build.id or 0]
    assert view.superseded
    assert store(database, build(1, Outcome.FAILURE)) == []
    assert store(database, build(1, Outcome.SUCCESS, attempt=2)) == []


def test_a_tail_is_in_the_providers_order(database: Database) -> None:
    renumbered = [build(2, Outcome.FAILURE, external_id="g1-2"), build(1, external_id="g1-1")]
    store(database, *(replace(each, generation=1) for each in renumbered), *series("FPF", first=7))
    assert tail(database) == "7F 8P 9F 1P 2F"


def test_a_tail_ends_with_the_newest(database: Database) -> None:
    store(database, *series("PFPFP"))
    found = database.read(lambda session: streams.tail(session, "ci", "web/deploy", "main", limit=2))
    assert [each.number for each in found] == [4, 5]
    assert found[-1].finished_at == minutes(55)


def test_streams_do_not_mix(database: Database) -> None:
    store(database, build(1), build(2, branch="dev"), build(3, is_fork=True), build(4, is_pull_request=True))
    plain = pipeline("plain", branched=False)
    store(database, build(1, pipeline=plain, branch=None), build(2, pipeline=plain, branch="origin/main"))
    assert tail(database) == "1P"
    assert tail(database, "dev") == "2P"
    assert tail(database, "", "plain") == "1P 2P"
    assert tail(database, "unheard of") == ""
    assert tail(database, "main", "unheard of") == ""


def test_counts_of_a_stream(database: Database) -> None:
    store(database, *series("PPFAFP"))

    def counts(**which: object) -> tuple[int, int]:
        return database.read(lambda session: streams.counts(session, "ci", "web/deploy", "main", **which))  # type: ignore[arg-type]

    assert counts() == (3, 2)
    assert counts(last=2) == (1, 1)
    assert counts(window=Window(start=minutes(15), end=minutes(35))) == (2, 0)
    assert counts(window=Window(start=minutes(15), end=minutes(35) + timedelta(milliseconds=1))) == (2, 1)
    assert database.read(lambda session: streams.counts(session, "ci", "nowhere", "main", last=9)) == (0, 0)


def test_recent_builds_come_newest_first_and_running_ones_before(database: Database) -> None:
    other = pipeline("infra/images")
    store(database, *series("PRF"), build(9, pipeline=other))

    def recent(**which: object) -> list[tuple[str, int]]:
        found = database.read(lambda session: builds.recent(session, **which))  # type: ignore[arg-type]
        return [(each.build.pipeline.name, each.build.number) for each in found]

    assert recent() == [("deploy", 2), ("images", 9), ("deploy", 3), ("deploy", 1)]
    assert recent(limit=2) == [("deploy", 2), ("images", 9)]
    assert recent(pipelines="web/*") == [("deploy", 2), ("deploy", 3), ("deploy", 1)]
    assert recent(pipelines="image?") == [("images", 9)]
    assert recent(since=minutes(30)) == [("deploy", 2), ("images", 9), ("deploy", 3)]


def test_what_a_provider_found_out_is_not_forgotten_when_it_repeats_its_first_word(database: Database) -> None:
    """GitHub's list says `cancelled` for ever, a look at the jobs says timeout once."""
    seen = {"raw_outcome": "cancelled", "reason": None}
    store(database, build(1, Outcome.CANCELLED, **seen))
    assert len(store(database, build(1, Outcome.TIMEOUT, **seen | {"reason": "6 h"}))) == 1
    assert store(database, build(1, Outcome.CANCELLED, **seen)) == []
    [found] = database.read(builds.recent)
    assert (found.build.outcome, found.build.reason, found.verdict) == (Outcome.TIMEOUT, "6 h", Verdict.FAILED)
    assert len(store(database, build(1, Outcome.SUCCESS))) == 1


def test_the_newest_of_each_pipeline_and_what_runs(database: Database) -> None:
    store(database, *series("PRFP"), build(9, pipeline=pipeline("infra/images")))
    found = database.read(builds.newest)
    assert sorted((each.build.pipeline.name, each.build.number) for each in found) == [
        ("deploy", 2),
        ("deploy", 4),
        ("images", 9),
    ]


def test_unfinished_builds_of_a_provider(database: Database) -> None:
    store(database, *series("PR"), build(1, None, pipeline=pipeline(provider="other")))
    found = database.read(lambda session: builds.unfinished(session, "ci"))
    assert [each.build.number for each in found] == [2]
    assert database.read(lambda session: builds.unfinished(session, "nobody")) == []


def test_builds_of_an_unknown_pipeline_make_it_known(database: Database) -> None:
    store(database, build(1))
    [known] = database.read(pipelines.all)
    assert (known.pipeline, known.watched_since) == (pipeline(), NOON)


def test_pages_of_any_size_are_stored(database: Database) -> None:
    some = [build(number) for number in range(1, 2502)]
    assert len(store(database, *some)) == 2501
    assert store(database, *some) == []
    count = database.read(lambda session: session.execute(select(func.count()).select_from(table)).scalar())
    assert count == 2501
    assert store(database) == []


def test_reading_no_builds_is_no_error(database: Database) -> None:
    assert database.read(lambda session: builds.get(session, [])) == {}
    assert database.read(lambda session: builds.get(session, [99])) == {}


def rows_of(database: Database) -> Sequence[object]:
    query = select(table).order_by(table.c.pipeline_id, table.c.external_id, table.c.attempt)
    return database.read(lambda session: [tuple(row) for row in session.execute(query)])
