"""Digests: regular summaries, sent also when nothing has happened, so that silence can be trusted."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """An entry of `digests:` in config.yaml."""

    name: str
    cron: str  # in the zone of config.yaml
    window: Literal["daily"] | timedelta  # "daily": the last whole reporting day
    to: tuple[str, ...]  # channels
