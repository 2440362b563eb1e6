from datetime import timedelta

from alerts.verdict import verdict_of
from domain.build import Outcome
from store import builds as stored_builds
from store.buckets import Assigned, assign, explained
from store.engine import Database
from tests.support.builders import build, minutes

NOW = minutes(0)
AT = {"started_at": NOW - timedelta(hours=2), "finished_at": NOW - timedelta(hours=1)}


def test_what_is_known_of_failures_is_read_a_page_at_a_time(database: Database) -> None:
    given = [
        build(1, Outcome.FAILURE, log_excerpt="boom", bucket="Boom", reason="why", failing_stage="Deploy", **AT),
        build(2, Outcome.FAILURE, **AT),
        build(3, Outcome.SUCCESS, reason="fine", **AT),
        build(4, Outcome.FAILURE, reason="late", **AT),
        build(
            5,
            Outcome.FAILURE,
            reason="long ago",
            finished_at=NOW - timedelta(days=31),
            started_at=NOW - timedelta(days=31),
        ),
    ]
    database.transact(lambda session: stored_builds.upsert(session, given, verdict_of, NOW))
    since = NOW - timedelta(days=30)
    (first,) = database.read(lambda session: explained(session, since, limit=1))
    assert (first.provider, first.job, first.number, first.stage) == ("ci", "web/deploy", 1, "Deploy")
    assert (first.bucket, first.kind, first.reason, first.log_excerpt, first.failed) == (
        "Boom",
        None,
        "why",
        "boom",
        True,
    )
    (second,) = database.read(lambda session: explained(session, since, after=first.build_id))
    assert second.reason == "late"
    (passed,) = database.read(lambda session: explained(session, since, failed=False))
    assert (passed.number, passed.failed) == (3, False)


def test_a_bucket_is_set_and_what_is_gone_is_left_alone(database: Database) -> None:
    database.transact(
        lambda session: stored_builds.upsert(
            session, [build(1, Outcome.FAILURE, log_excerpt="boom", **AT)], verdict_of, NOW
        )
    )
    (known,) = database.read(lambda session: explained(session, NOW - timedelta(days=1)))
    changes = [
        Assigned(build_id=known.build_id, bucket="Moon", kind="env", reason="full"),
        Assigned(build_id=known.build_id + 1, bucket="Moon", kind="env", reason=None),
    ]
    assert database.transact(lambda session: assign(session, changes)) == 1
    (after,) = database.read(lambda session: explained(session, NOW - timedelta(days=1)))
    assert (after.bucket, after.kind, after.reason, after.log_excerpt) == ("Moon", "env", "full", "boom")
