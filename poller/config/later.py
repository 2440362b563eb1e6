"""Keys of config.yaml whose meaning comes with a later version: accepted, and told to have no effect yet."""

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel, Field

from poller.config.problems import KeyPath


class _Later:
    """Marks such a key among the metadata of its field."""


_MARK: Final = _Later()


def later(purpose: str) -> Any:
    """The field of a key that has no effect yet; annotate it with what it must be, or None."""
    field: Any = Field(default=None, description=f"{purpose} Accepted; has no effect in this version.")
    field.metadata.append(_MARK)
    return field


def without_effect(document: BaseModel) -> Iterator[KeyPath]:
    """The paths of such keys that are given."""
    for name in document.model_fields_set:
        if _MARK in type(document).model_fields[name].metadata:
            yield (name,)
