"""Checks what belongs to plug-ins: providers, channels and the entries of `pipelines:`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from alerts.channels._base import ChannelSettings
from poller.config.explanations import explained, is_secret
from poller.config.places import Places
from poller.config.plugins import BrokenPlugin, Kinds, Plugins
from poller.config.problems import KeyPath, Problem, did_you_mean
from poller.config.references import Missing, References
from providers._base import PipelineEntry, ProviderSettings

M = TypeVar("M", bound=BaseModel)


@dataclass(kw_only=True)
class Checking:
    """What the checks share: where things stand, what was found."""

    places: Places
    references: References
    plugins: Plugins
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def refuse(self, path: KeyPath, message: str, *, at_key: bool = False) -> None:
        """Note an error."""
        self.problems.append(self.places.problem(path, message, at_key=at_key))

    def warn(self, path: KeyPath, message: str, *, at_key: bool = False) -> None:
        """Note something that is allowed and probably not meant."""
        self.warnings.append(self.places.problem(path, message, at_key=at_key))

    def model(self, model: type[M], raw: dict[str, Any], base: KeyPath) -> M | None:
        """An instance of a model, with `<key>_file` read; None when something is wrong with it."""
        self.read_secret_files(model, raw, base)
        before = len(self.problems)
        try:
            result = model.model_validate(raw)
        except ValidationError as error:
            self.problems.extend(explained(error, model, self.places, base))
            return None
        return result if len(self.problems) == before else None

    def read_secret_files(self, model: type[BaseModel], raw: dict[str, Any], base: KeyPath) -> None:
        """Replace `token_file: /path` by the `token` that stands there, wherever the model has a secret `token`."""
        fields = {info.alias or name: info for name, info in model.model_fields.items()}
        for key in [key for key in raw if key.endswith("_file") and key not in fields]:
            name = key.removesuffix("_file")
            if name not in fields or not is_secret(fields[name].annotation):
                continue
            path, file = (*base, key), raw.pop(key)
            if name in raw:
                if not self.places.origin((*base, name)):
                    self.refuse(path, f'give either "{name}" or "{key}", not both', at_key=True)
            elif not isinstance(file, str):
                self.refuse(path, f"{key}: must be the path of a file")
                raw[name] = "?"
            else:
                try:
                    raw[name] = self.references.read_file(file)
                except Missing as error:
                    self.refuse(path, f"{key}: {error}")
                    raw[name] = "?"


def check_providers(checking: Checking, raw: Mapping[str, Any]) -> dict[str, ProviderSettings]:
    """The valid entries of `providers:`, by name."""
    return dict(_settings(checking, raw, "providers", checking.plugins.providers))


def check_channels(checking: Checking, raw: Mapping[str, Any]) -> dict[str, ChannelSettings]:
    """The valid entries of `channels:`, by name."""
    return dict(_settings(checking, raw, "channels", checking.plugins.channels))


def _settings(checking: Checking, raw: Mapping[str, Any], section: str, kinds: Kinds[Any]) -> Iterator[tuple[str, Any]]:
    for name, settings in raw.items():
        base: KeyPath = (section, name)
        if not name.strip() or not name.isprintable():
            checking.refuse(base, "a name must not be empty or hold control characters", at_key=True)
        if not isinstance(settings, dict):
            continue  # the document's own model has said so
        plugin = _plugin(checking, settings, base, kinds)
        if plugin is not None and (valid := checking.model(plugin.settings, settings, base)) is not None:
            yield name, valid


def _plugin(checking: Checking, settings: Mapping[str, Any], base: KeyPath, kinds: Kinds[Any]) -> Any:
    path, known = (*base, "kind"), ", ".join(kinds.names)
    if "kind" not in settings:
        checking.refuse(path, f'key "kind" is missing: one of {known}')
        return None
    kind = settings["kind"]
    if not isinstance(kind, str):
        checking.refuse(path, f"kind: must be one of {known}")
        return None
    try:
        return kinds.get(kind)
    except KeyError:
        checking.refuse(path, f'unknown kind "{kind}"{did_you_mean(kind, kinds.names)}')
    except BrokenPlugin as error:
        checking.refuse(path, str(error))
    return None


def check_pipelines(
    checking: Checking, raw: list[Any], defaults: Mapping[str, Any], providers: Mapping[str, Any]
) -> dict[int, PipelineEntry]:
    """The valid entries of `pipelines:`, by their place in the list. `providers` are the raw ones."""
    _check_defaults(checking, defaults)
    entries = {}
    for index, own in enumerate(raw):
        if not isinstance(own, dict):
            continue
        base: KeyPath = ("pipelines", index)
        merged = _merged(defaults, own)
        model = _entry_model(checking, merged, base, providers)
        if model is None:
            continue
        for key in defaults:
            if key not in own and key not in model.model_fields:
                merged.pop(key, None)  # a default for another kind of provider
        raw[index] = merged
        entry = checking.model(model, merged, base)
        if entry is not None:
            entries[index] = entry
    return entries


def _check_defaults(checking: Checking, defaults: Mapping[str, Any]) -> None:
    known = checking.plugins.entry_keys if defaults else frozenset()
    for key in defaults:
        if key not in known:
            checking.refuse(("defaults", key), f'unknown key "{key}"{did_you_mean(key, known)}', at_key=True)


def _entry_model(
    checking: Checking, entry: Mapping[str, Any], base: KeyPath, providers: Mapping[str, Any]
) -> type[PipelineEntry] | None:
    path = (*base, "provider")
    name = entry.get("provider")
    if not isinstance(name, str):
        known = f": one of {', '.join(providers)}" if providers else " (and there are no providers)"
        missing = f'key "provider" is missing{known}'
        checking.refuse(path, missing if name is None else f"provider: must be the name of a provider{known}")
        return None
    if name not in providers:
        hint = did_you_mean(name, providers) if providers else " (there are no providers)"
        checking.refuse(path, f'unknown provider "{name}"{hint}')
        return None
    kind = providers[name].get("kind") if isinstance(providers[name], dict) else None
    try:
        return checking.plugins.entry_model(kind) if isinstance(kind, str) else None
    except (KeyError, BrokenPlugin):
        return None  # told where the provider stands


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings are merged key by key, everything else is replaced; the results share nothing with the arguments."""
    merged: dict[str, Any] = {}
    for key in [*below, *(key for key in above if key not in below)]:
        low, high = below.get(key), above.get(key)
        if isinstance(low, dict) and isinstance(high, dict):
            merged[key] = _merged(low, high)
        else:
            value = above[key] if key in above else below[key]
            merged[key] = _merged({}, value) if isinstance(value, dict) else value
    return merged


def secrets_of(value: Any) -> Iterator[tuple[KeyPath, str]]:
    """Every secret in a model or a collection of models, with its path."""
    if isinstance(value, SecretStr):
        yield (), value.get_secret_value()
        return
    children: Any = ()
    if isinstance(value, BaseModel):
        children = ((type(value).model_fields[name].alias or name, inner) for name, inner in value)
    elif isinstance(value, Mapping):
        children = value.items()
    elif isinstance(value, list | tuple):
        children = enumerate(value)
    for key, inner in children:
        for path, secret in secrets_of(inner):
            yield (key, *path), secret
