"""A chart as a picture, for mail. Pillow draws it (`pip install buildwatch[charts]`); without it there is none."""

import importlib
import io
from collections.abc import Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from alerts.channels._characters import amount
from domain.message import Chart

WIDTH, HEIGHT = 1264, 400  # twice as many pixels as the mail is wide: most screens show two for one

_LEFT, _RIGHT, _TOP, _BOTTOM = 112, 1248, 24, 336
_FONT_SIZE = 30
_LINE = "#4c8ddb"
_FILL = (76, 141, 219, 46)
_GRID = (128, 134, 145, 90)
_TEXT = "#808794"  # readable on white and on black: the picture has no background of its own
_USUAL = "#9aa1ad"
_LABELS = 5


def draw(chart: Chart) -> bytes | None:
    """PNG with a transparent background; None without Pillow, or with fewer than two values."""
    values = [each for each in chart.values if each is not None]
    pillow = _pillow()
    if pillow is None or len(values) < 2:  # noqa: PLR2004 - a point is no course
        return None
    image, drawing, font = pillow
    canvas = image.new("RGBA", (WIDTH, HEIGHT), (255, 255, 255, 0))
    pen = drawing.Draw(canvas, "RGBA")
    letters = font.load_default(_FONT_SIZE)
    low, high = _range(values, chart)
    _grid(pen, letters, chart, low, high)
    for run in _runs(chart.values, low, high):
        _course(pen, run)
    out = io.BytesIO()
    canvas.save(out, "PNG", optimize=True)
    return out.getvalue()


@cache
def _pillow() -> tuple[ModuleType, ModuleType, ModuleType] | None:
    try:
        image, drawing, font = (importlib.import_module(f"PIL.{name}") for name in ("Image", "ImageDraw", "ImageFont"))
    except ImportError:
        return None
    return image, drawing, font


def _range(values: Sequence[float], chart: Chart) -> tuple[float, float]:
    """From a little under the lowest to a little over the highest; a share ends at 100."""
    known = [*values, *([chart.usual] if chart.usual is not None else [])]
    margin = max((max(known) - min(known)) * 0.15, 1.0)
    low, high = max(min(known) - margin, 0.0), max(known) + margin
    return low, min(high, 100.0) if chart.unit == "%" and max(known) <= 100 else high  # noqa: PLR2004 - a whole


def _grid(pen: Any, letters: Any, chart: Chart, low: float, high: float) -> None:
    for value in (low, (low + high) / 2, high):
        y = _y(value, low, high)
        pen.line([(_LEFT, y), (_RIGHT, y)], fill=_GRID, width=2)
        pen.text((_LEFT - 12, y), amount(round(value), chart.unit), fill=_TEXT, font=letters, anchor="rm")
    if chart.usual is not None:
        y = _y(chart.usual, low, high)
        for dash in range(_LEFT, _RIGHT, 20):
            pen.line([(dash, y), (dash + 10, y)], fill=_USUAL, width=3)
    count = len(chart.values)
    step = max(-(-count // _LABELS), 1)
    for index in range((count - 1) % step, min(count, len(chart.columns)), step):
        x = _x(index, count)
        anchor = "ra" if x > _RIGHT - 80 else "la" if x < _LEFT + 40 else "ma"
        pen.text((x, _BOTTOM + 14), chart.columns[index], fill=_TEXT, font=letters, anchor=anchor)


def _runs(values: Sequence[float | None], low: float, high: float) -> Iterator[list[tuple[float, float]]]:
    """The points of each stretch without a gap."""
    run: list[tuple[float, float]] = []
    for index, value in enumerate(values):
        if value is not None:
            run.append((_x(index, len(values)), _y(value, low, high)))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _course(pen: Any, run: list[tuple[float, float]]) -> None:
    if len(run) > 1:
        pen.polygon([(run[0][0], _BOTTOM), *run, (run[-1][0], _BOTTOM)], fill=_FILL)
        pen.line(run, fill=_LINE, width=6, joint="curve")
    for x, y in (run[0], run[-1]):
        pen.ellipse([x - 7, y - 7, x + 7, y + 7], fill=_LINE)


def _x(index: int, count: int) -> float:
    return _LEFT + 12 + (_RIGHT - _LEFT - 24) * (index / (count - 1) if count > 1 else 0.5)


def _y(value: float, low: float, high: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * ((value - low) / (high - low) if high > low else 0.5)
