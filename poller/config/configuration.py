"""A configuration that is valid: what the rest of the daemon works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from alerts.channels._base import ChannelPlugin, ChannelSettings
from alerts.policies.digest import Digest
from alerts.policies.escalation import Escalation
from alerts.policies.quiet import QuietHours
from alerts.policies.routing import Route
from alerts.rules import Rules
from domain.build import Pipeline
from parsers.builtin_rules import builtin_rules
from parsers.rules import BucketRule
from poller.config.alerting import Alerts, rules_from
from poller.config.explained import DetailsSettings, Reports, Suspects
from poller.config.problems import Problem
from poller.config.sections import Log
from providers._base import PipelineEntry, ProviderPlugin, ProviderSettings
from web.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long the store remembers."""

    builds: timedelta
    logs: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where builds, alerts and messages are kept. The URL is resolved: a SQLite path in it is absolute."""

    url: SecretStr
    keep: Keep


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFile:
    """A Jinja2 template of the user's, as it was when config.yaml was read."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Everything that config.yaml says, checked.

    `loaded` is a hash over everything that was read (files, includes, secrets, overrides): equal hashes mean equal
    configurations. `files` are all files that a change of which may change the configuration. `secrets` are the
    values that must never be shown.
    """

    path: Path
    loaded: str
    timezone: ZoneInfo
    day_starts_at: time
    store: StoreSettings
    providers: Mapping[str, ProviderSettings]
    pipelines: tuple[PipelineEntry, ...]  # instances of the provider's entry model, with `alerts` and `unstable`
    channels: Mapping[str, ChannelSettings]
    alerts: Alerts
    rules: Rules
    routes: tuple[Route, ...]
    log: Log
    group_wait: timedelta = timedelta(seconds=30)
    quiet_hours: tuple[QuietHours, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    digests: tuple[Digest, ...] = ()
    templates: Mapping[str, TemplateFile] = field(default_factory=dict)  # by kind of channel
    heartbeat_url: SecretStr | None = None
    details: DetailsSettings | None = field(default_factory=DetailsSettings)  # None: nothing is read about builds
    suspects: Suspects = field(default_factory=Suspects)
    own_bucket_rules: tuple[BucketRule, ...] = ()  # of the file that `buckets` names
    builtin_buckets: bool = True
    implied: frozenset[str] = frozenset()  # names of `providers` that nobody wrote, see poller.config.pushed
    web: Settings | None = None  # of the web server; None: there is none
    include: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    warnings: tuple[Problem, ...] = ()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    provider_plugins: Mapping[str, ProviderPlugin] = field(default_factory=dict, repr=False)  # by kind
    channel_plugins: Mapping[str, ChannelPlugin] = field(default_factory=dict, repr=False)
    _entries: dict[tuple[str, str], PipelineEntry | None] = field(default_factory=dict, repr=False, compare=False)
    _rules: dict[int, Rules] = field(default_factory=dict, repr=False, compare=False)  # by the identity of an entry

    def entries_of(self, provider: str) -> tuple[PipelineEntry, ...]:
        """The enabled entries that name a provider, in order: what its factory takes."""
        return tuple(entry for entry in self.pipelines if entry.enabled and entry.provider == provider)

    def entry_of(self, pipeline: Pipeline) -> PipelineEntry | None:
        """The first enabled entry that watches a pipeline; None when it is watched no more."""
        identity = (pipeline.provider, pipeline.key)
        if identity not in self._entries:
            entries = self.entries_of(pipeline.provider)
            self._entries[identity] = next((entry for entry in entries if entry.matches(pipeline.key)), None)
        return self._entries[identity]

    def rules_of(self, entry: PipelineEntry | None) -> Rules:
        """The rules for the pipelines of an entry: those of `alerts:` with the entry's own merged over them."""
        if entry is None:
            return self.rules
        found = self._rules.get(id(entry))
        if found is None:
            found = rules_from(
                self.alerts,
                getattr(entry, "alerts", None),
                expect=getattr(entry, "expect", None),
                rerun=getattr(entry, "rerun", None),
                zone=self.timezone,
            )
            self._rules[id(entry)] = found
        return found

    def unstable_passes(self, entry: PipelineEntry | None) -> bool:
        """Whether an unstable build of an entry's pipelines counts as passed."""
        return getattr(entry, "unstable", "failed") == "passed"

    @property
    def bucket_rules(self) -> tuple[BucketRule, ...]:
        """The rules that tell why a build failed, in their order: those of the file, then the built-in ones."""
        return (*self.own_bucket_rules, *(builtin_rules() if self.builtin_buckets else ()))

    def reports_of(self, entry: PipelineEntry | None) -> Reports:
        """What is read off every build of an entry's pipelines."""
        return Reports(
            parsers=getattr(entry, "parsers", ()),
            require=getattr(entry, "require", ()),
            measurements=getattr(entry, "measurements", ()),
            labels=entry.told_late if entry is not None else (),
        )
