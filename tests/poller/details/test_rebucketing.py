"""Rules that were edited rename what is stored, and tell nobody."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import regex

from alerts.verdict import verdict_of
from domain.alert import Scope
from domain.build import Outcome
from parsers.builtin_rules import builtin_rules
from parsers.rules import BucketRule
from poller.config import Configuration, load
from poller.details import rebucketing
from poller.details.rebucketing import Rebucketing, rebucket
from poller.running.clock import Clock
from store import alerts, buckets, details, notes
from store import builds as stored_builds
from store.buckets import Explained
from store.details import Findings
from store.engine import Database
from store.errors import StoreError
from tests.support.builders import alert, build, minutes

NOW = minutes(0)


class _Still(Clock):
    def now(self) -> datetime:
        return NOW


CLOCK = _Still()
MOON = BucketRule(name="Moon", kind="env", contains=("full moon",))
KNOWN = Explained(
    build_id=1,
    provider="ci",
    job="web/deploy",
    number=1,
    failed=True,
    stage=None,
    bucket="Network or DNS Failure",
    kind="infra",
    reason="DNS",
    log_excerpt="… 2 more lines above\ncurl: (6) Could not resolve host: x\nit is full moon",
)


def test_a_rule_of_the_file_wins_over_what_was_said_before() -> None:
    assigned = rebucket((MOON, *builtin_rules()), KNOWN, whole=False)
    assert assigned is not None
    assert (assigned.bucket, assigned.kind, assigned.reason) == ("Moon", "env", "DNS")


def test_what_a_builtin_rule_said_of_the_whole_log_stays() -> None:
    assert rebucket(builtin_rules(), replace(KNOWN, log_excerpt="it is full moon"), whole=False) is None
    assert rebucket(builtin_rules(), KNOWN, whole=True) is None


def test_what_a_rule_said_that_is_gone_is_found_anew() -> None:
    assigned = rebucket(builtin_rules(), replace(KNOWN, bucket="Moon", kind="env", reason=None), whole=False)
    assert assigned is not None
    assert (assigned.bucket, assigned.kind, assigned.reason) == ("Network or DNS Failure", "infra", "DNS")


def test_a_failure_that_no_rule_knows_keeps_its_signature() -> None:
    known = replace(KNOWN, bucket="Error: <n>", kind=None, reason="why", log_excerpt="Error: 7 went wrong")
    assigned = rebucket(builtin_rules(), known, whole=False)
    assert assigned is not None
    assert (assigned.bucket, assigned.kind, assigned.reason) == ("Error: <n> went wrong", None, "why")
    assert rebucket(builtin_rules(), replace(known, bucket="Error: <n> went wrong"), whole=False) is None


def test_nothing_to_go_by_changes_nothing() -> None:
    assert rebucket((), replace(KNOWN, log_excerpt=None, reason=None), whole=True) is None


def test_a_new_detail_is_a_change() -> None:
    rule = BucketRule(name="Moon", kind="env", regex=regex.compile("is (?P<how>full) moon"), detail="{how}")
    known = replace(KNOWN, bucket="Moon", kind="env", reason="old")
    assigned = rebucket((rule,), known, whole=False)
    assert assigned is not None
    assert assigned.reason == "full"
    assert rebucket((rule,), replace(known, reason="full"), whole=False) is None


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], Configuration]:
    """configured(rules) → a configuration with these rules of one's own."""

    def read(rules: str) -> Configuration:
        (tmp_path / "buckets.yaml").write_text(rules)
        path = tmp_path / "config.yaml"
        path.write_text("buckets: {file: buckets.yaml}\nstore: {url: 'sqlite:///b.db'}\n")
        path.chmod(0o600)
        return load(path, environ={})

    return read


def _stored(database: Database) -> list[str | None]:
    found = database.read(lambda session: buckets.explained(session, NOW - timedelta(days=400)))
    return [one.bucket for one in found]


