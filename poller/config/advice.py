"""What is valid and probably not meant. Warnings, but for a pipeline of which nobody would ever hear."""

import ipaddress
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from alerts.policies.quiet import ends
from alerts.policies.routing import Match, Route, Subject
from alerts.rules import Rules
from domain.globs import matches
from poller.config.configuration import Configuration
from poller.config.document import Document
from poller.config.entries import Checking, secrets_of
from poller.config.plugins import OURS
from poller.config.problems import KeyPath, Mark
from poller.config.store_url import password_of
from poller.config.tree import Items, Section
from providers._base import PipelineEntry

_WILDCARD = re.compile(r"[*?\[]")
_WEEK = timedelta(days=7)
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


def literal_texts(tree: Any, path: KeyPath = ()) -> dict[KeyPath, Mark]:
    """The places of texts that stand in the file themselves, not by reference. Call it before they are resolved."""
    found: dict[KeyPath, Mark] = {}
    if isinstance(tree, Section):
        for key, value in tree.items():
            found |= _literal(value, (*path, key), tree.values_at[key])
    elif isinstance(tree, Items):
        for index, value in enumerate(tree):
            found |= _literal(value, (*path, index), tree.items_at[index])
    return found


def _literal(value: Any, path: KeyPath, mark: Mark) -> dict[KeyPath, Mark]:
    if isinstance(value, str):
        return {} if "${" in value else {path: mark}
    return literal_texts(value, path)


def advise(
    configuration: Configuration,
    document: Document,
    indices: Sequence[int],
    checking: Checking,
    written: Mapping[KeyPath, Mark],
) -> None:
    """Add warnings. `indices` are the places of the configuration's entries in `pipelines:`."""
    entries = dict(zip(indices, configuration.pipelines, strict=True))
    _unused(configuration, checking)
    _unreachable(configuration, entries, checking)
    _idle_routes(document, configuration.routes, entries, checking)
    _never_told(configuration, checking)
    _duplicates(entries, checking)
    _labels(entries, checking)
    _rules(configuration, entries, checking)
    _digests(configuration, checking)
    _readable_secrets(configuration, document, checking, written)
    _plain_http(configuration, checking)


def _unused(configuration: Configuration, checking: Checking) -> None:
    if not configuration.pipelines:
        checking.warn(("pipelines",), "nothing is watched: add an entry to `pipelines:`")
    watched = {entry.provider for entry in configuration.pipelines}
    for name in configuration.providers:
        if name not in watched and configuration.pipelines:
            checking.warn(("providers", name), f'provider "{name}" is used by no pipeline', at_key=True)
    asked = (configuration.routes, configuration.escalations, configuration.digests)
    used = {name for entries in asked for one in entries for name in one.to}
    for name in configuration.channels:
        if name not in used:
            checking.warn(("channels", name), f'channel "{name}" is used by no route', at_key=True)


def _unreachable(configuration: Configuration, entries: Mapping[int, PipelineEntry], checking: Checking) -> None:
    if entries and not configuration.channels:
        checking.refuse(("pipelines",), "nobody would hear of these pipelines: add a channel under `channels:`")
        return
    for index, entry in entries.items():
        if not entry.enabled:
            continue
        routes = [route for route in configuration.routes if route.to and _may_match(route, entry)]
        if not routes:
            checking.refuse(("pipelines", index), "nobody would hear of this pipeline: no route matches it")
        elif not any(_for_all_alerts(route) for route in routes):
            text = "some alerts of this pipeline would go nowhere: every route that matches it has further conditions"
            checking.warn(("pipelines", index), text)
    if configuration.rules.provider_unreachable is None:
        return
    for name in sorted({entry.provider for entry in entries.values() if entry.enabled}):
        if not any(route.to and _may_tell_of(route, name) for route in configuration.routes):
            text = f'nobody would hear that provider "{name}" cannot be read: every route asks for a pipeline'
            checking.warn(("providers", name), text, at_key=True)


