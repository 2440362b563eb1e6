"""Builds that are pushed: with `web:` in config.yaml they have a provider, also where nobody wrote one."""

from collections.abc import Collection
from typing import Any, Final

KIND: Final = "push"


def add_provider(raw: dict[str, Any], kinds: Collection[str]) -> frozenset[str]:
    """Give pushed builds a provider that takes everything, unless there is one of this kind.

    Returns its name, or nothing.

    Args:
        raw: All of config.yaml; changed in place.
        kinds: The kinds of providers of this installation.
    """
    if raw.get("web") is None or KIND not in kinds:
        return frozenset()
    providers, entries = raw.get("providers") or {}, raw.get("pipelines") or []
    if not isinstance(providers, dict) or not isinstance(entries, list):
        return frozenset()  # told elsewhere
    if any(isinstance(each, dict) and each.get("kind") == KIND for each in providers.values()):
        return frozenset()
    name = KIND
    while name in providers:  # somebody's Jenkins is called so
        name += "ed"
    raw["providers"] = {**providers, name: {"kind": KIND}}
    raw["pipelines"] = [*entries, {"provider": name}]
    return frozenset({name})
