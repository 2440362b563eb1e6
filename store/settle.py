"""Which attempt of a build counts. Pure: depends on what the attempts are, never on when they arrived."""

from collections.abc import Mapping

from store.rows import BuildRow
from store.schema import FAILED, FLAKY, NEUTRAL, PASSED


def settle(attempts: Mapping[int, BuildRow]) -> dict[int, BuildRow]:
    """All attempts of one build, by number, with `superseded` and the flaky flag as they have to be.

    The newest attempt that passed or failed counts; without one, the newest that finished. So a re-run that is
    cancelled, or still runs, leaves the older verdict standing. An unfinished attempt is never superseded.
    """
    decided = [number for number, row in attempts.items() if row.verdict is not None and row.verdict != NEUTRAL]
    finished = [number for number, row in attempts.items() if row.verdict is not None]
    counts = max(decided or finished, default=None)
    failed_before = False
    settled: dict[int, BuildRow] = {}
    for number in sorted(attempts):
        row = attempts[number]
        superseded = int(row.verdict is not None and number != counts)
        flaky = FLAKY if failed_before and row.verdict == PASSED else 0
        flags = row.flags & ~FLAKY | flaky
        if (superseded, flags) != (row.superseded, row.flags):
            row = row._replace(superseded=superseded, flags=flags)
        settled[number] = row
        failed_before = failed_before or row.verdict == FAILED
    return settled
