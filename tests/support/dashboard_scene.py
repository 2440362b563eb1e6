"""A store that has something to show on every page, and one in which every name is hostile."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from domain.alert import Delivery
from domain.build import Build, Outcome, Pipeline
from domain.details import Changes, Commit, Stage
from domain.testreport import TestCase, TestReport, TestStatus
from domain.text import clean
from providers._base import Page
from store import details, measurements, outbox, outcomes, tests
from store.engine import Session
from tests.support.builders import NOON, build, pipeline
from tests.support.hostile import HOSTILE
from tests.support.reports import report
from web.site import Site

STACK = "Stack Creation Failed"
HOUR = timedelta(hours=1)
FAILED = {"bucket": STACK, "reason": "Helm install failed", "failing_stage": "Deploy", "log_excerpt": "Error: deadline"}


def ingested(site: Site, builds: Sequence[Build]) -> list[int]:
    """The ids of these builds, that come in as they do from a poller."""
    pipelines = {each.pipeline.key: each.pipeline for each in builds}
    return list(site.ingest(Page(pipelines=tuple(pipelines.values()), builds=builds), "ci"))


def line(owner: Pipeline, outcomes: str, *, end: float = 10, every: float = 60, **changes: Any) -> list[Build]:
    """Builds of a pipeline, one for each letter, `every` minutes; the last one ended `end` minutes before NOON."""
    letters = {"P": Outcome.SUCCESS, "F": Outcome.FAILURE, "A": Outcome.CANCELLED, "R": None}
    found = []
    for place, letter in enumerate(outcomes):
        at = NOON - timedelta(minutes=end + every * (len(outcomes) - 1 - place))
        values: dict[str, Any] = {"pipeline": owner, "started_at": at - timedelta(minutes=5 + place % 3)}
        if letters[letter] is not None:
            values["finished_at"] = at
        if letter == "F":
            values |= FAILED
        found.append(build(place + 1, letters[letter], **(values | changes)))
    return found


def fill(site: Site) -> list[int]:
    """Two clouds, three pipelines, two days; one of them is broken now. The ids of the builds of that one."""
    core = pipeline("nsp/core", labels={"cloud": "blr-cloud4"})
    edge = pipeline("nsp/edge", labels={"cloud": "blr-cloud5"})
    docs = pipeline("tools/docs", labels={"cloud": "blr-cloud4"})
    ingested(site, line(edge, "PPFP" * 10, bucket=None, reason=None))
    ingested(site, line(docs, "PPPAPR", end=0))
    ids = ingested(site, line(core, "P" * 30 + "FF"))
    site.database.transact(lambda session: _explain(session, ids[-1], "Helm"))
    return ids


def deliver(site: Site) -> list[int]:
    """One message of each alert that fires was sent; of the first one, another channel refused it. The alerts' ids."""

    def told(session: Session) -> list[int]:
        found = outbox.listing(session)[::-1]
        for each in found:
            outcomes.mark_sent(session, each.id or 0, {"ts": "1.2"}, NOON)
        first = found[0]
        outbox.add(session, [replace(first, channel="mail", delivery=Delivery.PENDING, id=None)])
        [refused] = [each for each in outbox.listing(session) if each.channel == "mail"]
        outcomes.mark_dead(session, refused.id or 0, "550 5.1.1 no such mailbox", NOON)
        return sorted({each.alert_id for each in found})

    return site.database.transact(told)


def _explain(session: Session, build_id: int, word: str) -> None:
    details.save(
        session,
        build_id,
        details.Findings(
            failing_stage="Deploy",
            bucket=STACK,
            bucket_class="infra",
            stages=(
                Stage(name="Build", outcome=Outcome.SUCCESS, duration=timedelta(seconds=4)),
                Stage(name="Deploy", outcome=Outcome.FAILURE, step=word, url="https://ci.example.com/stage"),
            ),
            changes=Changes(commits=(Commit(id="a" * 40, title="Retry", author="Ada"),), total=1),
            notes=("the log of one stage was too large",),
            read_at=NOON,
        ),
    )
    tests.record(session, build_id, report("PFS", message="expected 1, got 2"))
    measurements.record(session, build_id, {"coverage": 81.5})


def fill_hostile(site: Site, names: Iterable[str] = HOSTILE) -> list[int]:
    """A broken build for each name, which stands in every field of it. Cleaned as providers do. The builds' ids."""
    builds = [_hostile(place, clean(name) or "?") for place, name in enumerate(names)]
    ingested(site, [_well(each) for each in builds])
    ids = ingested(site, builds)

    def explain(session: Session) -> None:
        for build_id, each in zip(ids, builds, strict=True):
            _explain_hostile(session, build_id, each.branch or "?")

    site.database.transact(explain)
    return ids


def _well(broken: Build) -> Build:
    """The build before it, so that something breaks with it."""
    changes: dict[str, Any] = {"outcome": Outcome.SUCCESS, "external_id": f"{broken.external_id}-well"}
    return replace(broken, number=(broken.number or 1) - 1, started_at=NOON - HOUR, finished_at=NOON - HOUR, **changes)


def _hostile(place: int, name: str) -> Build:
    owner = pipeline(
        f"{place}/{name}",
        name=name,
        url=f"https://ci.example.com/{place}",
        labels={"cloud": name, name: "x"},
        default_branch=name,
    )
    at = NOON - timedelta(minutes=place)
    return build(
        place + 2,
        Outcome.FAILURE,
        pipeline=owner,
        branch=name,
        commit=name[:40],
        title=name,
        actor=name,
        trigger=name,
        raw_outcome=name,
        bucket=name,
        reason=name,
        failing_stage=name,
        log_excerpt=name,
        labels={"runner": name},
        url="https://ci.example.com/build",
        started_at=at - timedelta(minutes=5),
        finished_at=at,
    )


def _explain_hostile(session: Session, build_id: int, name: str) -> None:
    findings = details.Findings(
        failing_stage=name,
        bucket=name,
        bucket_class=name[:20],
        reason=name,
        log_excerpt=name,
        stages=(Stage(name=name, outcome=Outcome.FAILURE, step=name, url="javascript:alert(1)"),),
        changes=Changes(commits=(Commit(id=name, title=name, author=name, url="javascript:alert(1)"),), total=1),
        notes=(name,),
        read_at=NOON,
    )
    details.save(session, build_id, findings)
    case = TestCase(suite=name, name=name, status=TestStatus.FAILED, message=name)
    tests.record(session, build_id, TestReport(passed=0, failed=1, skipped=0, cases=(case,), notes=(name,)))
    measurements.record(session, build_id, {name: 1.0})