def _may_match(route: Route, entry: PipelineEntry) -> bool:
    """Whether a route can match some alert of an entry's pipelines; in doubt, yes."""
    match = route.match
    if match.provider is not None and match.provider != entry.provider:
        return False
    if match.pipeline is not None and not _WILDCARD.search(match.pipeline):
        names = (match.pipeline, entry.name, getattr(entry, "repo", None), getattr(entry, "job", None))
        if not entry.matches(match.pipeline) and match.pipeline not in names[1:]:
            return False
    fixed = entry.labels
    return all(
        key not in fixed or _WILDCARD.search(wanted) or fixed[key] == wanted for key, wanted in match.labels.items()
    )


def _for_all_alerts(route: Route) -> bool:
    match = route.match
    return match.branch is match.kind is match.severity is match.bucket is None


def _may_tell_of(route: Route, provider: str) -> bool:
    match = route.match
    if match.pipeline or match.branch or match.labels or match.bucket:
        return False
    return match.provider in {None, provider} and match.kind in {None, "provider_unreachable"}


def _idle_routes(
    document: Document, routes: Sequence[Route], entries: Mapping[int, PipelineEntry], checking: Checking
) -> None:
    """Routes behind one that takes everything that they would, and routes for a pipeline that nobody watches."""
    if document.routes is None:
        return
    watched = [entry for entry in entries.values() if entry.enabled]
    for index, route in enumerate(routes):
        before = (place for place, other in enumerate(routes[:index]) if _takes_all(other, route.match))
        if (taker := next(before, None)) is not None:
            checking.warn(("routes", index), f"can never match: routes[{taker}] takes all that it would")
            continue
        wanted = route.match.pipeline
        if watched and wanted is not None and not _WILDCARD.search(wanted):
            known = any(_may_match(route, entry) or hasattr(entry, "repo") for entry in watched)
            if not known:  # the names of workflows are not known here
                text = f'pipeline: no entry of `pipelines:` watches "{wanted}"'
                checking.warn(("routes", index, "match", "pipeline"), text)


def _takes_all(route: Route, match: Match) -> bool:
    """Whether everything that meets these conditions is taken by the route."""
    own = route.match
    same = ("provider", "kind", "severity", "bucket")
    return (
        not route.then_continue
        and all(getattr(own, key) in {None, getattr(match, key)} for key in same)
        and _is_within(match.pipeline, own.pipeline)
        and _is_within(match.branch, own.branch)
        and all(_is_within(match.labels.get(name), wanted) for name, wanted in own.labels.items())
    )


def _is_within(narrow: str | None, wide: str | None) -> bool:
    """Whether whatever one pattern matches is surely matched by the other."""
    if wide is None or narrow == wide:
        return True
    return narrow is not None and (wide == "**" or (not _WILDCARD.search(narrow) and matches(wide, narrow)))


def _never_told(configuration: Configuration, checking: Checking) -> None:
    """Quiet hours for everything that follow each other around the week."""
    general = [each for each in configuration.quiet_hours if each.match == Match()]
    anything = Subject(provider="", kind="", severity="")
    until = ends(_ANY_TIME, general, anything, configuration.timezone)
    if until is not None and until - _ANY_TIME >= _WEEK:
        checking.warn(("quiet_hours",), "never end: every message would wait for a week")


def _labels(entries: Mapping[int, PipelineEntry], checking: Checking) -> None:
    """Labels that a kind of server can never tell."""
    for index, entry in entries.items():
        for source in entry.sources:
            if source.kind in entry.cannot_tell:
                text = f"{source.name}: {entry.cannot_tell[source.kind]}"
                checking.warn(("pipelines", index, "labels_from", source.name), text)


def _duplicates(entries: Mapping[int, PipelineEntry], checking: Checking) -> None:
    """Entries that choose the same pipelines: only the first one counts."""
    first: dict[str, int] = {}
    for index, entry in entries.items():
        if not entry.enabled:
            continue
        own = set(type(entry).model_fields) - set(PipelineEntry.model_fields) - OURS
        chosen = sorted((name, repr(getattr(entry, name))) for name in own & entry.model_fields_set)
        same = first.setdefault(repr((entry.provider, chosen)), index)
        if same != index:
            checking.warn(("pipelines", index), f"chooses the same as pipelines[{same}]; the first entry counts")


