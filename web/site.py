"""What the application stands on. Who makes it (`poller`) is not known here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from providers._base import Page
from store.engine import Database


class Scope(StrEnum):
    """What a caller may do; each includes the ones before it."""

    READ = "read"
    INGEST = "ingest"
    ADMIN = "admin"  # acknowledge, silence, simulate


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A machine that may call."""

    name: str
    token: SecretStr
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who may log in."""

    name: str
    password: SecretStr
    scope: Scope = Scope.ADMIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may do what. None of this: everybody who reaches the (loopback) address may do everything."""

    tokens: tuple[Token, ...] = ()
    users: tuple[User, ...] = ()
    proxy_header: str | None = None  # a trusted proxy names the person in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`web:` of config.yaml, and what else of it the pages need."""

    host: str
    port: int
    zone: ZoneInfo
    day_starts_at: time
    access: Access | None = None
    simulate: bool = False
    cors: tuple[str, ...] = ()  # origins
    github_secret: SecretStr | None = None  # of GitHub's webhooks
    log_url: str | None = None  # where the log of a pushed build is: {id} is replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class Silencing:
    """What somebody wants to be quiet about: the words of `buildwatch silence`."""

    reason: str
    by: str
    alert: int | None = None
    pipeline: str | None = None  # glob
    branch: str | None = None
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
    unsilence: Callable[[int], None]
    poll_now: Callable[[str, str], bool] = field(default=lambda _provider, _key: False)  # is such a target polled here?
