"""Charts are pictures where they can be drawn, and nothing else."""

import builtins
import importlib
import io
from typing import Any

import pytest
from PIL import Image

from alerts.channels import _chart
from alerts.channels._chart import HEIGHT, WIDTH, draw
from domain.message import Chart


def _chart_of(*values: float | None, **changes: Any) -> Chart:
    columns = tuple(f"day {number}" for number, _ in enumerate(values))
    return Chart(**({"title": "Rate", "columns": columns, "values": values} | changes))


@pytest.mark.parametrize(
    "chart",
    [
        _chart_of(90.0, 95.0, 40.0, usual=92.0),
        _chart_of(90.0, None, 95.0),
        _chart_of(None, 90.0, 90.0, None, 90.0),
        _chart_of(100.0, 100.0),
        _chart_of(0.0, 0.0),
        _chart_of(1.0, 2_000_000.0, unit="min"),
        _chart_of(*(float(number) for number in range(60)), columns=("one",)),
    ],
)
def test_a_picture_is_a_png_without_a_background(chart: Chart) -> None:
    png = draw(chart)
    assert png is not None
    picture = Image.open(io.BytesIO(png))
    assert picture.size == (WIDTH, HEIGHT)
    assert picture.getpixel((0, 0)) == (255, 255, 255, 0)
    assert len(png) < 60_000


@pytest.mark.parametrize("chart", [_chart_of(), _chart_of(None), _chart_of(90.0), _chart_of(90.0, None)])
def test_a_single_value_is_no_course(chart: Chart) -> None:
    assert draw(chart) is None


def test_without_pillow_there_is_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def absent(name: str) -> Any:
        if name.startswith("PIL"):
            raise builtins.ImportError(name)
        return real(name)

    _chart._pillow.cache_clear()
    monkeypatch.setattr(importlib, "import_module", absent)
    assert draw(_chart_of(90.0, 95.0)) is None
    _chart._pillow.cache_clear()
