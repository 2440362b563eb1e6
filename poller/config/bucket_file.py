"""`buckets` of config.yaml, and the file of rules that it names."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from parsers.rules import BucketRule, Place, named_groups
from poller.config.explanations import explained
from poller.config.places import Places
from poller.config.problems import Mark, Problem
from poller.config.sections import Glob, Part
from poller.config.tree import plain, read_tree

_LARGEST = 1 << 20


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Texts = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_as_list, str | list[str])]
Where = Annotated[
    tuple[Literal["log", "reason", "stage"], ...],
    BeforeValidator(_as_list, Literal["log", "reason", "stage"] | list[str]),
]


class BucketsEntry(Part):
    """Causes of failures, told by their log lines."""

    file: str | None = Field(default=None, description="A YAML file of rules beside this one: the first match wins.")
    builtin: bool = Field(default=True, description="Whether the built-in rules are tried after those.")


class RuleEntry(Part):
    """One rule: all that is given must hold."""

    name: str = Field(min_length=1, max_length=120, description="The reason, as messages and summaries name it.")
    kind: Literal["code", "test", "infra", "env"] = Field(alias="class", description="Whose business it is.")
    detail: str | None = Field(
        default=None, max_length=200, description='What is particular, with groups of `regex`: "{host} is down".'
    )
    contains: Texts = Field(default=(), description="One of these texts, in upper or lower case.")
    regex: str | None = Field(default=None, description="A regular expression; ^ and $ are the ends of a line.")
    provider: Glob | None = Field(default=None, description="Only builds of this connection.")
    job: Glob | None = Field(default=None, description="Only builds of such pipelines.")
    stage: Glob | None = Field(default=None, description="Only builds that failed in such a stage.")
    where: Where = Field(default=("log", "reason"), description="Where it looks: log, reason, stage.")

    @field_validator("regex")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            _compiled(value)
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.contains and self.regex is None:
            raise ValueError("a rule needs `contains` or `regex`")
        groups = set(_compiled(self.regex).groupindex) if self.regex else set()
        try:
            unknown = sorted(named_groups(self.detail or "") - groups)
        except ValueError as error:
            raise ValueError(f"detail: {error}") from error
        if unknown:
            raise ValueError(f'detail: the regex has no group "{unknown[0]}"; write it as (?P<{unknown[0]}>...)')
        return self

    def rule(self) -> BucketRule:
        """The rule that this entry describes."""
        return BucketRule(
            name=self.name,
            kind=self.kind,
            detail=self.detail,
            contains=tuple(text.lower() for text in self.contains),
            regex=_compiled(self.regex) if self.regex is not None else None,
            provider=self.provider,
            job=self.job,
            stage=self.stage,
            where=tuple(Place(one) for one in self.where),
        )


class BucketFile(Part):
    """What stands in such a file."""

    rules: tuple[RuleEntry, ...] = Field(default=(), description="In their order: the first one that matches wins.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """What was read of a file of rules, and what is wrong with it."""

    rules: tuple[BucketRule, ...] = ()
    problems: tuple[Problem, ...] = ()
    text: str = ""


def read_rule_file(path: Path) -> RuleFile:
    """The rules of a file, or everything that is wrong with it at its place. Never raises."""
    top = Mark(path, 1, 1)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        return RuleFile(problems=(Problem.at(top, (), f"{path} cannot be read: {error.strerror}"),))
    except UnicodeDecodeError:
        return RuleFile(problems=(Problem.at(top, (), "not UTF-8 text"),))
    if len(content) > _LARGEST:
        return RuleFile(problems=(Problem.at(top, (), f"larger than {_LARGEST >> 20} MiB"),))
    tree, problems = read_tree(text, path)
    if problems:
        return RuleFile(problems=tuple(_of_rules(problem) for problem in problems))
    if "rules" in tree and tree["rules"] is None:
        tree.drop("rules")
    try:
        found = BucketFile.model_validate(plain(tree))
    except ValidationError as error:
        return RuleFile(problems=tuple(explained(error, BucketFile, Places(tree, ()), ())))
    return RuleFile(rules=tuple(entry.rule() for entry in found.rules), text=text)


def _of_rules(problem: Problem) -> Problem:
    """The sentence about a file that is no mapping speaks of config.yaml: here it is `rules:` that is missing."""
    if not problem.message.startswith("the configuration must be a mapping"):
        return problem
    return replace(problem, message="the file must be a mapping with the key `rules:`, a list")


def _compiled(expression: str) -> Any:
    """Raises ValueError with the place in the expression."""
    import regex  # noqa: PLC0415  (only files with rules need it)

    try:
        return regex.compile(expression, regex.MULTILINE | regex.VERSION0)
    except regex.error as error:
        message, _, place = str(error).partition(" at position ")
        where = f" at character {int(place) + 1}" if place.isdigit() else ""
        raise ValueError(f"not a regular expression: {message}{where}") from error
