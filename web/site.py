"""What the application stands on. Who makes it (`poller`) is not known here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from domain.alert import AlertKind
from providers._base import Page, Provider
from store.engine import Database
from web.reading.remembered import Remembered
from web.settings import Access, Scope, Settings, Token, User

__all__ = ["Access", "Scope", "Settings", "Silencing", "Site", "Token", "User"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silencing:
    """What somebody wants to be quiet about: the words of `buildwatch silence`."""

    reason: str
    by: str
    alert: int | None = None
    pipeline: str | None = None  # glob
    branch: str | None = None  # glob
    provider: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)  # globs
    kind: AlertKind | None = None
    lasting: timedelta | None = None
    until_fixed: bool = False
    until_new_bucket: bool = False
    until_build: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Values and functions. Functions may be called from any thread, and raise StoreError when the store is away."""

    database: Database
    now: Callable[[], datetime]
    settings: Callable[[], Settings]  # as they are now
    ingest: Callable[
        [Page, str], Sequence[int]
    ]  # stores and judges a page of a provider; ids of what is new or changed
    standing: Callable[[], Mapping[str, Any]]  # what `buildwatch status --json` prints
    explain: Callable[[int], Mapping[str, Any] | None]  # what `buildwatch explain --json` prints, by build id
    acknowledge: Callable[[int, str, str | None], None]  # alert, by, reason; raises ValueError with words for people
    unacknowledge: Callable[[int], None]
    silence: Callable[[Silencing], int]
    unsilence: Callable[[int, str], None]  # silence, by
    providers: Callable[[], Mapping[str, Provider]] = field(default=dict)  # those in use, by name
    poll_now: Callable[[str, str], bool] = field(default=lambda _provider, _key: False)  # is such a target polled here?
    remembered: Remembered = field(default_factory=Remembered)  # of the store, by everything that shows it
