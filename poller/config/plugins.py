"""Finds the kinds of providers and channels: every public module of their packages is one kind.

A module is imported when its kind is first used. One that cannot be imported is a problem of those who use it and
of nobody else.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Generic, Literal, TypeVar

from pydantic import Field, create_model

import alerts.channels
import providers
from alerts.channels._base import ChannelPlugin
from poller.config.alerting import EntryAlerts, ExpectOrOff, Rerun
from poller.config.explained import Measurements, Parsers, Requires
from providers._base import PipelineEntry, ProviderPlugin

_Unstable = Literal["passed", "failed"]
OURS = frozenset({"alerts", "unstable", "expect", "rerun", "parsers", "require", "measurements"})
"""The keys of an entry that its provider does not look at: only what its builds mean depends on them."""

P = TypeVar("P", ProviderPlugin, ChannelPlugin)


class BrokenPlugin(Exception):
    """A module of this kind exists and cannot be used; the text says why."""


@dataclass(frozen=True)
class Kinds(Generic[P]):
    """The kinds found in one package. `given` replaces modules, for tests."""

    package: str
    expected: type[P]
    modules: tuple[str, ...]
    given: Mapping[str, P] = field(default_factory=dict)
    _loaded: dict[str, P] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All kinds, usable or not, sorted."""
        return tuple(sorted({*self.modules, *self.given}))

    def get(self, kind: str) -> P:
        """The plug-in of a kind. Raises KeyError when there is none, BrokenPlugin when it cannot be imported."""
        if kind in self.given:
            return self.given[kind]
        if kind not in self.modules:
            raise KeyError(kind)
        if kind not in self._loaded:
            self._loaded[kind] = self._import(kind)
        return self._loaded[kind]

    def _import(self, kind: str) -> P:
        name = f"{self.package}.{kind}"
        try:
            plugin = importlib.import_module(name).PLUGIN
        except Exception as error:  # whatever a foreign file does on import must not take the daemon down
            text = f'kind "{kind}" cannot be used: importing {name} failed: {type(error).__name__}: {error}'
            raise BrokenPlugin(text) from error
        if not isinstance(plugin, self.expected):
            text = f'kind "{kind}" cannot be used: {name}.PLUGIN is not a {self.expected.__name__}'
            raise BrokenPlugin(text)
        return plugin


@dataclass(frozen=True)
class Plugins:
    """All kinds of this installation."""

    providers: Kinds[ProviderPlugin]
    channels: Kinds[ChannelPlugin]

    def entry_model(self, kind: str) -> type[PipelineEntry]:
        """What an entry of `pipelines:` looks like for a kind of provider, with the keys that are ours added."""
        return _with_our_keys(self.providers.get(kind).entry)

    @cached_property
    def entry_keys(self) -> frozenset[str]:
        """Every key that an entry of any usable kind may have: what `defaults:` may hold."""
        keys: set[str] = set()
        for kind in self.providers.names:
            try:
                keys.update(self.entry_model(kind).model_fields)
            except BrokenPlugin:
                continue
        return frozenset(keys)


def find_plugins() -> Plugins:
    """What is installed. Imports no plug-in."""
    return Plugins(
        providers=Kinds("providers", ProviderPlugin, _modules_of(providers)),
        channels=Kinds("alerts.channels", ChannelPlugin, _modules_of(alerts.channels)),
    )


def _modules_of(package: Any) -> tuple[str, ...]:
    found = pkgutil.iter_modules(package.__path__)
    return tuple(sorted(module.name for module in found if not module.name.startswith("_")))


@cache
def _with_our_keys(base: type[PipelineEntry]) -> type[PipelineEntry]:
    """The same class each time: entries of two loads are compared, and equal ones must be of one class."""
    alerts_of_entry = Field(default=None, description="Rules for these pipelines, merged over those of `alerts:`.")
    unstable = Field(default="failed", description="What an unstable build (tests failed) counts as.")
    expect = Field(default=None, description="When a build is due: 24h, {cron: ...}, auto; off: never.")
    rerun = Field(default=Rerun(), description="How long a re-run of a failed build is awaited.")
    return create_model(
        base.__name__,
        __base__=base,
        __module__=base.__module__,
        alerts=(EntryAlerts | None, alerts_of_entry),
        unstable=(_Unstable, unstable),
        expect=(ExpectOrOff, expect),
        rerun=(Rerun, rerun),
        parsers=(Parsers, Field(default=(), description="Test reports that builds leave behind: [{junit: GLOB}].")),
        require=(Requires, Field(default=(), description="What each build must leave behind: {artifact: GLOB}.")),
        measurements=(Measurements, Field(default=(), description="JSON files with figures: [{artifact: GLOB}].")),
    )
