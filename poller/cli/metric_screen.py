"""A figure of a pipeline over time, as people see it."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from statistics import median

from metrics.analysis import Analysis
from metrics.measurements import significant
from metrics.trend import Direction, Trend
from poller.cli.metric_history import SHOWN, Found
from poller.cli.showing import BAD, DIM, GOOD, WARN, Cell, ago, print_table, say, took

STYLES: Mapping[Direction, str] = {Direction.IMPROVING: GOOD, Direction.WORSENING: BAD}
_COLUMNS = 60
_BARS, _PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.-:=+*#"


def show(found: Found, days: float, now: datetime) -> None:
    """Print it."""
    where = f" on {found.branch}" if found.branch else ""
    say(f"{found.pipeline.name} · {found.name}{where} · {significant(days):g} days")
    analysis = found.analysis
    if analysis is None:
        say("no build that passed or failed has it")
        return
    say("")
    say(f"  {sparkline([each.value for each in found.history])}")
    say("")
    last, total = found.history[-1], analysis.aggregate
    figures = {
        "builds": str(total.count),
        "last": shown(found.name, last.value),
        "min": shown(found.name, total.minimum),
        "mean": shown(found.name, total.mean),
        "p50": shown(found.name, total.p50),
        "p95": shown(found.name, total.p95),
        "p99": shown(found.name, total.p99),
        "max": shown(found.name, total.maximum),
        "std": shown(found.name, total.std),
    }
    print_table([each.upper() for each in figures], [list(figures.values())])
    say("")
    on = f" on {analysis.stream}" if analysis.stream and found.branch is None else ""
    of = f" of builds that {analysis.verdict}" if analysis.verdict else ""
    say(f"trend     {trend_in_words(found.name, analysis.trend)}{of}{on}", STYLES.get(analysis.trend.direction, ""))
    say(f"baseline  {_usual(found.name, analysis)}{on}")
    _print_outliers(found, analysis, now)


def trend_in_words(name: str, trend: Trend) -> str:
    """`worsening: +4.2s a day (p < 0.001)`."""
    if trend.slope is None and trend.count > 1:
        return "unknown: all builds ended at the same time"
    if trend.p_value is None:
        return f"unknown: {trend.count} builds are too few"
    p_value = "p < 0.001" if trend.p_value < 0.001 else f"p = {trend.p_value:.3f}"  # noqa: PLR2004
    slope = trend.slope or 0.0
    sign = "-" if slope < 0 else "+"
    return f"{trend.direction}: {sign}{shown(name, abs(slope))} a day ({p_value}, {trend.count} builds)"


def _usual(name: str, analysis: Analysis) -> str:
    usual = analysis.baseline
    if usual is None:
        return "unknown: too few comparable builds"
    span = f"from {shown(name, usual.low)} to {shown(name, usual.high)}"
    builds = f"{usual.method} of {usual.count} builds that {analysis.usual_verdict}"
    return f"{shown(name, usual.value)}, {span} ({builds}; {usual.reason})"


def _print_outliers(found: Found, analysis: Analysis, now: datetime) -> None:
    if not analysis.outliers:
        say("outliers  none")
        return
    say(f"outliers  {len(analysis.outliers)} of {len(found.history)} builds")
    rows: list[list[Cell]] = []
    for each in reversed(analysis.outliers[-SHOWN:]):
        point = found.history[each.place]
        build = found.builds.get(point.build_id)
        rows.append(
            [
                f"#{build.number}" if build else str(point.build_id),
                point.stream or "-",
                point.verdict.value,
                ago(point.finished_at, now),
                (shown(found.name, point.value), WARN),
                shown(found.name, each.usual),
                (build.url or "" if build else "", DIM),
            ]
        )
    print_table(("BUILD", "BRANCH", "VERDICT", "ENDED", "VALUE", "USUALLY", "URL"), rows)


def shown(name: str, value: float) -> str:
    """A figure for people: seconds as `1m 30s`, where the name says that it is some."""
    if name.endswith("_seconds") and value >= 1:
        return took(round(value, 1) if value < 10 else round(value))  # noqa: PLR2004
    unit = " s" if name.endswith("_seconds") else ""
    return f"{significant(value, 4):,.15g}{unit}"


def sparkline(values: Sequence[float]) -> str:
    """A line of bars, at most 60, from the smallest to the largest: of many figures the medians of neighbours."""
    count = min(len(values), _COLUMNS)
    edges = [place * len(values) // count for place in range(count + 1)]
    points = [median(values[start:end]) for start, end in pairwise(edges)]
    low, high = min(points), max(points)
    bars = _BARS if (sys.stdout.encoding or "").lower().replace("-", "") == "utf8" else _PLAIN_BARS
    if high == low:
        return bars[3] * count
    return "".join(bars[min(int((each - low) / (high - low) * len(bars)), len(bars) - 1)] for each in points)
