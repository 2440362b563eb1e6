"""What differs between two configurations, so that only what changed is built and scheduled anew."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from pydantic import BaseModel

from poller.config.configuration import Configuration
from poller.config.plugins import OURS


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Names of entries under one key that came, went, or are no longer the same."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The differences. False when there are none that anybody would notice.

    `pipelines` names the providers whose entries differ: their targets have to be worked out anew, the provider's
    own connection is as it was unless `providers` names it too.
    """

    providers: Named
    channels: Named
    pipelines: tuple[str, ...]
    rules: bool
    routes: bool
    store: bool
    log: bool
    days: bool  # timezone or day_starts_at
    web: bool
    policies: bool  # grouping, quiet hours, escalations, digests, heartbeat, details, suspects, buckets

    def __bool__(self) -> bool:
        return any(getattr(self, each.name) for each in fields(self))


def diff(old: Configuration, new: Configuration) -> Changes:
    """What is different in `new`."""
    return Changes(
        providers=_named(old.providers, new.providers),
        channels=_with_templates(_named(old.channels, new.channels), old, new),
        pipelines=tuple(name for name in _names(old, new) if _entries(old, name) != _entries(new, name)),
        rules=_rules(old) != _rules(new),
        routes=old.routes != new.routes,
        store=old.store != new.store,
        log=old.log != new.log,
        days=(old.timezone, old.day_starts_at) != (new.timezone, new.day_starts_at),
        web=old.web != new.web,
        policies=_policies(old) != _policies(new),
    )


def _with_templates(named: Named, old: Configuration, new: Configuration) -> Named:
    """A channel whose template is another one is another channel."""
    kept = [name for name in new.channels if name in old.channels and name not in named.changed]
    kinds = {kind for kind in {*old.templates, *new.templates} if old.templates.get(kind) != new.templates.get(kind)}
    redone = tuple(name for name in kept if new.channels[name].kind in kinds)
    return replace(named, changed=(*named.changed, *redone))


def _policies(configuration: Configuration) -> list[Any]:
    return [
        configuration.group_wait,
        configuration.quiet_hours,
        configuration.escalations,
        configuration.digests,
        configuration.heartbeat_url,
        configuration.details,
        configuration.suspects,
        configuration.own_bucket_rules,
        configuration.builtin_buckets,
    ]


def _named(old: Mapping[str, BaseModel], new: Mapping[str, BaseModel]) -> Named:
    return Named(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(name for name in new if name in old and old[name] != new[name]),
    )


def _names(old: Configuration, new: Configuration) -> Iterable[str]:
    return dict.fromkeys(entry.provider for entry in (*old.pipelines, *new.pipelines))


def _entries(configuration: Configuration, provider: str) -> list[Any]:
    """An entry without what only the evaluation of its builds uses."""
    return [entry.model_copy(update=dict.fromkeys(OURS)) for entry in configuration.entries_of(provider)]


def _rules(configuration: Configuration) -> list[Any]:
    """What the builds of each entry mean, and what is read off them."""
    entries = [
        (
            entry.provider,
            configuration.rules_of(entry),
            configuration.unstable_passes(entry),
            configuration.reports_of(entry),
        )
        for entry in configuration.pipelines
    ]
    return [configuration.rules, *entries]
