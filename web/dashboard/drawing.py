"""The geometry of small pictures: what the macros of templates/pictures.html draw. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

SIDE = 10  # tiles of a waffle in a row
TILES = SIDE * SIDE


@dataclass(frozen=True, slots=True)
class Arc:
    """A part of a doughnut, as a dash of a circle whose length is 100."""

    name: str
    count: int
    length: float
    offset: float


@dataclass(frozen=True, slots=True)
class Region:
    """Tiles of one kind in a waffle, as one outline."""

    name: str
    count: int
    path: str


def arcs(parts: Sequence[tuple[str, int]]) -> list[Arc]:
    """Parts of a doughnut, clockwise from the top; each part that is not nothing can be seen."""
    total = sum(count for _, count in parts)
    if not total:
        return []
    shares = [max(count / total * 100, 0.75) if count else 0.0 for _, count in parts]
    scale = 100 / sum(shares)
    found, start = [], 0.0
    for (name, count), share in zip(parts, shares, strict=True):
        if count:
            found.append(Arc(name, count, round(share * scale, 2), round(25 - start, 2)))
        start += share * scale
    return found


def tiles(counts: Sequence[int]) -> list[int]:
    """How many of a hundred tiles each count gets: its share, and one at least unless it is nothing.

    Up to a hundred things get a tile each.
    """
    total = sum(counts)
    if total <= TILES:
        return list(counts)
    exact = [count / total * TILES for count in counts]
    given = [max(int(share), 1 if count else 0) for share, count in zip(exact, counts, strict=True)]
    by_rest = sorted(range(len(counts)), key=lambda place: exact[place] - int(exact[place]), reverse=True)
    for place in by_rest:
        if sum(given) >= TILES:
            break
        given[place] += counts[place] > 0
    given[given.index(max(given))] += TILES - sum(given)
    return given


@lru_cache(maxsize=SIDE)
def gaps(rows: int) -> str:
    """The lines between the tiles of a waffle with so many rows: a path."""
    across = "".join(f"M0 {y}h{SIDE}" for y in range(1, rows))
    return across + "".join(f"M{x} 0v{rows}" for x in range(1, SIDE))


def waffle(parts: Sequence[tuple[str, int]]) -> list[Region]:
    """Regions of a waffle, filled row by row from the top."""
    shares = tiles([count for _, count in parts])
    found, start = [], 0
    for (name, count), share in zip(parts, shares, strict=True):
        if share:
            found.append(Region(name, count, _outline(start, start + share)))
        start += share
    return found


def _outline(start: int, end: int) -> str:
    """The tiles from `start` to before `end`, as rectangles: the rest of a row, whole rows, the first of a row."""
    rectangles = []
    while start < end:
        row, column = divmod(start, SIDE)
        if column or end - start < SIDE:
            width, height = min(SIDE - column, end - start), 1
        else:
            width, height = SIDE, (end - start) // SIDE
        rectangles.append(f"M{column} {row}h{width}v{height}h{-width}z")
        start += width * height
    return "".join(rectangles)


def line(values: Sequence[float | None], width: float, height: float, top: float, bottom: float = 0.0) -> str:
    """A line through values from left to right, as the `d` of a path; it is broken where a value is missing."""
    step = width / max(len(values) - 1, 1)
    span = (top - bottom) or 1.0
    parts, pen = [], "M"
    for place, value in enumerate(values):
        if value is None or not math.isfinite(value):
            pen = "M"
            continue
        share = min(max((value - bottom) / span, 0.0), 1.0)
        parts.append(f"{pen}{place * step:.1f} {height - share * height:.1f}")
        pen = "L"
    return "".join(parts)


def strip(kinds: Sequence[str], heights: dict[str, int], height: int = 20) -> list[tuple[str, str]]:
    """(kind, outline) of bars three wide with a gap of one: one path for each kind."""
    outlines: dict[str, list[str]] = {}
    for place, kind in enumerate(kinds):
        tall = heights[kind]
        outlines.setdefault(kind, []).append(f"M{place * 4} {height - tall}h3v{tall}h-3z")
    return [(kind, "".join(parts)) for kind, parts in outlines.items()]
