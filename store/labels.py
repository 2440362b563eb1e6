"""The labels of builds, as they are stored: those that a build came with, and those that its details told."""

from collections.abc import Mapping
from functools import lru_cache

import orjson

from domain.build import NO_LABELS
from domain.details import RUNNER


@lru_cache(maxsize=10_000)
def own(came_with: str | None, found: str | None) -> Mapping[str, str]:
    """All labels of a build, from two JSON objects; what was found counts more."""
    known = orjson.loads(came_with) if came_with else NO_LABELS
    return {**known, **orjson.loads(found)} if found else known


def comparable(came_with: str | None, found: str | None) -> Mapping[str, str]:
    """The same without what only failed builds are asked for: among those nothing ever passes."""
    labels = own(came_with, found)
    return {name: value for name, value in labels.items() if name != RUNNER} if found and RUNNER in labels else labels
