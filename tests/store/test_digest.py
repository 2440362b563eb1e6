"""What a digest asks of the store, against the same asked of the builds in Python, on both databases."""

from collections import Counter, defaultdict
from datetime import timedelta
from functools import partial

import orjson
import pytest

from domain.build import Outcome, Verdict
from domain.window import Window
from metrics.summary import counted_builds
from metrics.windows import rolling
from store import absence, alerts, builds, digest
from store.builds import BuildView
from store.digest import Flakiness
from store.engine import Database, Session
from store.schema import builds as table
from tests.support.builders import NOON, alert, build, minutes, pipeline
from tests.support.builders import builds as series
from tests.support.histories import History, verdict_of

EVER = Window(start=NOON - timedelta(days=400), end=NOON + timedelta(days=400))
WEB = ("ci", "web/deploy")


def store(database: Database, *some: object) -> None:
    database.transact(lambda session: builds.upsert(session, some, verdict_of, NOON))  # type: ignore[arg-type]


def counted(database: Database, window: Window) -> list[BuildView]:
    def read(session: Session) -> list[BuildView]:
        return list(builds.get(session, [row.id for row in session.execute(table.select())]).values())

    return [
        each  # type: ignore[misc]
        for each in counted_builds(database.read(read))
        if each.build.finished_at is not None and each.build.finished_at in window
    ]


@pytest.mark.parametrize("seed", range(3))
def test_sql_agrees_with_counting_on_random_histories(database: Database, seed: int) -> None:
    history = History(seed, NOON)
    for page in history.steps(40):
        store(database, *page)
    for window in (EVER, rolling(history.now, timedelta(days=2))):
        labels: Counter[tuple[str, str, bool]] = Counter()
        durations: dict[tuple[str, str], list[int]] = defaultdict(list)
        for each in counted(database, window):
            key = (each.build.pipeline.provider, each.build.pipeline.key)
            if each.verdict in {Verdict.PASSED, Verdict.FAILED}:
                labels[key[1], orjson.dumps(dict(each.build.labels)).decode(), each.verdict is Verdict.PASSED] += 1
            if each.verdict is Verdict.PASSED and each.build.duration is not None:
                durations[key].append(each.build.duration // timedelta(milliseconds=1))
        found = database.read(partial(digest.durations, window=window))
        assert found == {key: sorted(its) for key, its in durations.items()}
        by_labels: Counter[tuple[str, str, bool]] = Counter()
        for count in database.read(partial(digest.label_counts, window=window)):
            own = orjson.dumps(dict(count.labels)).decode()
            by_labels[count.pipeline[1], own, True] += count.passed
            by_labels[count.pipeline[1], own, False] += count.failed
        assert +by_labels == labels


def test_changes_follow_the_provider_s_order_within_a_stream(database: Database) -> None:
    store(
        database,
        *series("PFPPF"),
        build(6, Outcome.CANCELLED),
        build(7, finished_at=minutes(15)),  # ends before the others: it comes after them all the same
        *series("FPF", first=20, branch="dev"),
        *series("FFF", pipeline=pipeline("calm")),
    )
    found = database.read(lambda session: digest.flakiness(session, EVER))
    assert found == {WEB: Flakiness(reruns=0, changes=4 + 2, builds=6 + 3)}


def test_a_pass_after_a_failed_attempt_is_flaky(database: Database) -> None:
    store(database, build(1, Outcome.FAILURE), build(2), build(3, Outcome.FAILURE))
    store(database, build(1, attempt=2, started_at=minutes(60)))
    found = database.read(lambda session: digest.flakiness(session, EVER))
    assert found == {WEB: Flakiness(reruns=1, changes=1, builds=3)}


def test_failed_builds_are_counted_by_bucket(database: Database) -> None:
    store(
        database,
        build(1, Outcome.FAILURE, bucket="disk"),
        build(2, Outcome.FAILURE, bucket="disk"),
        build(3, Outcome.FAILURE),
        build(4, bucket="disk"),
        build(5, Outcome.FAILURE, bucket="other", is_pull_request=True),
    )
    assert database.read(lambda session: digest.buckets(session, EVER)) == {"disk": 2, None: 1}


def test_what_happened_in_an_absence_is_found(database: Database) -> None:
    store(database, *series("PFA"), build(4, None), build(9))
    gap = Window(start=minutes(10), end=minutes(60))
    assert database.read(lambda session: absence.builds_ended(session, gap)) == 3

    def put(session: Session) -> None:
        for at, channels in ((5, ("team",)), (20, ("team",)), (30, ()), (60, ("team",))):
            alerts.save(session, alert(started_at=minutes(at), channels=channels, state="resolved"))

    database.transact(put)
    found = database.read(lambda session: absence.alerts_begun(session, gap))
    assert [each.started_at for each in found] == [minutes(20)]