def _rules(configuration: Configuration, entries: Mapping[int, PipelineEntry], checking: Checking) -> None:
    """Rules that can never fire, or always would."""
    for index, entry in entries.items():
        every = entry.poll_every or configuration.providers[entry.provider].poll_every
        for kind, key, text in _impossible(configuration.rules_of(entry), every):
            own = getattr(entry, "alerts", None)
            above = ("pipelines", index) if own is not None and kind in own.model_fields_set else ()
            path: KeyPath = ("pipelines", index, "expect") if kind == "expect" else (*above, "alerts", kind, key)
            checking.warn(path, text)
        expect = getattr(entry, "expect", None)
        if expect and configuration.rules_of(entry).stale is None:
            checking.warn(("pipelines", index, "expect"), "has no effect: the kind stale is switched off", at_key=True)


def _impossible(rules: Rules, every: timedelta) -> Iterator[tuple[str, str, str]]:
    """(kind, key, what is wrong) of rules that do not go with polls so far apart."""
    below, due, stuck = rules.success_rate_below, rules.stale, rules.stuck
    if below is not None:
        if isinstance(below.window, timedelta) and below.window < every:
            yield "success_rate_below", "window", "window: shorter than the time between two polls"
        if isinstance(below.window, int) and below.min_runs > below.window:
            text = f"can never fire: {below.window} builds are fewer than min_runs: {below.min_runs}"
            yield "success_rate_below", "window", text
    if due is not None and due.grace + (due.every or timedelta(0)) < every:
        yield "expect", "", "would fire between two polls: every + grace is shorter than the time between them"
    if stuck is not None and stuck.running_longer_than is not None and stuck.running_longer_than < every:
        text = "running_longer_than: shorter than the time between two polls, such a build is rarely seen running"
        yield "stuck", "running_longer_than", text


def _digests(configuration: Configuration, checking: Checking) -> None:
    names = [digest.name for digest in configuration.digests]
    for index, name in enumerate(names):
        if name in names[:index]:
            checking.refuse(("digests", index), f'is called "{name}" like one before it: give it another name')


def _readable_secrets(
    configuration: Configuration, document: Document, checking: Checking, written: Mapping[KeyPath, Mark]
) -> None:
    readable = {file for file in configuration.files if _everybody_reads(file)}
    if not readable:
        return
    places: list[KeyPath] = []
    for section, settings in (("providers", configuration.providers), ("channels", configuration.channels)):
        places += [(section, *path) for path, secret in secrets_of(settings) if secret]
    places += [("web", *path) for path, secret in secrets_of(document.web) if secret]
    if configuration.heartbeat_url is not None:
        places.append(("heartbeat_url",))
    if password_of(document.store.url.get_secret_value()):
        places.append(("store", "url"))
    for path in places:
        if path in written and written[path].file in readable and not checking.places.origin(path):
            file = written[path].file.name
            cure = f"chmod o-r {file}, or write ${{NAME}} or ${{file:/path}} instead"
            checking.warn(path, f"{path[-1]}: a secret in a file that everybody on this host can read: {cure}")


def _everybody_reads(file: Any) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _plain_http(configuration: Configuration, checking: Checking) -> None:
    for section, settings in (("providers", configuration.providers), ("channels", configuration.channels)):
        for name, one in settings.items():
            if any(secret for _, secret in secrets_of(one)):
                for key in _exposed_urls(one):
                    text = f"{key}: a secret travels over http to another host: use https"
                    checking.warn((section, name, key), text)
            if getattr(one, "verify", True) is False:
                text = "verify: certificates are not checked, anybody in between can read along: use ca_file"
                checking.warn((section, name, "verify"), text)

    url = configuration.heartbeat_url
    if url is not None and _is_exposed(url.get_secret_value()):
        text = "heartbeat_url: who reads along could send its calls in our place: use https"
        checking.warn(("heartbeat_url",), text)


def _exposed_urls(settings: BaseModel) -> Iterator[str]:
    for key, value in settings:
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        if _is_exposed(text):
            yield key


def _is_exposed(url: str) -> bool:
    return url.startswith("http://") and not _is_loopback(url)


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
