"""What is wanted of a build that is due: decided from what the store knows of it and of its stream."""

from dataclasses import dataclass

from domain.build import Build, Outcome, Status, Verdict
from domain.stream import Settled
from poller.config import Configuration
from poller.details.reading import Asked
from store import builds, details, streams
from store.engine import Session

_FAR_ENOUGH = 200  # settled builds before it among which the last good one is looked for


def ask(session: Session, build_id: int, configuration: Configuration) -> Asked | None:
    """What to read about a build; None when nothing is wanted of it any more."""
    view = builds.get(session, [build_id]).get(build_id)
    if view is None or view.build.status is not Status.FINISHED:
        return None
    build, failed = view.build, view.verdict is Verdict.FAILED
    entry = configuration.entry_of(build.pipeline)
    if entry is None:
        return None
    reports, settings = configuration.reports_of(entry), configuration.details
    if not reports and (settings is None or not (failed or build.outcome is Outcome.UNSTABLE)):
        return None
    streak = _streak(session, build) if failed and settings is not None else _NOTHING
    return Asked(
        build=build,
        failed=failed,
        settings=settings,
        reports=reports,
        rules=configuration.bucket_rules if failed else (),
        since=streak.since,
        changed_until=streak.until,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Streak:
    since: Build | None = None
    until: Build | None = None


_NOTHING = _Streak()


def _streak(session: Session, build: Build) -> _Streak:
    """Between which builds the changes are that may have broken it: the last that passed, and the first that failed.

    Nothing when they are known already: of all failures in a row the first one has them.
    """
    if build.stream is None:
        return _NOTHING
    place = build.pipeline.provider, build.pipeline.key, build.stream
    tail = streams.tail(session, *place, limit=_FAR_ENOUGH)
    good, first = _ends([each for each in tail if (each.generation, each.number) < (build.generation, build.number)])
    if good is None:
        return _NOTHING
    wanted = [good.build_id] if first is None else [good.build_id, first.build_id]
    found = {identity: view.build for identity, view in builds.get(session, wanted).items()}
    if first is None:
        return _Streak(since=found.get(good.build_id))
    known = details.get(session, [first.build_id]).get(first.build_id)
    if known is not None and known.changes is not None:
        return _NOTHING
    return _Streak(since=found.get(good.build_id), until=found.get(first.build_id))


def _ends(before: list[Settled]) -> tuple[Settled | None, Settled | None]:
    """Of what came before a failure: the last that passed, and the first failure after that."""
    first = None
    for each in reversed(before):
        if each.verdict is Verdict.PASSED:
            return each, first
        first = each
    return None, first
