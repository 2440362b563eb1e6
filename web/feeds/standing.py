"""How pipelines stand, for all feeds: looked up anew only for those in which something has changed."""

from collections.abc import Collection, Mapping

from domain.window import Window
from store import standings
from store.engine import Session
from store.standings import Standing
from web.reading.remembered import ALL_TIME, Remembered


def last_settled(session: Session, remembered: Remembered) -> Mapping[int, Standing]:
    """By pipeline what `store.standings.last_settled` says."""
    return remembered.window(session, _last_settled, ALL_TIME)


def _last_settled(session: Session, window: Window, only: Collection[int] | None) -> Mapping[int, Standing]:
    del window  # all builds
    return standings.last_settled(session, pipelines=only)
