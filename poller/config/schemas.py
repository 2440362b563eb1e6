"""The JSON Schema of config.yaml, for editors."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import override

from poller.config.document import TOP_LEVEL, Document
from poller.config.explanations import is_secret, models_in
from poller.config.plugins import BrokenPlugin, Kinds, Plugins, find_plugins

_DEFINITIONS = "#/$defs/{model}"
_REFERENCE = r"^[^$]*\$\{.+\}.*$"  # ${ENV} may stand wherever a value may


def schema(plugins: Plugins | None = None) -> dict[str, Any]:
    """The schema of a file, every installed kind of provider and channel included.

    It is a little wider than what `load` accepts: which keys an entry of `pipelines:` may have depends on the kind
    of its provider, which a schema cannot look up; so an entry must fit one of the kinds.
    """
    plugins = plugins or find_plugins()
    whole = _schema_of(Document)
    definitions = whole.setdefault("$defs", {})
    properties = whole["properties"]
    providers = {kind: plugins.providers.get(kind).settings for kind in _usable(plugins.providers)}
    channels = {kind: plugins.channels.get(kind).settings for kind in _usable(plugins.channels)}
    entries = {kind: plugins.entry_model(kind) for kind in providers}
    properties["providers"]["additionalProperties"] = _one_of(providers, "provider", definitions)
    properties["channels"]["additionalProperties"] = _one_of(channels, "channel", definitions)
    properties["pipelines"]["items"] = _any_of(entries, "pipeline", definitions)
    properties["defaults"] = _defaults(entries, definitions, properties["defaults"])
    for name, value in properties.items():
        description = Document.model_fields[name].description if name in TOP_LEVEL else value["description"]
        may_be_empty = {"anyOf": [value, {"type": "null"}]}  # everything under the key is commented out
        properties[name] = {**may_be_empty, "description": description}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "title": "buildwatch config.yaml"}


def _usable(kinds: Kinds[Any]) -> Iterator[str]:
    for kind in kinds.names:
        try:
            kinds.get(kind)
        except BrokenPlugin:
            continue
        yield kind


class _Written(GenerateJsonSchema):
    """Types as a person writes them in YAML: durations are `90s`, numbers and switches may be `${ENV}`."""

    @override
    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return {"type": ["string", "number"], "examples": ["90s", "15m", "24h", "7d"]}

    @override
    def int_schema(self, schema: core_schema.IntSchema) -> JsonSchemaValue:
        return self._or_reference(super().int_schema(schema))

    @override
    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        return self._or_reference(super().float_schema(schema))

    @override
    def bool_schema(self, schema: core_schema.BoolSchema) -> JsonSchemaValue:
        return self._or_reference(super().bool_schema(schema))

    @staticmethod
    def _or_reference(schema: JsonSchemaValue) -> JsonSchemaValue:
        return {"anyOf": [schema, {"type": "string", "pattern": _REFERENCE}]}


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    result = model.model_json_schema(ref_template=_DEFINITIONS, schema_generator=_Written)
    _allow_secret_files(result, model, result.get("$defs", {}))
    return result


def _allow_secret_files(schema: dict[str, Any], model: type[BaseModel], definitions: Mapping[str, Any]) -> None:
    """A secret may be given as `<key>_file`; so it is no longer required under its own name."""
    properties = schema.get("properties", {})
    for name, info in model.model_fields.items():
        key = info.alias or name
        if is_secret(info.annotation) and key in properties:
            properties.setdefault(f"{key}_file", {"type": "string", "description": f"A file that holds the {key}."})
            if key in schema.get("required", ()):
                schema["required"] = [other for other in schema["required"] if other != key]
        for inner in models_in(info.annotation):
            _allow_secret_files(definitions.get(inner.__name__, {}), inner, definitions)


def _defined(name: str, model: type[BaseModel], definitions: dict[str, Any]) -> dict[str, str]:
    schema = _schema_of(model)
    definitions.update(schema.pop("$defs", {}))
    definitions[name] = schema
    return {"$ref": _DEFINITIONS.format(model=name)}


def _one_of(models: Mapping[str, type[BaseModel]], role: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """Told apart by `kind`."""
    cases = []
    for kind, model in models.items():
        reference = _defined(f"{role}.{kind}", model, definitions)
        cases.append({"if": {"properties": {"kind": {"const": kind}}}, "then": reference})
    return {"type": "object", "required": ["kind"], "properties": {"kind": {"enum": list(models)}}, "allOf": cases}


def _any_of(models: Mapping[str, type[BaseModel]], role: str, definitions: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [_defined(f"{role}.{kind}", model, definitions) for kind, model in models.items()]}


def _defaults(
    models: Mapping[str, type[BaseModel]], definitions: dict[str, Any], own: dict[str, Any]
) -> dict[str, Any]:
    """Any key of any kind of entry, none required."""
    properties: dict[str, Any] = {}
    for kind in models:
        properties |= definitions[f"pipeline.{kind}"]["properties"]
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "description": own["description"],
    }
