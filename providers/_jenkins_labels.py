"""Labels that are read off a build or off the name of its job: the `labels_from` of an entry."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.text import clean

_FIELDS: Final = {
    "builtOn": "builtOn",
    "built_on": "builtOn",
    "description": "description",
    "displayName": "displayName",
    "display_name": "displayName",
}
_FORMS: Final = "parameters.NAME, job_name, built_on, description or display_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSource:
    """Where the value of one label comes from."""

    name: str
    field: str | None  # of the build in Jenkins' words; None: the name of the job
    parameter: str | None = None
    pattern: re.Pattern[str] | None = None

    def read(self, raw: Mapping[str, Any], parameters: Mapping[str, Any] | None) -> str | None:
        """The label's value on one build, None when the build does not tell."""
        if self.parameter is not None:
            return self.taken(_as_text((parameters or {}).get(self.parameter)))
        return self.taken(_as_text(raw.get(self.field or "")))

    def taken(self, text: str | None) -> str | None:
        """The part of the text that is the value: the group `value`, else the first group, else the whole match."""
        if not text or self.pattern is None:
            return clean(text) if text else None
        match = self.pattern.search(text)
        if match is None:
            return None
        if "value" in self.pattern.groupindex:
            return clean(match["value"] or "") or None
        return clean((match[1] if self.pattern.groups else match[0]) or "") or None


def label_source(name: str, source: str | Mapping[str, str]) -> LabelSource:
    """One item of `labels_from`: `parameters.CLOUD`, or `{job_name: "…(?P<value>…)"}`. Raises ValueError saying why."""
    pattern = None
    if not isinstance(source, str):
        if len(source) != 1:
            raise ValueError(f"labels_from.{name} needs exactly one source, one of {_FORMS}")
        source, expression = next(iter(source.items()))
        try:
            pattern = re.compile(expression)
        except re.error as error:
            raise ValueError(f"labels_from.{name}: {expression!r} is not a regular expression: {error}") from None
    if source.startswith("parameters.") and source != "parameters.":
        return LabelSource(name=name, field="parameters", parameter=source.removeprefix("parameters."), pattern=pattern)
    if source == "job_name":
        return LabelSource(name=name, field=None, pattern=pattern)
    if source in _FIELDS:
        return LabelSource(name=name, field=_FIELDS[source], pattern=pattern)
    raise ValueError(f"labels_from.{name}: {source!r} is not a source of labels on Jenkins; use {_FORMS}")


def _as_text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