def test_it_goes_through_the_last_30_days_a_page_at_a_time_and_only_once(
    database: Database, configured: Callable[[str], Configuration], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebucketing, "PAGE", 2)
    at = {"started_at": NOW - timedelta(hours=2), "finished_at": NOW - timedelta(hours=1)}
    old = {"started_at": NOW - timedelta(days=32), "finished_at": NOW - timedelta(days=31)}
    given = [build(number, Outcome.FAILURE, log_excerpt="full moon", bucket="old", **at) for number in range(1, 6)]
    given.append(build(9, Outcome.FAILURE, log_excerpt="full moon", bucket="old", **old))
    database.transact(lambda session: stored_builds.upsert(session, given, verdict_of, NOW))
    for known in database.read(lambda session: buckets.explained(session, NOW - timedelta(days=400))):
        read = partial(details.save, build_id=known.build_id, found=Findings(read_at=NOW))
        database.transact(read)
    reported = build(10, Outcome.FAILURE, log_excerpt="full moon", bucket="as reported", **at)
    database.transact(lambda session: stored_builds.upsert(session, [reported], verdict_of, NOW))
    moon = configured("rules: [{name: Moon, class: env, contains: full moon}]")
    working = Rebucketing(database, CLOCK, moon)
    working.step()
    assert _stored(database) == ["Moon", "Moon", "old", "old", "old", "old", "as reported"]
    working.step()
    working.step()
    assert _stored(database) == [*["Moon"] * 5, "old", "as reported"]
    note = database.read(lambda session: notes.get(session, rebucketing.NOTE))
    assert note is not None

    sun = configured("rules: [{name: Sun, class: env, contains: full moon}]")
    working.begin(sun)
    working.step()
    assert _stored(database)[:3] == ["Sun", "Sun", "Moon"]
    working.begin(moon)  # in the middle: the note is still that of the moon, and what was renamed is due again
    for _ in range(4):
        working.step()
    assert _stored(database)[:3] == ["Moon", "Moon", "Moon"]

    again = Rebucketing(database, CLOCK, moon)
    again.step()
    assert database.read(lambda session: notes.get(session, rebucketing.NOTE)).value == note.value  # type: ignore[union-attr]


def test_an_alert_knows_its_failure_by_the_new_name(
    database: Database, configured: Callable[[str], Configuration]
) -> None:
    at = {"started_at": NOW - timedelta(hours=2), "finished_at": NOW - timedelta(hours=1)}
    failed = build(1, Outcome.FAILURE, log_excerpt="full moon", bucket="old", **at)
    database.transact(lambda session: stored_builds.upsert(session, [failed], verdict_of, NOW))
    (known,) = database.read(lambda session: buckets.explained(session, NOW - timedelta(days=1)))
    database.transact(lambda session: details.save(session, known.build_id, Findings(read_at=NOW)))
    looks = {"bucket": "old", "buckets": ["old"], "bucket_of": known.build_id}
    about = database.transact(lambda session: alerts.save(session, alert(evidence=looks)))
    other = database.transact(lambda session: alerts.save(session, alert(evidence={}, scope=Scope(provider="x"))))
    moon = configured("rules: [{name: Moon, class: env, contains: full moon}]")
    Rebucketing(database, CLOCK, moon).step()
    found = database.read(lambda session: {each.id: each.evidence for each in alerts.firing(session)})
    assert found[about.id] == {**looks, "bucket": "Moon", "buckets": ["old", "Moon"]}
    assert found[other.id] == {}


def test_a_store_that_is_away_is_asked_again(
    database: Database, configured: Callable[[str], Configuration], monkeypatch: pytest.MonkeyPatch
) -> None:
    working = Rebucketing(database, CLOCK, configured("rules: []"))
    with monkeypatch.context() as away:

        def gone(_: object) -> None:
            raise StoreError("gone")

        away.setattr(Database, "read", lambda _self, unit: gone(unit))
        with pytest.raises(StoreError):
            working.step()
    working.step()
    assert database.read(lambda session: notes.get(session, rebucketing.NOTE)) is not None
