"""Turns pydantic's errors into sentences with a place, and never shows a value that may be secret."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError

from poller.config.places import Places
from poller.config.problems import KeyPath, Problem, did_you_mean, shown_path

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
    "string_pattern_mismatch": "is not of the form {pattern}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}
_NO_TIME = "datetime.timedelta(0)"  # as pydantic names it
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
        kind, path = detail["type"], places.as_written((*base, *detail["loc"]))
        at_key = kind == "extra_forbidden"
        if kind == "missing":
            place = (*places.trimmed(path[:-1]), *path[-1:])
        else:
            place = places.inherited(path) if at_key else places.trimmed(path)
        if any(place[: len(unresolved)] == unresolved for unresolved in places.unresolved):
            continue
        known = sentences.setdefault((place, at_key), [])
        sentence = _sentence(detail, model, places.value(place))
        if sentence not in known:
            known.append(sentence)
    for (place, at_key), (first, *others) in sentences.items():
        text = _either(first, *others) if others else first
        named = "" if at_key or first.startswith("key ") else _named(place, base)
        yield places.problem(place, named + text, at_key=at_key)


def _either(*sentences: str) -> str:
    """`must be text, not a list`, `must be a number` → `must be text or a number`."""
    bare = [re.sub(r"(, not .*|: put .*)$", "", sentence) for sentence in sentences]
    return " or ".join([bare[0], *(sentence.removeprefix("must be ") for sentence in bare[1:])])


def _named(path: KeyPath, base: KeyPath) -> str:
    """`port: ` before a sentence about a value; nothing when it speaks of the whole entry."""
    if len(path) <= len(base):
        return ""
    last = next((place for place in range(len(path) - 1, -1, -1) if isinstance(path[place], str)), 0)
    return f"{shown_path(path[last:])}: "


def _sentence(detail: Any, model: type[BaseModel], value: object) -> str:
    kind, context, loc = detail["type"], detail.get("ctx", {}), detail["loc"]
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
    context = {key: "0" if given == _NO_TIME else given for key, given in context.items()}
    return sentence.format(found=_found(kind, value), **context)


def _found(kind: str, value: object) -> str:
    """What was given instead, when that helps."""
    for given, text in _FOUND.items():
        if type(value) is given or (given in {dict, list} and isinstance(value, given)):
            return text if kind == "string_type" or "quotes" not in text else ""
    return ""


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
