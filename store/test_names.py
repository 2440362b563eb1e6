"""What tests are called: a number for each test of a pipeline, so that results need not repeat the words."""

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

from sqlalchemy import Select, select, update

from domain.testreport import Test
from store.among import among
from store.database import Session
from store.schema import builds, pipelines, test_names, test_runs

_DAY = 24 * 3600 * 1000
REFRESHED = 7 * _DAY  # milliseconds: when a test was seen last is known so exactly, or each build would write it


def numbers(session: Session, pipeline_id: int, tests: Collection[Test]) -> dict[Test, int]:
    """The numbers of those of the tests that are known."""
    digests = {digest(test): test for test in tests}
    query = select(test_names.c.digest, test_names.c.id).where(
        test_names.c.pipeline_id == pipeline_id, among(session, test_names.c.digest, list(digests))
    )
    return {digests[found]: number for found, number in session.execute(query)} if digests else {}


def learn(session: Session, pipeline_id: int, tests: Sequence[Test], seen_at: int) -> dict[Test, int]:
    """The numbers of all these tests, which a build had that ended at `seen_at` (milliseconds)."""
    if not tests:
        return {}
    known = numbers(session, pipeline_id, tests)
    new = [test for test in tests if test not in known]
    _refresh(session, list(known.values()), seen_at)
    return known | _add(session, pipeline_id, new, seen_at) if new else known


def _add(session: Session, pipeline_id: int, new: Sequence[Test], seen_at: int) -> dict[Test, int]:
    """One writer at a time: nobody else gives numbers meanwhile."""
    following = session.exec_driver_sql("SELECT coalesce(max(id), 0) + 1 FROM test_names").scalar_one()
    added = dict(zip(new, range(following, following + len(new)), strict=True))
    mark = "?" if session.dialect.name == "sqlite" else "%s"
    session.exec_driver_sql(
        "INSERT INTO test_names (id, digest, seen_at, pipeline_id, suite, name) "  # noqa: S608  (marks only)
        f"VALUES ({', '.join([mark] * 6)})",
        [(number, digest(test), seen_at, pipeline_id, *test) for test, number in added.items()],
    )
    return added


def tests_of(session: Session, ids: Iterable[int]) -> dict[int, Test]:
    """What the tests with these numbers are called."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    query = select(test_names.c.id, test_names.c.suite, test_names.c.name)
    rows = session.execute(query.where(among(session, test_names.c.id, wanted)))
    return {number: (suite, name) for number, suite, name in rows}


def of_pipeline(session: Session, key: tuple[str, str]) -> list[Test]:
    """All tests of a pipeline (its provider and key) that are known, by suite and name."""
    theirs = (pipelines.c.provider == key[0]) & (pipelines.c.key == key[1])
    query = select(test_names.c.suite, test_names.c.name).join(pipelines, pipelines.c.id == test_names.c.pipeline_id)
    return sorted((row.suite, row.name) for row in session.execute(query.where(theirs)))


def suites_among(session: Session, pipeline_id: int, suites: Collection[str], ids: Collection[int]) -> set[str]:
    """Those of the suites of which a test is among these numbers."""
    if not suites:
        return set()
    query = select(test_names.c.id, test_names.c.suite).where(
        test_names.c.pipeline_id == pipeline_id, among(session, test_names.c.suite, list(suites))
    )
    return {row.suite for row in session.execute(query) if row.id in ids}


def unused(before: int) -> Select[int]:
    """The numbers of the names that no build since `before` (milliseconds) can have; older builds must be gone."""
    theirs = select(builds.c.pipeline_id).join(test_runs, test_runs.c.build_id == builds.c.id)
    return select(test_names.c.id).where(
        (test_names.c.seen_at < before - REFRESHED) | test_names.c.pipeline_id.not_in(theirs)
    )


def digest(test: Test) -> int:
    """64 bits, as both databases can hold them."""
    text = "\0".join(test).encode(errors="replace")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little", signed=True)


def _refresh(session: Session, ids: Collection[int], seen_at: int) -> None:
    stale = among(session, test_names.c.id, ids), test_names.c.seen_at < seen_at - REFRESHED
    if ids:
        session.execute(update(test_names).where(*stale).values(seen_at=seen_at))
