"""Pages of builds against the same filters in Python, on both databases."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.build import Outcome, Status, Verdict
from store import browsing, builds, pipelines
from store.browsing import Place, Wanted
from store.builds import BuildView
from store.engine import Database, Session
from store.schema import builds as table
from tests.support.builders import NOON, build, minutes, pipeline
from tests.support.builders import builds as series
from tests.support.histories import History, verdict_of
from tests.support.reports import stored

ANY = Wanted()
FAR = 1 << 60


def everything(database: Database) -> list[BuildView]:
    def read(session: Session) -> list[BuildView]:
        return list(builds.get(session, [row.id for row in session.execute(table.select())]).values())

    return database.read(read)


def in_order(views: list[BuildView]) -> list[int | None]:
    """Those that count, as they are shown."""
    counting = [each for each in views if not each.superseded and (each.verdict or not each.build.finished_at)]

    def place(view: BuildView) -> tuple[bool, float, int]:
        ended = view.build.finished_at
        return (ended is None, ended.timestamp() if ended else 0.0, view.build.id or 0)

    return [each.build.id for each in sorted(counting, key=place, reverse=True)]


def ids(database: Database, wanted: Wanted = ANY, *, limit: int = 1000, after: Place | None = None) -> list[int | None]:
    page = database.read(lambda session: browsing.page(session, wanted, limit=limit, after=after))
    return [each.build.id for each in page.builds]


def paged(database: Database, wanted: Wanted, limit: int) -> list[int | None]:
    found: list[int | None] = []
    after: Place | None = None
    for _ in range(2000):
        place = after
        page = database.read(lambda session, place=place: browsing.page(session, wanted, limit=limit, after=place))
        assert len(page.builds) <= limit
        found += [each.build.id for each in page.builds]
        after = page.next
        if after is None:
            return found
    raise AssertionError("pages without end")


@pytest.mark.parametrize("seed", range(3))
def test_pages_show_each_build_that_counts_once_and_newest_first(database: Database, seed: int) -> None:
    history = History(seed, NOON)
    for page in history.steps(30):
        stored(database, *page)
    wanted = in_order(everything(database))
    assert wanted
    for limit in (1, 3, 7, 50, 1000):
        assert paged(database, ANY, limit) == wanted, limit


FILTERS: list[tuple[Wanted, Callable[[BuildView], bool]]] = [
    (Wanted(branch="main"), lambda view: view.build.branch == "main"),
    (Wanted(verdicts=frozenset({Verdict.FAILED})), lambda view: view.verdict is Verdict.FAILED),
    (
        Wanted(outcomes=frozenset({Outcome.SUCCESS, Outcome.CANCELLED})),
        lambda view: view.build.outcome in {Outcome.SUCCESS, Outcome.CANCELLED},
    ),
    (Wanted(statuses=frozenset({Status.FINISHED})), lambda view: view.build.status is Status.FINISHED),
    (Wanted(statuses=frozenset({Status.RUNNING})), lambda view: view.build.status is Status.RUNNING),
    (
        Wanted(statuses=frozenset({Status.RUNNING, Status.QUEUED})),
        lambda view: view.build.status is not Status.FINISHED,
    ),
    (Wanted(pipelines=[1, 3]), lambda view: view.build.pipeline.key in {"one", "three"}),
    (Wanted(pipelines=[]), lambda _: False),
    (Wanted(branch="no such branch"), lambda _: False),
    (
        Wanted(since=minutes(100), until=minutes(300)),
        lambda view: view.build.finished_at is not None and minutes(100) <= view.build.finished_at < minutes(300),
    ),
    (
        Wanted(labels={"cloud": "blr"}),
        lambda view: view.build.labels.get("cloud", view.build.pipeline.labels.get("cloud")) == "blr",
    ),
    (Wanted(bucket="network"), lambda view: view.build.bucket == "network"),
    (Wanted(bucket=""), lambda view: view.verdict is Verdict.FAILED and view.build.bucket is None),
    (Wanted(text="GRACE"), lambda view: view.build.actor == "grace"),
    (Wanted(text="100%_\\"), lambda view: view.build.title == "100%_\\ sure"),
    (Wanted(text="#7"), lambda view: view.build.number == 7),
    (Wanted(text="0000a"), lambda view: (view.build.commit or "").startswith("0000a")),
    (Wanted(text="three"), lambda view: view.build.pipeline.key == "three"),
]


def world(database: Database) -> None:
    one, two = pipeline("one", labels={"cloud": "blr"}), pipeline("two", branched=False)
    three = pipeline("three", labels={"cloud": "ams", "a\"b$.'": "x"})
    database.transact(lambda session: pipelines.remember(session, [one, two, three], NOON))
    some = [
        *series("PFPFFPAR", pipeline=one),
        *series("PPFUAPFFFFPR", pipeline=two, branch="dev", actor="grace"),
        *series("PFPFPFPFPFP", pipeline=three, labels={"cloud": "blr"}),
        *series("FPF", first=100, pipeline=three, bucket="network", title="100%_\\ sure"),
        build(200, Outcome.FAILURE, pipeline=three, commit="0000a" + "b" * 35, branch="feature/" + "x" * 30),
        build(201, Outcome.SUCCESS, pipeline=one, is_pull_request=True, branch="main"),
        build(202, None, pipeline=one, status=Status.QUEUED),
    ]
    stored(database, *some)


@pytest.mark.parametrize(("wanted", "fits"), FILTERS, ids=[str(each)[:60] for each, _ in FILTERS])
def test_what_is_wanted_is_found_and_nothing_else(
    database: Database, wanted: Wanted, fits: Callable[[BuildView], bool]
) -> None:
    world(database)
    expected = in_order([each for each in everything(database) if fits(each)])
    for limit in (2, 1000):
        assert paged(database, wanted, limit) == expected


def test_conditions_hold_together(database: Database) -> None:
    world(database)
    wanted = Wanted(labels={"cloud": "blr"}, verdicts=frozenset({Verdict.FAILED}), text="three", pipelines=[1, 3])
    expected = [
        each
        for each in everything(database)
        if each.build.pipeline.key == "three" and each.build.labels.get("cloud") == "blr" and each.verdict == "failed"
    ]
    assert expected
    assert paged(database, wanted, 2) == in_order(expected)


def test_names_of_labels_are_text_and_never_a_path(database: Database) -> None:
    world(database)
    assert len(ids(database, Wanted(labels={"a\"b$.'": "x"}))) == 15
    assert not ids(database, Wanted(labels={"$": "x"}))
    assert not ids(database, Wanted(labels={"cloud": "blr", "$.cloud": "blr"}))


def test_a_build_of_its_own_label_is_not_found_by_that_of_its_pipeline(database: Database) -> None:
    world(database)
    assert len(ids(database, Wanted(labels={"cloud": "ams"}))) == 4  # of eleven and four builds of `three`


def test_what_is_stored_meanwhile_moves_no_page(database: Database) -> None:
    stored(database, *series("PFPFPFPFPF"))
    first = database.read(lambda session: browsing.page(session, ANY, limit=4))
    stored(database, *series("PPPP", first=11), build(30, None))
    rest = ids(database, after=first.next)
    assert [each.build.number for each in first.builds] == [10, 9, 8, 7]
    numbers = database.read(lambda session: {key: view.build.number for key, view in builds.get(session, rest).items()})
    assert [numbers[each] for each in rest if each] == [6, 5, 4, 3, 2, 1]


def test_running_builds_are_paged_before_the_finished_ones(database: Database) -> None:
    stored(database, *series("RRRPP"))
    page = database.read(lambda session: browsing.page(session, ANY, limit=2))
    assert [each.build.number for each in page.builds] == [3, 2]
    assert page.next == Place(None, page.builds[-1].build.id or 0)
    page = database.read(lambda session: browsing.page(session, ANY, limit=1, after=page.next))
    assert [each.build.number for each in page.builds] == [1]
    assert page.next == Place(FAR, 0)
    assert len(ids(database, after=page.next)) == 2


def test_builds_that_ended_together_are_all_shown(database: Database) -> None:
    some = [replace(each, finished_at=minutes(500)) for each in series("PFPFPFPFPFPFPFP")]
    stored(database, *some)
    assert paged(database, ANY, 4) == in_order(everything(database))


def test_what_lies_years_back_is_found(database: Database) -> None:
    old = [build(number, started_at=NOON - number * timedelta(days=200)) for number in range(1, 20)]
    stored(database, *old)
    assert paged(database, ANY, 3) == in_order(everything(database))
    assert len(ids(database, Wanted(verdicts=frozenset({Verdict.PASSED})), limit=5)) == 5


def test_rare_things_are_looked_for_step_by_step(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsing, "LOOKED_AT", 5)
    monkeypatch.setattr(browsing, "_CHUNK", 5)
    some = [build(number, started_at=NOON + number * timedelta(days=1)) for number in range(1, 40)]
    stored(database, *some, build(100, started_at=NOON - timedelta(days=9), title="needle"))
    wanted = Wanted(text="needle")
    page = database.read(lambda session: browsing.page(session, wanted, limit=10))
    assert not page.builds
    assert page.next is not None
    assert len(paged(database, wanted, 10)) == 1


def test_an_empty_store_has_an_empty_page(database: Database) -> None:
    assert database.read(lambda session: browsing.page(session, ANY, limit=10)) == browsing.Page([], None)


def test_verdicts_of_the_store_are_those_of_the_rules(database: Database) -> None:
    stored(database, build(1, Outcome.UNSTABLE))
    [view] = database.read(lambda session: browsing.page(session, ANY, limit=10)).builds
    assert view.verdict is verdict_of(view.build)
