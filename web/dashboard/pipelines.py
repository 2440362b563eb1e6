"""Pipelines for pages: how each is, and one of them in full."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from domain.alert import Alert
from domain.build import Verdict
from domain.measurement import DURATION
from domain.percentile import percentile
from domain.testhistory import TestStand
from domain.window import Window
from metrics.analysis import Analysis, analyse
from metrics.flakiness import Flaky, flaky_tests
from store import alert_pages, alerts, browsing, measurements, pipelines, test_history, test_stand, window_counts
from store.browsing import Wanted
from store.builds import BuildView
from store.engine import Session
from store.measurements import Measured
from store.pipelines import Known
from store.window_counts import Counts, Ended

STRIP = 50  # builds
SPAN = timedelta(days=30)
_ROLLING = 20  # builds that a point of the rate counts
_PAGE = 50
_FEW_BRANCHES = 20

ORDER = {"failing": 0, "missing": 1, "running": 2, "passing": 3, "quiet": 4}


class Row(NamedTuple):
    """A pipeline in the list."""

    known: Known
    state: str  # a key of ORDER
    counts: Counts  # in the last day
    last: Ended | None
    strip: Sequence[BuildView]  # oldest first
    firing: int


class Listing(NamedTuple):
    """A page of the list."""

    rows: Sequence[Row]
    total: int
    states: Mapping[str, int]
    page: int
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """One pipeline."""

    known: Known
    branch: str | None  # that is looked at; None: all
    branches: Sequence[str]
    strip: Sequence[BuildView]  # oldest first
    counts: Counts
    figures: Sequence[Measured]
    analysis: Analysis | None
    rates: Sequence[tuple[datetime, float]]
    rate_band: tuple[float, float] | None
    alerts: Sequence[Alert]  # newest first
    stand: TestStand | None
    flaky: Sequence[Flaky]


def listing(session: Session, now: datetime, *, text: str, state: str, page: int) -> Listing:
    """Pipelines, those that fail first."""
    window = Window(start=now - timedelta(days=1), end=now + timedelta(minutes=1))
    counts, last = window_counts.by_pipeline(session, window), window_counts.last_ended(session)
    unfinished = window_counts.unfinished(session)
    firing: dict[tuple[str, str], int] = {}
    for alert in alerts.firing(session):
        key = alert.scope.provider, alert.scope.pipeline or ""
        firing[key] = firing.get(key, 0) + 1
    rows = []
    for each in pipelines.all(session):
        fires = firing.get((each.pipeline.provider, each.pipeline.key), 0)
        ended = last.get(each.id)
        word = _state(each, ended, fires=bool(fires), runs=each.id in unfinished)
        rows.append(Row(each, word, counts.get(each.id, Counts()), ended, (), fires))
    wanted = [each for each in rows if _is_about(each.known, text)]
    states = {name: sum(each.state == name for each in wanted) for name in ORDER}
    wanted = [each for each in wanted if state in ("", each.state)]
    wanted.sort(key=lambda each: (ORDER[each.state], each.known.pipeline.name.casefold(), each.known.pipeline.key))
    pages = max(-(-len(wanted) // _PAGE), 1)
    page = min(max(page, 1), pages)
    shown = [
        each._replace(strip=_strip(session, each.known, None, 25)) for each in wanted[(page - 1) * _PAGE :][:_PAGE]
    ]
    return Listing(shown, len(wanted), states, page, pages)


def whole(session: Session, known: Known, branch: str | None, now: datetime) -> Whole:
    """Everything about one pipeline, or about one branch of it."""
    key = known.pipeline.provider, known.pipeline.key
    figures = measurements.history(session, known.id, DURATION, now - SPAN, now + timedelta(minutes=1), stream=branch)
    strip = _strip(session, known, branch, STRIP)
    branches = sorted({each.build.stream for each in _strip(session, known, None, 200) if each.build.stream})
    stream = _tested(known, branch, branches)
    stand = test_stand.stand(session, (*key, stream))
    runs, lines = test_history.history(session, (*key, stream))
    rates = _rates(figures)
    window = Window(start=now - timedelta(days=1), end=now + timedelta(minutes=1))
    return Whole(
        known=known,
        branch=branch,
        branches=branches[:_FEW_BRANCHES],
        strip=strip,
        counts=window_counts.by_pipeline(session, window).get(known.id, Counts()),
        figures=figures,
        analysis=analyse(figures, DURATION),
        rates=rates,
        rate_band=_band([rate for _, rate in rates]),
        alerts=_alerts(session, known, branch, now),
        stand=stand,
        flaky=flaky_tests(runs, lines),
    )


def _state(known: Known, ended: Ended | None, *, fires: bool, runs: bool) -> str:
    if fires or (ended is not None and ended.verdict is Verdict.FAILED):
        return "failing"
    if known.missing_since is not None:
        return "missing"
    if ended is None:
        return "running" if runs else "quiet"
    return "passing"


def _is_about(known: Known, text: str) -> bool:
    words = text.casefold().split()
    pipeline = known.pipeline
    labels = " ".join(f"{name}={value}" for name, value in pipeline.labels.items())
    where = f"{pipeline.name} {pipeline.key} {pipeline.provider} {labels}".casefold()
    return all(word in where for word in words)


def _strip(session: Session, known: Known, branch: str | None, limit: int) -> list[BuildView]:
    found = browsing.page(session, Wanted(pipelines=[known.id], branch=branch), limit=limit).builds
    return list(reversed(found))


def _tested(known: Known, branch: str | None, branches: Sequence[str]) -> str:
    """The stream whose tests are shown."""
    if branch is not None or not known.pipeline.branched:
        return branch or ""
    usual = [known.pipeline.default_branch, "main", "master", *branches]
    return next((each for each in usual if each is not None and each in branches), "main")


def _rates(figures: Sequence[Measured]) -> list[tuple[datetime, float]]:
    """The rate of the last builds, at each of them."""
    passed = [each.verdict is Verdict.PASSED for each in figures]
    return [
        (each.finished_at, sum(passed[max(place - _ROLLING + 1, 0) : place + 1]) / min(place + 1, _ROLLING))
        for place, each in enumerate(figures)
        if place >= min(_ROLLING, len(figures)) // 2
    ]


def _band(rates: Sequence[float]) -> tuple[float, float] | None:
    """Where four of five rates lie."""
    if len(rates) < _ROLLING:
        return None
    ordered = sorted(rates)
    return percentile(ordered, 0.1), percentile(ordered, 0.9)


def _alerts(session: Session, known: Known, branch: str | None, now: datetime) -> list[Alert]:
    """Those that fire, and those that ended lately, newest first."""
    found = alert_pages.of_pipeline(session, known.pipeline.provider, known.pipeline.key, now - SPAN)
    ours = [each for each in found if branch is None or each.scope.branch in (None, "", branch)]
    return sorted(ours, key=lambda each: each.started_at, reverse=True)
