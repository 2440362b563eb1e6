"""Turns pydantic's errors into sentences with a place, and never shows a value that may be secret."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError

from poller.config.places import Places
from poller.config.problems import KeyPath, Problem, did_you_mean

_SENTENCES: Mapping[str, str] = {
    "string_type": "must be text{found}",
    "int_type": "must be a whole number{found}",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number{found}",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false{found}",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a mapping of keys{found}",
    "mapping_type": "must be a mapping of keys{found}",
    "model_type": "must be a mapping of keys{found}",
    "model_attributes_type": "must be a mapping of keys{found}",
    "list_type": "must be a list{found}",
    "tuple_type": "must be a list{found}",
    "time_delta_type": "must be a duration, like 90s, 15m, 24h or 7d",
    "time_delta_parsing": "must be a duration, like 90s, 15m, 24h or 7d",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} item(s)",
    "string_too_short": "must have at least {min_length} character(s)",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}
_FOUND: Mapping[type, str] = {
    dict: ", not a mapping",
    list: ", not a list",
    bool: ": put it in quotes",
    int: ": put the number in quotes",
    float: ": put the number in quotes",
    type(None): ", not nothing",
}


def explained(error: ValidationError, model: type[BaseModel], places: Places, base: KeyPath) -> Iterator[Problem]:
    """One problem for each thing that is wrong; the branches of a union that all failed are put together."""
    sentences: dict[tuple[KeyPath, bool], list[str]] = {}
    for detail in error.errors(include_input=False, include_url=False):
        loc = tuple(detail["loc"])
        kind = detail["type"]
        at_key = kind == "extra_forbidden"
        path = (*base, *loc) if at_key else _without_branches(base + loc, places, keep=1 if kind == "missing" else 0)
        sentence = _sentence(detail, model, places.value((*base, *loc)), loc)
        known = sentences.setdefault((path, at_key), [])
        if sentence not in known:
            known.append(sentence)
    for (path, at_key), several in sentences.items():
        sentence = " or ".join(several)
        yield places.problem(path, sentence if at_key else _named(path, base, sentence) + sentence, at_key=at_key)


def _named(path: KeyPath, base: KeyPath, sentence: str) -> str:
    """`port: ` before a sentence about a value; nothing when it speaks of the whole entry or names the key itself."""
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    return f"{name}: " if len(path) > len(base) and not sentence.startswith("key ") else ""


def _without_branches(path: KeyPath, places: Places, *, keep: int) -> KeyPath:
    """A path without the names that pydantic adds for the members of a union."""
    known = places.known(path)
    return path if len(known) >= len(path) - keep else known


def _sentence(detail: Any, model: type[BaseModel], value: object, loc: KeyPath) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return f'key "{loc[-1]}" is missing' if loc else "is missing"
    if kind == "extra_forbidden":
        key = str(loc[-1])
        return f'unknown key "{key}"{did_you_mean(key, keys_at(model, loc[:-1]))}'
    if kind in {"literal_error", "enum"}:
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        hint = did_you_mean(value, choices) if isinstance(value, str) else ""
        return f"must be {context.get('expected', '')}".replace("'", '"') + (hint if "did you mean" in hint else "")
    if kind in {"value_error", "assertion_error"}:
        return str(detail["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    sentence = _SENTENCES.get(kind)
    if sentence is None:
        text = str(detail["msg"])
        return text[:1].lower() + text[1:]
    found = _FOUND.get(next((base for base in _FOUND if type(value) is base or _is(value, base)), object), "")
    return sentence.format(found=found if kind == "string_type" or "quotes" not in found else "", **context)


def _is(value: object, base: type) -> bool:
    return base in {dict, list} and isinstance(value, base)


def keys_at(model: type[BaseModel], loc: KeyPath) -> set[str]:
    """The keys that are known in the mapping at a place of a model; empty when it takes any."""
    if not loc:
        return set(keys_of(model))
    for name, info in model.model_fields.items():
        if loc[0] in {name, info.alias}:
            rest = tuple(part for part in loc[1:] if not isinstance(part, int))
            return {key for inner in models_in(info.annotation) for key in keys_at(inner, rest)}
    return keys_at(model, loc[1:])


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    """Its keys as they are written, `<key>_file` of secrets included."""
    for name, info in model.model_fields.items():
        key = info.alias or name
        yield key
        if is_secret(info.annotation):
            yield f"{key}_file"


def is_secret(annotation: object) -> bool:
    """Whether a field holds a SecretStr, possibly among other things."""
    return annotation is SecretStr or any(is_secret(part) for part in get_args(annotation))


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The models in an annotation: `Keep`, `RouteMatch | None`, `tuple[RouteEntry, ...]`."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for part in get_args(annotation):
        yield from models_in(part)
