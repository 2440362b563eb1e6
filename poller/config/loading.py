"""From a file to a configuration, or to everything that is wrong with it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from alerts.channels._base import ChannelSettings
from alerts.policies.digest import Digest
from alerts.policies.escalation import Escalation
from alerts.policies.quiet import QuietHours
from alerts.policies.routing import Match, Route
from poller.config import advice
from poller.config.alerting import Alerts, EntryAlerts, rules_from
from poller.config.bucket_file import RuleFile, read_rule_file
from poller.config.configuration import Configuration, Keep, StoreSettings, TemplateFile
from poller.config.document import TOP_LEVEL, Document, read_document
from poller.config.entries import Checking, check_channels, check_pipelines, check_providers, secrets_of
from poller.config.explained import details_from, suspects_from
from poller.config.explanations import explained, is_secret
from poller.config.files import Reading, read_files
from poller.config.places import Places
from poller.config.plugins import Plugins, find_plugins
from poller.config.policies import DigestEntry, EscalationEntry, QuietHoursEntry, digest_name
from poller.config.problems import ConfigurationError, KeyPath, Problem, did_you_mean, in_order
from poller.config.pushed import add_provider
from poller.config.references import References
from poller.config.sections import RouteEntry, RouteMatch, Store
from poller.config.sources import Override, applied, from_credentials, from_environment
from poller.config.store_url import password_of, resolved_url
from poller.config.tree import plain
from poller.config.web import check_web, read_web_secrets, web_from
from poller.running.redaction import Redaction
from providers._base import PipelineEntry, ProviderSettings
from web.settings import Settings


def load(
    path: Path,
    *,
    environ: Mapping[str, str],
    credentials_directory: Path | None = None,
    state_directory: Path | None = None,
    plugins: Plugins | None = None,
) -> Configuration:
    """Read, merge and check a configuration.

    Args:
        path: config.yaml.
        environ: what `${NAME}` refers to, and the overrides `BUILDWATCH_SECTION__KEY`.
        credentials_directory: systemd's `$CREDENTIALS_DIRECTORY`.
        state_directory: systemd's `$STATE_DIRECTORY`, where a relative SQLite path starts; default: the file's folder.
        plugins: the kinds of providers and channels; default: those installed.

    Raises:
        ConfigurationError: with all problems at once.
    """
    path = path.absolute()
    reading = read_files(path)
    references = References(environ=environ, folder=path.parent, credentials_directory=credentials_directory)
    loader = _Loader(reading, references, plugins or find_plugins())
    try:
        return loader.configuration(path, state_directory or path.parent)
    except ConfigurationError as error:
        hidden = Redaction({*references.secrets, *references.environment_values})
        files = (*reading.files, *sorted(references.files))
        raise ConfigurationError((_redacted(problem, hidden) for problem in error.problems), files) from None


def _redacted(problem: Problem, hidden: Redaction) -> Problem:
    return replace(problem, message=hidden.redact(problem.message))


class _Loader:
    """The steps of one load; each adds to what is known to be wrong."""

    def __init__(self, reading: Reading, references: References, plugins: Plugins) -> None:
        tree = reading.tree
        self._files = reading.files
        self._references = references
        self._written = advice.literal_texts(tree)
        below = plain(tree)
        from_files = from_credentials(references.credentials_directory, below, TOP_LEVEL)
        from_variables = from_environment(references.environ, below, TOP_LEVEL)
        overrides = [*from_variables, *from_files]
        places = Places(tree, overrides)
        self._checking = Checking(places=places, references=references, plugins=plugins)
        self._checking.problems.extend(reading.problems)
        unresolved = references.resolve(tree, frozenset(one.path for one in overrides))
        places.unresolved.update(unresolved)
        self._checking.problems.extend(unresolved.values())
        self._checking.warnings.extend(reading.warnings)
        references.environment_values.update(one.value for one in overrides if isinstance(one.value, str))
        self._raw: dict[str, Any] = plain(tree)  # what the three sources say together
        by_credentials = self._applied(from_files)
        by_environment = self._applied(from_variables)
        self._sources = (by_environment, by_credentials, plain(tree))
        self._buckets = RuleFile()
        self._implied: frozenset[str] = frozenset()

    def _applied(self, overrides: list[Override]) -> dict[str, Any]:
        contribution, misplaced = applied(overrides, self._raw)
        for one in misplaced:
            self._checking.refuse(one.path, "there is no such item in the list")
        return contribution

    def configuration(self, path: Path, data_folder: Path) -> Configuration:
        """The result, or ConfigurationError with everything that was found."""
        checking = self._checking
        document = self._document()
        self._implied = add_provider(self._raw, checking.plugins.providers.names)
        channels_raw, providers_raw = self._section("channels"), self._section("providers")
        providers = check_providers(checking, providers_raw)
        pipelines = self._pipelines(providers_raw)
        channels = check_channels(checking, channels_raw)
        self._check_routes(channels_raw, providers_raw)
        templates = self._templates(document, path.parent)
        self._read_buckets(document, path.parent)
        if document is None:
            raise ConfigurationError(checking.problems)
        self._check_rules(document.alerts, pipelines)
        check_web(document.web, checking)
        if checking.problems:
            raise ConfigurationError(checking.problems)
        store = _store(document.store, data_folder)
        configuration = self._assembled(
            path,
            document,
            store=store,
            providers=providers,
            pipelines=pipelines,
            channels=channels,
            templates=templates,
        )
        advice.advise(configuration, document, list(pipelines), checking, self._written)
        if checking.problems:
            raise ConfigurationError(checking.problems)
        return replace(configuration, warnings=in_order(checking.warnings, self._files))

    def _document(self) -> Document | None:
        for source in self._sources:
            self._checking.read_secret_files(Document, source, ())
            if isinstance(source.get("store"), dict):
                self._checking.read_secret_files(Store, source["store"], ("store",))
            read_web_secrets(self._checking, source)
        try:
            return read_document(*self._sources)
        except ValidationError as error:
            self._checking.problems.extend(explained(error, Document, self._checking.places, ()))
            return None

    def _section(self, name: str) -> dict[str, Any]:
        value = self._raw.get(name)
        return value if isinstance(value, dict) else {}

    def _pipelines(self, providers: Mapping[str, Any]) -> dict[int, PipelineEntry]:
        entries = self._raw.get("pipelines")
        listed = entries if isinstance(entries, list) else []
        return check_pipelines(self._checking, listed, self._section("defaults"), providers)

    def _check_routes(self, channels: Mapping[str, Any], providers: Mapping[str, Any]) -> None:
        """That whatever names a channel or a provider names one that there is."""
        for section in ("routes", "quiet_hours", "escalate", "digests"):
            entries = self._raw.get(section)
            for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                if isinstance(entry, dict):
                    self._check_channels((section, index, "to"), entry if section != "quiet_hours" else {}, channels)
                    self._check_provider((section, index, "match", "provider"), entry.get("match"), providers)

    def _check_channels(self, path: KeyPath, entry: Mapping[str, Any], channels: Mapping[str, Any]) -> None:
        to = entry.get("to")
        for position, name in enumerate(to if isinstance(to, list) else [to]):
            if isinstance(name, str) and name not in channels:
                hint = did_you_mean(name, channels) if channels else " (there are no channels)"
                self._checking.refuse((*path, position), f'unknown channel "{name}"{hint}')

    def _check_provider(self, path: KeyPath, match: object, providers: Mapping[str, Any]) -> None:
        provider = match.get("provider") if isinstance(match, dict) else None
        if isinstance(provider, str) and provider not in providers:
            self._checking.warn(path, f'unknown provider "{provider}"{did_you_mean(provider, providers)}')

    def _templates(self, document: Document | None, folder: Path) -> dict[str, TemplateFile]:
        """The texts of `templates:`; they are read with the configuration, so that a reload finds what is wrong."""
        found: dict[str, TemplateFile] = {}
        kinds = self._checking.plugins.channels.names
        for kind, name in (document.templates if document else {}).items():
            if kind not in kinds:
                text = f'unknown kind of channel "{kind}"{did_you_mean(kind, kinds)}'
                self._checking.refuse(("templates", kind), text, at_key=True)
                continue
            path = folder / name
            self._references.files.add(path)
            try:
                found[kind] = TemplateFile(path=path, text=path.read_text("utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
                self._checking.refuse(("templates", kind), f"{path}: {reason}")
        return found

    def _read_buckets(self, document: Document | None, folder: Path) -> None:
        """The rules of `buckets: {file}`, with what is wrong with them at its place in that file."""
        if document is None or document.buckets.file is None:
            return
        path = folder / document.buckets.file
        self._references.files.add(path)
        if not path.is_file():
            self._checking.refuse(("buckets", "file"), f"{path}: no such file")
            return
        self._buckets = read_rule_file(path)
        self._checking.problems.extend(self._buckets.problems)

    def _check_rules(self, common: Alerts, pipelines: Mapping[int, PipelineEntry]) -> None:
        """Alone, a section may be incomplete; merged, it must not be."""
        if _incomplete(common, None):
            self._checking.refuse(("alerts", "success_rate_below"), _incomplete(common, None))
            return
        for index, entry in pipelines.items():
            if text := _incomplete(common, getattr(entry, "alerts", None)):
                self._checking.refuse(("pipelines", index, "alerts", "success_rate_below"), text)

    def _assembled(
        self,
        path: Path,
        document: Document,
        *,
        store: StoreSettings,
        providers: Mapping[str, ProviderSettings],
        pipelines: Mapping[int, PipelineEntry],
        channels: Mapping[str, ChannelSettings],
        templates: Mapping[str, TemplateFile],
    ) -> Configuration:
        plugins = self._checking.plugins
        entries = tuple(pipelines.values())
        secrets = [dict(providers), dict(channels), _with_secrets(entries), document.heartbeat_url, document.web]
        found = {secret for _, secret in secrets_of(secrets)}
        return Configuration(
            path=path,
            loaded=self._fingerprint(templates),
            timezone=document.timezone,
            day_starts_at=document.day_starts_at,
            store=store,
            providers=providers,
            pipelines=entries,
            channels=channels,
            alerts=document.alerts,
            rules=rules_from(document.alerts, zone=document.timezone),
            routes=_routes(document.routes, channels),
            log=document.log,
            group_wait=document.group_wait,
            details=details_from(document.details),
            suspects=suspects_from(document.suspects),
            own_bucket_rules=self._buckets.rules,
            builtin_buckets=document.buckets.builtin,
            quiet_hours=tuple(_quiet(entry) for entry in document.quiet_hours),
            escalations=tuple(_escalation(entry) for entry in document.escalate),
            digests=tuple(_digest(entry) for entry in document.digests),
            templates=templates,
            heartbeat_url=document.heartbeat_url,
            implied=self._implied,
            web=_web(document),
            include=document.include,
            files=(*self._files, *sorted(self._references.files)),
            secrets=frozenset({*found, *self._references.secrets, *password_of(store.url.get_secret_value())}),
            provider_plugins={one.kind: plugins.providers.get(one.kind) for one in providers.values()},
            channel_plugins={one.kind: plugins.channels.get(one.kind) for one in channels.values()},
        )

    def _fingerprint(self, templates: Mapping[str, TemplateFile]) -> str:
        texts = {kind: one.text for kind, one in templates.items()}
        return hashlib.sha256(
            json.dumps(
                [self._raw, texts, self._buckets.text, sorted(self._references.secrets)], sort_keys=True, default=str
            ).encode()
        ).hexdigest()


def _web(document: Document) -> Settings | None:
    return web_from(document.web, document.timezone, document.day_starts_at) if document.web is not None else None


def _store(store: Store, folder: Path) -> StoreSettings:
    url = resolved_url(store.url.get_secret_value(), folder)
    return StoreSettings(url=SecretStr(url), keep=Keep(builds=store.keep.builds, logs=store.keep.logs))


def _with_secrets(entries: Sequence[PipelineEntry]) -> list[PipelineEntry]:
    """Entries of models that have secrets at all; looking through a thousand others takes time."""
    models = {type(entry) for entry in entries}
    kept = {model for model in models if any(is_secret(info.annotation) for info in model.model_fields.values())}
    return [entry for entry in entries if type(entry) in kept]


def _incomplete(common: Alerts, own: EntryAlerts | None) -> str:
    try:
        rules_from(common, own)
    except ValueError as error:
        return str(error)
    return ""


def _routes(entries: list[RouteEntry] | None, channels: Mapping[str, Any]) -> tuple[Route, ...]:
    """The routes as values; without `routes:` every channel gets everything."""
    if entries is None:
        return (Route(to=tuple(channels)),) if channels else ()
    return tuple(
        Route(
            match=_match(one.match),
            to=one.to,
            then_continue=one.then_continue,
        )
        for one in entries
    )


def _match(given: RouteMatch | None) -> Match:
    return Match(**given.model_dump()) if given else Match()


def _quiet(entry: QuietHoursEntry) -> QuietHours:
    return QuietHours(days=entry.days, start=entry.start, end=entry.end, match=_match(entry.match))


def _escalation(entry: EscalationEntry) -> Escalation:
    return Escalation(after=entry.after, unless_acked=entry.unless is not None, to=entry.to, match=_match(entry.match))


def _digest(entry: DigestEntry) -> Digest:
    return Digest(name=digest_name(entry), cron=entry.cron, window=entry.window, to=entry.to)
