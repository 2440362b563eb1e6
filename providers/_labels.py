"""Labels that are read off builds: the `labels_from` of an entry, the same words for every kind of provider."""

import difflib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from typing_extensions import override

from domain.details import RUNNER
from domain.text import NAME_LIMIT, clean

ARTIFACT: Final = "artifact"
BUILT_ON: Final = "built_on"
JOB_NAME: Final = "job_name"
PARAMETER: Final = "parameters"

_KINDS: Final = {
    "job_name": JOB_NAME,
    "built_on": BUILT_ON,
    "builtOn": BUILT_ON,
    "description": "description",
    "display_name": "title",
    "displayName": "title",
    "title": "title",
    "branch": "branch",
    "trigger": "trigger",
    "actor": "actor",
}
FORMS: Final = "parameters.NAME, job_name, built_on, description, title, branch, trigger, actor, or {artifact, path}"

_SECONDS: Final = 0.05
_PATIENCE: Final = 3  # so often an expression may take too long before nobody tries it any more
_LONGEST_TEXT: Final = 4096
_LONGEST_EXPRESSION: Final = 1000
_LONGEST_PATH: Final = 200

Given = str | Mapping[str, str]
"""One item of `labels_from` as it is written."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a build tells that labels may be read off. None: it does not tell."""

    job_name: str | None = None  # the key of its pipeline; of a Jenkins branch job its own full name
    built_on: str | None = None
    description: str | None = None
    title: str | None = None
    branch: str | None = None
    trigger: str | None = None
    actor: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Expression:
    """A regular expression that people wrote, and that never holds up a poll."""

    def __init__(self, text: str) -> None:
        """Raises ValueError saying what is wrong with it."""
        if len(text) > _LONGEST_EXPRESSION:
            raise ValueError(f"a regular expression of more than {_LONGEST_EXPRESSION} characters")
        import regex  # noqa: PLC0415  (2 MiB that many never need)

        try:
            self._pattern = regex.compile(text)
        except (regex.error, OverflowError, RecursionError) as error:
            raise ValueError(f'"{text}" is not a regular expression: {error}') from None
        self._patience = _PATIENCE

    def value_in(self, text: str) -> str | None:
        """The group `value`, else the first group, else the whole match; None where it does not match or takes long."""
        if self._patience <= 0:
            return None
        try:
            match = self._pattern.search(text[:_LONGEST_TEXT], timeout=_SECONDS)
        except TimeoutError:
            self._patience -= 1
            if self._patience == 0:
                _log.warning("an expression of labels_from takes too long and is not used any more expression=%s", self)
            return None
        if match is None:
            return None
        if "value" in self._pattern.groupindex:
            found = match["value"]
        else:
            found = match[1] if self._pattern.groups else match[0]
        return str(found) if found else None

    @override
    def __str__(self) -> str:
        """As it was written."""
        return str(self._pattern.pattern)

    @override
    def __eq__(self, other: object) -> bool:
        """Equal texts are equal expressions: a reload makes new ones."""
        return isinstance(other, Expression) and str(self) == str(other)

    @override
    def __hash__(self) -> int:
        """Of the text."""
        return hash(str(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSource:
    """Where the value of one label comes from."""

    name: str
    kind: str  # a field of Told, or ARTIFACT
    parameter: str | None = None  # of PARAMETER: its name
    expression: Expression | None = None
    artifact: str | None = None  # of ARTIFACT: a glob over files, and the path to the value in them
    path: str | None = None

    def read(self, told: Told) -> str | None:
        """The label's value on one build, None when the build does not tell."""
        if self.kind == ARTIFACT:
            return None  # what is in files, the details tell
        if self.kind == PARAMETER:
            return self.taken(_as_text(told.parameters.get(self.parameter or "")))
        found: str | None = getattr(told, self.kind)
        return self.taken(found)

    def taken(self, text: str | None) -> str | None:
        """The part of a text that is the value, harmless and at most 255 characters long; None for nothing."""
        if text and self.expression is not None:
            text = self.expression.value_in(text)
        return (clean(text.strip(), NAME_LIMIT) or None) if text else None


def label_source(name: str, given: Given) -> LabelSource:
    """One item of `labels_from`: `parameters.CLOUD`, `{job_name: "…(?P<value>…)"}`, `{artifact: f.json, path: a.b}`.

    Raises:
        ValueError: saying what is wrong with it.
    """
    if not isinstance(given, str) and ARTIFACT in given:
        return _in_artifact(name, given)
    if isinstance(given, str):
        source, expression = given, None
    elif len(given) == 1:
        source, text = next(iter(given.items()))
        expression = Expression(text)
    else:
        raise ValueError(f"needs exactly one source: {FORMS}")
    kind, _, parameter = source.partition(".")
    if kind == PARAMETER and parameter:
        return LabelSource(name=name, kind=PARAMETER, parameter=parameter, expression=expression)
    if source in _KINDS:
        return LabelSource(name=name, kind=_KINDS[source], expression=expression)
    raise ValueError(f'"{source}" is no source of labels{_near(source)}')


def labels_of(sources: Iterable[LabelSource], told: Told) -> dict[str, str]:
    """What a build tells by itself."""
    found = {source.name: source.read(told) for source in sources}
    return {name: value for name, value in found.items() if value}


def labels_of_details(sources: Iterable[LabelSource], found: Mapping[str, str]) -> dict[str, str]:
    """What the details of a build tell: `built_on`, where only they know the runner.

    Args:
        sources: Of its entry.
        found: `Details.labels`.
    """
    runner = found.get(RUNNER)
    named = {source.name: source.taken(runner) for source in sources if source.kind == BUILT_ON}
    return {**found, **{name: value for name, value in named.items() if value}}


def checked_label(given: Given) -> Given:
    """As it is, when it is a source of labels. Raises ValueError saying what is wrong."""
    label_source("", given)
    return given


def _in_artifact(name: str, given: Mapping[str, str]) -> LabelSource:
    strange = [key for key in given if key not in {ARTIFACT, "path"}]
    if strange or not given[ARTIFACT].strip() or "path" not in given:
        wrong = f'has an unknown key "{strange[0]}"' if strange else "says not where"
        raise ValueError(f"{wrong}: write it like {{artifact: facts.json, path: cloud.name}}")
    path = given["path"].strip()
    if len(path) > _LONGEST_PATH or not all(path.removeprefix("$.").split(".")):
        raise ValueError(f'"{path}" is no path into a JSON file: write it like cloud.name')
    return LabelSource(name=name, kind=ARTIFACT, artifact=given[ARTIFACT].strip(), path=path)


def _near(source: str) -> str:
    word, dot, rest = source.partition(".")
    known = [PARAMETER, *_KINDS]
    folded = {each.casefold(): each for each in known}
    found = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if not found:
        return f": use {FORMS}"
    if folded[found[0]] == PARAMETER:
        return f', did you mean "{PARAMETER}.{rest if dot and rest else "NAME"}"?'
    return f', did you mean "{folded[found[0]]}"?'


def _as_text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
