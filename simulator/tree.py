"""How Jenkins exports objects: `tree=` (names, nesting, ranges) and `depth=` (visibility).

Follows Stapler's `NamedPathPruner` and `TreePruner.ByDepth`. An object answers with `_class` and the properties
that were named; an array is cut by its range only after it was read whole, as the real server does.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

from typing_extensions import override

_TOKEN = re.compile(r"[^,\[\]{}]+|[,\[\]{}]")
_NEVER_ENDS = 2**31 - 1


class TreeSyntaxError(ValueError):
    """A `tree=` expression that Stapler's parser refuses."""


class Property(NamedTuple):
    """One exported property: how to read it off its object, and how deep it stays visible without `tree=`.

    `inline` shows its value on the level of the object itself.
    """

    read: Callable[[Any], object]
    visibility: int = 1
    inline: bool = False


class Bean:
    """An object with exported properties. `class_name` is its Java class; None where the type is obvious."""

    properties: ClassVar[Mapping[str, Property]] = {}
    class_name: str | None = None

    def visible(self) -> Iterator[tuple[str, Property]]:
        """All properties, in the order in which they are written."""
        yield from self.properties.items()


class Record(Bean):
    """A bean of ready values: an action, a cause, a change. All of them equally visible."""

    def __init__(
        self, class_name: str | None, values: Mapping[str, object], *, visibility: int = 1, inline: bool = False
    ) -> None:
        self.class_name = class_name
        self._values = values
        self._visibility = visibility
        self._inline = inline

    @override
    def visible(self) -> Iterator[tuple[str, Property]]:
        for name, value in self._values.items():
            yield name, Property(_constant(value), self._visibility, self._inline)


def _constant(value: object) -> Callable[[Any], object]:
    return lambda _: value


class Pruner(Protocol):
    """Which properties of an object are written, and how much of an array."""

    def child(self, name: str, prop: Property) -> "Pruner | None":
        """The pruner for the value of a property; None leaves the property out."""
        ...

    def cut(self, values: Sequence[object]) -> Sequence[object]:
        """The part of an array that is written."""
        ...


@dataclass(frozen=True, slots=True)
class ByDepth:
    """Without `tree=`: properties stay visible down to a level. `depth=0` starts at level 1."""

    level: int

    def child(self, name: str, prop: Property) -> "ByDepth | None":
        """As Stapler's: one level down, when the property is visible there."""
        del name
        if prop.visibility < self.level:
            return None
        return self if prop.inline else ByDepth(self.level + 1)

    def cut(self, values: Sequence[object]) -> Sequence[object]:
        """All of it."""
        return values


@dataclass(slots=True)
class Tree:
    """A parsed `tree=` expression: the named properties, each with its own tree and range."""

    children: dict[str, "Tree"] = field(default_factory=dict)
    start: int = 0
    end: int = _NEVER_ENDS

    def child(self, name: str, prop: Property) -> "Tree | None":
        """The tree under a name, else under `*`."""
        del prop
        return self.children.get(name) or self.children.get("*")

    def cut(self, values: Sequence[object]) -> Sequence[object]:
        """The half-open range [start, end)."""
        return values[self.start : self.end]


def parse(expression: str) -> Tree:
    """`"jobs[name,builds[number]{0,5}]"` → Tree. Raises TreeSyntaxError where Stapler would refuse."""
    parser = _Parser(expression)
    tree = Tree()
    parser.names(tree)
    if parser.mark is not None:
        raise TreeSyntaxError(f"expected EOF at {parser.position}")
    return tree


class _Parser:
    """Recursive descent over one expression."""

    def __init__(self, expression: str) -> None:
        self._matches = iter(_TOKEN.finditer(expression))
        self._length = len(expression)
        self.mark: str | None = None
        self.position = 0
        self._advance()

    def names(self, tree: Tree) -> None:
        """A list of names separated by commas."""
        while True:
            self._name(tree)
            if not self._accept(","):
                return

    def _name(self, tree: Tree) -> None:
        if self.mark is None or self.mark in ",[]{}":
            raise TreeSyntaxError(f"expected name at {self.position}")
        subtree = tree.children[self.mark] = Tree()
        self._advance()
        if self._accept("["):
            self.names(subtree)
            self._expect("]")
        if self._accept("{"):
            subtree.start, subtree.end = self._range()
            self._expect("}")

    def _range(self) -> tuple[int, int]:
        if self._accept(","):
            return 0, self._number()  # {,N}
        start = self._number()
        if self.mark == "}":
            return start, start + 1  # {N}
        self._expect(",")
        return start, _NEVER_ENDS if self.mark == "}" else self._number()  # {M,} or {M,N}

    def _number(self) -> int:
        if self.mark is None or not re.fullmatch(r"[0-9]+", self.mark):
            raise TreeSyntaxError(f"expected number at {self.position}")
        number = int(self.mark)
        self._advance()
        return number

    def _accept(self, mark: str) -> bool:
        found = self.mark == mark
        if found:
            self._advance()
        return found

    def _expect(self, mark: str) -> None:
        if not self._accept(mark):
            raise TreeSyntaxError(f"expected {mark} at {self.position}")

    def _advance(self) -> None:
        match = next(self._matches, None)
        self.mark = match[0] if match else None
        self.position = match.start() if match else self._length


def export(value: object, pruner: Pruner, without: frozenset[str] = frozenset()) -> Any:
    """A bean, a list or a scalar as JSON values. `without` names properties that this server does not know."""
    if isinstance(value, Bean):
        return _export_bean(value, pruner, without)
    if isinstance(value, Mapping):  # a map keeps its keys and hands the pruner on
        return {key: export(item, pruner, without) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [export(item, pruner, without) for item in pruner.cut(value)]
    return value


def _export_bean(bean: Bean, pruner: Pruner, without: frozenset[str]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if bean.class_name:
        out["_class"] = bean.class_name
    if isinstance(pruner, Tree) and not pruner.children:
        return out  # named without brackets: nothing below it was asked for
    for name, prop in bean.visible():
        below = pruner.child(name, prop)
        if below is not None and name not in without:
            out[name] = export(prop.read(bean), below, without)
    return out
