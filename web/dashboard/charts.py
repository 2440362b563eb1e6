"""What the charts of static/charts.js draw, as JSON; pages carry it in an attribute."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from domain.alert import Alert, AlertKind
from domain.build import Verdict
from web.dashboard.alerts import WORDS
from web.dashboard.analysis import Figure
from web.dashboard.pipelines import Whole
from web.dashboard.rendering import is_time

_MOST_MARKS = 40
_OF_DURATION = frozenset({AlertKind.DURATION, AlertKind.STUCK})


def durations(found: Whole) -> str | None:
    """The durations of a pipeline's builds, with what is usual and the alerts that were raised."""
    if not found.figures:
        return None
    baseline = found.analysis.baseline if found.analysis else None
    return _json(
        x=[each.finished_at.timestamp() for each in found.figures],
        y=[each.value for each in found.figures],
        failed=[each.verdict is Verdict.FAILED for each in found.figures],
        ids=[each.build_id for each in found.figures],
        band=[max(baseline.low, 0), baseline.high, baseline.value] if baseline else None,
        marks=_marks(found.alerts, found.figures[0].finished_at.timestamp()),
        unit="seconds",
        name="duration",
    )


def rates(found: Whole) -> str | None:
    """The rate of the last twenty builds, at each of them."""
    if not found.rates:
        return None
    return _json(
        x=[at.timestamp() for at, _ in found.rates],
        y=[rate for _, rate in found.rates],
        band=[*found.rate_band, None] if found.rate_band else None,
        marks=_marks([each for each in found.alerts if each.kind not in _OF_DURATION], found.rates[0][0].timestamp()),
        unit="share",
        name="success rate",
    )


def figures(found: Figure) -> str | None:
    """A figure of an analysis, with its baseline, its trend and its outliers."""
    if not found.figures or found.analysis is None:
        return None
    analysis, first = found.analysis, found.figures[0].finished_at.timestamp()
    trend, baseline = analysis.trend, analysis.baseline
    far = {each.place for each in analysis.outliers}
    last = found.figures[-1].finished_at.timestamp()
    line = None
    if trend.significant and trend.slope is not None and trend.intercept is not None:
        line = [trend.intercept, trend.intercept + trend.slope * (last - first) / 86_400]
    return _json(
        x=[each.finished_at.timestamp() for each in found.figures],
        y=[each.value for each in found.figures],
        failed=[each.verdict is Verdict.FAILED for each in found.figures],
        far=[place in far for place in range(len(found.figures))],
        ids=[each.build_id for each in found.figures],
        band=[baseline.low, baseline.high, baseline.value] if baseline else None,
        line=line,
        marks=[],
        unit="seconds" if is_time(found.name) else "number",
        name=found.name,
    )


def _marks(alerts: Iterable[Alert], since: float) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = [
        {"x": each.started_at.timestamp(), "word": WORDS[each.kind]}
        for each in alerts
        if each.started_at.timestamp() >= since
    ]
    return found[:_MOST_MARKS]


def _json(**values: Any) -> str:
    return orjson.dumps({**values, "y": _rounded(values["y"])}).decode()


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 4) for value in values]
