"""The one definition of a percentile, so that every way of computing it agrees to the last digit."""

from collections.abc import Sequence


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie, interpolated linearly between the two nearest.

    This is type 7 of Hyndman and Fan: numpy's default, PostgreSQL's `percentile_cont`, spreadsheets'
    `PERCENTILE.INC`, `statistics.quantiles(method="inclusive")`; its half is `statistics.median`.
    `ordered` is ascending and not empty. The result is in the unit of the values.
    """
    position = share * (len(ordered) - 1)
    below = int(position)
    low = ordered[below]
    if position == below:
        return low
    return low + (ordered[below + 1] - low) * (position - below)
