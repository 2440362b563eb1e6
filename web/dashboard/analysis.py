"""One figure of one pipeline over time, for the analysis page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.measurement import BUILT_IN, DURATION
from metrics.analysis import Analysis, analyse
from metrics.baseline import Method
from store import builds, measurements
from store.builds import BuildView
from store.engine import Session
from store.measurements import Measured
from store.pipelines import Known

SPANS = (1, 7, 14, 30, 90)
MOST_POINTS = 2_000
_FEW = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What there is to see."""

    known: Known
    name: str
    names: Sequence[str]
    days: int
    method: Method
    figures: Sequence[Measured]
    analysis: Analysis | None
    outliers: Sequence[tuple[Measured, float, float, BuildView | None]]  # with what is usual and the score; worst first
    left_out: int  # older builds, beyond MOST_POINTS


def figure(session: Session, known: Known, name: str | None, *, days: int, method: Method, now: datetime) -> Figure:
    """One figure; of the durations when no name is given."""
    names = [*BUILT_IN, *measurements.names(session, known.id)]
    wanted = name if name in names else DURATION
    found = measurements.history(session, known.id, wanted, now - timedelta(days=days), now + timedelta(minutes=1))
    figures = found[-MOST_POINTS:]
    analysis = analyse(figures, wanted, method)
    far = sorted(analysis.outliers, key=lambda each: -abs(each.score))[:_FEW] if analysis else []
    views = builds.get(session, [figures[each.place].build_id for each in far])
    return Figure(
        known=known,
        name=wanted,
        names=names,
        days=days,
        method=method,
        figures=figures,
        analysis=analysis,
        outliers=[
            (figures[each.place], each.usual, each.score, views.get(figures[each.place].build_id)) for each in far
        ],
        left_out=len(found) - len(figures),
    )
