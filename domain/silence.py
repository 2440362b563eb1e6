"""A request not to be told, with its reason and its end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """When a silence is over: as soon as one of these has come. At least one is given."""

    at: datetime | None = None
    fixed: bool = False  # no alert that it covers fires any more
    build: int | None = None  # a build with this number, or a later one, has passed or failed
    new_bucket: bool = False  # something else is wrong: another cause, or other failing tests
    buckets: tuple[str, ...] = ()  # the causes that were known when it was made

    def __post_init__(self) -> None:
        """Refuse a silence without end."""
        if self.at is None and self.build is None and not (self.fixed or self.new_bucket):
            raise ValueError("a silence needs an end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What is kept quiet, why, by whom and until when. It stays when it is over, so that it can be explained."""

    match: Mapping[str, Any]  # conditions by name, as under `match:` of a route; JSON values
    ends: Ends
    reason: str
    author: str | None = None
    created_at: datetime
    ended_at: datetime | None = None  # None while it holds
    ended_because: str | None = None
    id: int | None = field(default=None, compare=False)
