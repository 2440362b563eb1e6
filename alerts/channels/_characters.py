"""Tables, heat strips and charts as characters, for wherever there is nothing but text."""

import re
from collections.abc import Iterator, Sequence

from domain.message import SIGNS, Cell, Chart, Heat, Table

_BARS = "▁▂▃▄▅▆▇█"
_UNKNOWN_BAR = "·"
_SHADES = (0.95, 0.8, 0.5)
_SQUARES = ("🟩", "🟨", "🟧", "🟥")
_UNKNOWN_SQUARE = "⬜"
_NUMBER = re.compile(r"[-+~<>]?[\d.,:]+ ?(?:%|[a-zµ]{1,3}|points)?(?: \d+ ?[a-z]{1,2})?|[-\N{EN DASH}\N{EM DASH}]?")
_SIGN_WIDTH = 3


def shade(share: float | None) -> int | None:
    """How a share of passed builds looks: 0 (95 % and more) to 3 (less than half); None where nothing is known."""
    if share is None:
        return None
    return next((index for index, least in enumerate(_SHADES) if share >= least), len(_SHADES))


def squares(shares: Sequence[float | None]) -> str:
    """A strip in colours: 🟩🟩🟨🟥⬜."""
    shades = (shade(each) for each in shares)
    return "".join(_UNKNOWN_SQUARE if each is None else _SQUARES[each] for each in shades)


def bars(shares: Sequence[float | None]) -> str:
    """A strip in heights: ██▆▁·."""
    return "".join(_bar(each) for each in shares)


def spark(chart: Chart) -> str:
    """`▇▇▅▁▇ last 94 %, lowest 61 %, usually 92 %`."""
    return f"{line(chart)} {numbers(chart)}".lstrip()


def line(chart: Chart) -> str:
    """The course of the values; heights run from the lowest to the highest."""
    known = [each for each in chart.values if each is not None]
    if not known:
        return ""
    lowest, span = min(known), max(known) - min(known)
    return bars([None if each is None else (each - lowest) / span if span else 1.0 for each in chart.values])


def numbers(chart: Chart) -> str:
    """`last 94 %, lowest 61 %, usually 92 %`."""
    known = [each for each in chart.values if each is not None]
    if not known:
        return "nothing is known"
    told = [f"last {amount(known[-1], chart.unit)}"]
    if min(known) < max(known):
        told.append(f"lowest {amount(min(known), chart.unit)}")
    if chart.usual is not None:
        told.append(f"usually {amount(chart.usual, chart.unit)}")
    return ", ".join(told)


def amount(value: float, unit: str) -> str:
    """`94 %`, `12.5 min`."""
    return f"{value:.1f}".removesuffix(".0") + f" {unit}".rstrip()


def aligned(table: Table) -> Iterator[str]:
    """The lines of a table, its columns one under the other, its links at the end."""
    width = max((len(row) for row in (table.columns, *table.rows)), default=0)
    rows = [tuple(Cell(text=each) for each in table.columns)] if table.columns else []
    rows += [*table.rows]
    columns = [[row[index] if index < len(row) else Cell(text="") for row in rows] for index in range(width)]
    padded = [_padded(column, numeric=index in numeric_columns(table)) for index, column in enumerate(columns)]
    for index, row in enumerate(rows):
        line = "  ".join(column[index] for column in padded).rstrip()
        urls = (each.url for each in row if each.url and each.url not in line)
        yield "  ".join([line, *urls])
    if table.more:
        yield f"and {table.more} more"


def numeric_columns(table: Table) -> frozenset[int]:
    """The columns that hold nothing but numbers, which stand to the right."""
    width = max((len(row) for row in table.rows), default=0)
    columns = ([row[index].text for row in table.rows if index < len(row)] for index in range(width))
    return frozenset(
        index
        for index, texts in enumerate(columns)
        if all(map(_NUMBER.fullmatch, texts)) and any(map(str.strip, texts))
    )


def strips(heat: Heat) -> Iterator[str]:
    """The lines of a heat strip, names one under the other."""
    width = max((len(row.name) for row in heat.rows), default=0)
    if heat.columns:
        yield f"{'':<{width}}  {ends(heat.columns)}"
    for row in heat.rows:
        yield f"{row.name:<{width}}  {bars(row.shares)}  {row.value}".rstrip()


def ends(columns: Sequence[str]) -> str:
    """`Sat 14 … Fri 20`: what the first and the last of the columns stand for."""
    return columns[0] if len(columns) == 1 else f"{columns[0]} … {columns[-1]}"


def _bar(share: float | None) -> str:
    return _UNKNOWN_BAR if share is None else _BARS[min(max(int(share * len(_BARS)), 0), len(_BARS) - 1)]


def _padded(cells: Sequence[Cell], *, numeric: bool) -> list[str]:
    width = max(len(cell.text) for cell in cells)
    has_signs = any(cell.tone for cell in cells)
    side = ">" if numeric else "<"
    blank = " " * _SIGN_WIDTH if has_signs else ""
    return [(f"{SIGNS[cell.tone]} " if cell.tone else blank) + f"{cell.text:{side}{width}}" for cell in cells]
