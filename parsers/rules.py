"""What a bucket is, and the rule that puts a failure into it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from string import Formatter
from typing import TYPE_CHECKING, Any, Literal, Protocol

from typing_extensions import override

from domain.globs import matches

if TYPE_CHECKING:
    import regex

Kind = Literal["code", "test", "infra", "env"]
DETAIL_LIMIT = 200


class Place(StrEnum):
    """Where a rule looks."""

    LOG = "log"
    REASON = "reason"  # the provider's own words: an annotation, an interruption
    STAGE = "stage"  # the name of what failed


class Expression(Protocol):
    """What a rule needs of a regular expression: `regex.Pattern` has it."""

    @property
    def pattern(self) -> str:
        """As it was written."""

    def search(self, string: str, *, timeout: float | None = None) -> "regex.Match[str] | None":
        """The first match. Raises TimeoutError."""

    def finditer(self, string: str, *, timeout: float | None = None) -> Iterator["regex.Match[str]"]:
        """All matches. Raises TimeoutError."""


class _Unhurried:
    """An expression that is compiled when it is first tried: most runs of the program never need a built-in one."""

    __slots__ = ("_compiled", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._compiled: regex.Pattern[str] | None = None

    def search(self, string: str, *, timeout: float | None = None) -> "regex.Match[str] | None":
        return (self._compiled or self._compile()).search(string, timeout=timeout)

    def finditer(self, string: str, *, timeout: float | None = None) -> Iterator["regex.Match[str]"]:
        return (self._compiled or self._compile()).finditer(string, timeout=timeout)

    def _compile(self) -> "regex.Pattern[str]":
        import regex  # noqa: PLC0415  (with all the built-in expressions 3 MiB and 0.1 s)

        self._compiled = found = regex.compile(self.pattern, regex.IGNORECASE | regex.VERSION0)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Why a build failed: the reason, and what is particular about this failure.

    `rule` is the name of the rule that said so; None: nobody knows this failure, and the reason is its signature.
    """

    reason: str
    detail: str | None = None
    kind: Kind | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRule:
    """All that is given must hold: a text (any of them, whatever its case), the expression, the places of the build."""

    name: str  # the reason
    kind: Kind
    detail: str | None = None  # with the groups of `regex`: "{tool} is missing"
    contains: tuple[str, ...] = ()  # in lower case
    regex: Expression | None = None
    provider: str | None = None  # a glob, as the two below
    job: str | None = None
    stage: str | None = None
    where: tuple[Place, ...] = (Place.LOG, Place.REASON)
    sureness: float | None = None  # how surely a line is the cause; None: anywhere in a log counts

    def is_about(self, *, provider: str, job: str, stage: str | None) -> bool:
        """Whether the rule is for such builds."""
        given = ((self.provider, provider), (self.job, job), (self.stage, stage))
        return all(glob is None or (value is not None and matches(glob, value)) for glob, value in given)

    def bucket(self, found: Mapping[str, Any]) -> Bucket:
        """The bucket with the details of a match: its named groups."""
        detail = _filled(self.detail, found) if self.detail else None
        return Bucket(reason=self.name, detail=detail, kind=self.kind, rule=self.name)


def builtin(
    name: str, kind: Kind, sureness: float, contains: str, pattern: str, *, detail: str | None = None
) -> BucketRule:
    """A rule for single lines. `contains`: words parted by `|`; the expression is tried where a line has one."""
    return BucketRule(
        name=name,
        kind=kind,
        sureness=sureness,
        contains=tuple(contains.split("|")),
        regex=_Unhurried(pattern),
        detail=detail,
    )


class _Lenient(Formatter):
    """Leaves out what a match did not find."""

    @override
    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:
        value = kwargs.get(key) if isinstance(key, str) else None
        return "" if value is None else value


def _filled(detail: str, found: Mapping[str, Any]) -> str | None:
    filled = " ".join(_Lenient().vformat(detail, (), found).split()).strip(" :,-'\"")
    return filled[:DETAIL_LIMIT] or None


def named_groups(detail: str) -> frozenset[str]:
    """The groups that a detail names. Raises ValueError where it cannot be read."""
    parts = list(Formatter().parse(detail))
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise ValueError("only names of groups may stand in braces")
    return frozenset(name for _, name, _, _ in parts if name is not None)
