from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts.verdict import verdict_of
from domain.build import Build, Outcome
from store import builds as stored
from store import details
from store.database import Database
from store.details import Findings
from tests.support.builders import build, pipeline
from tests.support.commands import Commands

CORE = pipeline("nsp/core", branched=False, labels={"release": "25.3", "module": "core"}, default_branch=None)
EDGE = pipeline("nsp/edge", branched=False, labels={"release": "25.4", "module": "edge"}, default_branch=None)


@pytest.fixture
def ran(store: Database, now: datetime) -> Callable[..., list[int]]:
    """Stores builds that ended an hour ago."""
    numbers = iter(range(1, 10_000))

    def store_them(count: int, outcome: Outcome | None = Outcome.SUCCESS, **more: Any) -> list[int]:
        its: dict[str, Any] = {"pipeline": CORE, "started_at": now - timedelta(hours=1, minutes=10)} | more
        if outcome is not None:
            its["finished_at"] = its["started_at"] + timedelta(minutes=10)
        some: list[Build] = [build(next(numbers), outcome, **its) for _ in range(count)]
        changes = store.transact(lambda session: stored.upsert(session, some, verdict_of, now - timedelta(days=2)))
        return [change.id for change in changes]

    return store_them


def test_what_happened_is_summed_up_for_each_value_of_a_label(
    buildwatch: Commands, ran: Callable[..., list[int]], now: datetime
) -> None:
    ran(3, labels={"cloud": "blr-cloud4"})
    ran(1, Outcome.FAILURE, labels={"cloud": "blr-cloud4"}, pipeline=EDGE)
    ran(1, Outcome.CANCELLED, labels={"cloud": "blr-cloud5"})
    ran(1, None, labels={"cloud": "blr-cloud5"})
    ran(2)
    ran(9, labels={"cloud": "blr-cloud4"}, started_at=now - timedelta(days=3))
    told = buildwatch("status", "--by", "cloud", "--json").json
    assert told["label"] == "cloud"
    assert told["window"]["name"] == "24h"
    assert [
        {key: each[key] for key in ("value", "total", "passed", "failed", "neutral", "running", "success_rate")}
        for each in told["values"]
    ] == [
        {"value": "blr-cloud4", "total": 4, "passed": 3, "failed": 1, "neutral": 0, "running": 0, "success_rate": 0.75},
        {"value": "blr-cloud5", "total": 2, "passed": 0, "failed": 0, "neutral": 1, "running": 1, "success_rate": None},
    ]
    assert told["values"][0]["duration_p50"] == told["values"][0]["duration_p95"] == 600
    assert told["values"][1]["last_outcome"] == "cancelled"
    by_module = buildwatch("status", "--by", "module", "--window", "7d", "--json").json["values"]
    assert [(each["value"], each["total"]) for each in by_module] == [("core", 16), ("edge", 1)]
    text = buildwatch("status", "--by", "cloud").out.splitlines()
    assert text[0].split()[:2] == ["CLOUD", "RATE"]
    assert text[1].split()[:4] == ["blr-cloud4", "75.0", "%", "4"]


def test_failures_that_share_a_value_are_pointed_at(
    buildwatch: Commands, ran: Callable[..., list[int]], store: Database
) -> None:
    ids = ran(5, Outcome.FAILURE, labels={"agent": "agent-7"})
    ids += ran(2, Outcome.FAILURE, labels={"agent": "agent-7"}, pipeline=EDGE)
    for identity in ids:
        store.transact(lambda session, identity=identity: details.save(session, identity, Findings(bucket="Disk full")))
    ran(23, labels={"agent": "agent-1"})
    ran(9, labels={"agent": "agent-2"}, pipeline=EDGE)
    ran(1, Outcome.FAILURE, labels={"agent": "agent-1"})  # of no bucket: another matter
    [hint] = buildwatch("status", "--by", "agent", "--json").json["hints"]
    assert hint["text"] == "all 7 on agent-7 (0 of 32 elsewhere)"
    assert (hint["value"], hint["bucket"], hint["pipeline"], hint["failed"]) == ("agent-7", "Disk full", None, 7)
    assert hint["p_value"] < 1e-6
    assert "Disk full: all 7 on agent-7 (0 of 32 elsewhere)" in buildwatch("status", "--by", "agent").out


def test_failures_of_one_pipeline_without_a_bucket_may_share_a_value_too(
    buildwatch: Commands, ran: Callable[..., list[int]]
) -> None:
    ran(4, Outcome.FAILURE, labels={"agent": "agent-7"})
    ran(20, labels={"agent": "agent-1"})
    ran(4, Outcome.FAILURE, pipeline=EDGE)  # nobody knows on what
    ran(20, labels={"agent": "agent-1"}, pipeline=EDGE)
    [hint] = buildwatch("status", "--by", "agent", "--json").json["hints"]
    assert (hint["pipeline"], hint["text"]) == ("nsp/core", "all 4 on agent-7 (0 of 20 elsewhere)")


def test_a_label_that_nobody_has_is_a_usage_error(buildwatch: Commands, ran: Callable[..., list[int]]) -> None:
    ran(1)
    told = buildwatch("status", "--by", "modul")
    assert told.status == 2
    assert 'did you mean "module"?' in told.err


def test_a_label_that_no_build_has_told_yet_is_none(buildwatch: Commands) -> None:
    told = buildwatch("status", "--by", "runner")
    assert (told.status, told.out) == (0, "no build with a label runner ended in 24h, and none is running\n")


def test_a_number_of_builds_is_no_window_over_pipelines(buildwatch: Commands) -> None:
    told = buildwatch("status", "--by", "module", "--window", "20 builds")
    assert told.status == 2
    assert "span of time" in told.err
