"""Whether builds take longer than they did, said of two sets of durations."""

from collections.abc import Sequence

from domain.percentile import percentile

MIN_BEFORE = 5  # builds that a comparison needs
NOTICEABLE = 1.2
LONG = 60_000.0  # milliseconds: less is no growth that anybody waits for


def median_growth(now: Sequence[int], before: Sequence[int]) -> tuple[float, float] | None:
    """The medians (before, now) where builds have become noticeably slower: by a fifth, and by a minute; else None.

    Durations in milliseconds, ascending. For people who look at a ranking; what is told as an alert is tested.
    """
    if not now or len(before) < MIN_BEFORE:
        return None
    usual, latest = percentile(before, 0.5), percentile(now, 0.5)
    return (usual, latest) if latest >= NOTICEABLE * usual and latest - usual >= LONG else None
