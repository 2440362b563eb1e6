"""YAML as plain values that remember where they stand.

The file is composed, not constructed: from the nodes of ruamel.yaml we build dictionaries, lists and scalars
ourselves, so that every key has a position, a duplicate key and a foreign tag are reported instead of raised, and
nothing in the file can make an object.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from poller.config.problems import KeyPath, Mark, Problem

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_SCALARS = frozenset(f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge"))
_TRUE = frozenset({"true", "yes", "on", "y"})
_MOST_REPEATED = 20_000  # values that come from aliases: they can blow up a small file
_DEEPEST = 64


class Section(dict[str, Any]):
    """A mapping of the file. `keys_at` and `values_at` give the place of each key and of its value."""

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.keys_at: dict[str, Mark] = {}
        self.values_at: dict[str, Mark] = {}

    def put(self, key: str, value: object, key_at: Mark, value_at: Mark) -> None:
        """Set a key together with its places."""
        self[key] = value
        self.keys_at[key] = key_at
        self.values_at[key] = value_at

    def take(self, other: "Section", key: str) -> None:
        """Take over a key of another section, place included."""
        self.put(key, other[key], other.keys_at[key], other.values_at[key])

    def drop(self, key: str) -> None:
        """Remove a key and its places."""
        del self[key], self.keys_at[key], self.values_at[key]


class Items(list[Any]):
    """A list of the file. `items_at` gives the place of each item."""

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.items_at: list[Mark] = []

    def put(self, value: object, item_at: Mark) -> None:
        """Append an item together with its place."""
        self.append(value)
        self.items_at.append(item_at)


def read_tree(text: str, file: Path) -> tuple[Section, list[Problem]]:
    """The top-level mapping of a YAML 1.2 text, and everything that is wrong with it as YAML. Never raises."""
    top = Section(Mark(file, 1, 1))
    try:
        yaml = YAML(typ="safe", pure=True)
        yaml.max_depth = _DEEPEST
        node = yaml.compose(text)
        builder = _Builder(file)
        tree = top if node is None else builder.value(node, ())
    except ReaderError as error:
        return top, [_unreadable_character(error, text, file)]
    except MarkedYAMLError as error:
        return top, [_syntax_problem(error, file)]
    except (YAMLError, ValueError, AssertionError, LookupError, AttributeError, TypeError, RecursionError) as error:
        # ruamel.yaml answers some broken directives and tags with whatever its code runs into
        return top, [Problem.at(top.mark, (), f"not valid YAML: {str(error).partition(chr(10))[0] or repr(error)}")]
    if isinstance(tree, Section):
        return tree, builder.problems
    problem = "the configuration must be a mapping: `providers:`, `pipelines:`, `channels:` ..."
    return top, [*builder.problems, Problem.at(_mark(node, file), (), problem)]


@dataclass
class _Builder:
    """Turns nodes into values; an alias gives a fresh copy, so that later merging never touches two places."""

    file: Path
    problems: list[Problem] = field(default_factory=list)
    _open: list[Node] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)
    _repeated: int = 0

    def value(self, node: Node, path: KeyPath) -> Any:
        self._repeated += id(node) in self._seen
        self._seen.add(id(node))
        if self._repeated > _MOST_REPEATED:
            message = "too many values: an alias repeats too much"
            raise MarkedYAMLError(problem=message, problem_mark=node.start_mark)
        if any(node is one for one in self._open):
            return self._refuse(node, path, "an anchor cannot contain itself")
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        self._open.append(node)
        try:
            return self._section(node, path) if isinstance(node, MappingNode) else self._items(node, path)
        finally:
            self._open.pop()

    def _scalar(self, node: ScalarNode, path: KeyPath) -> Any:
        if node.tag not in _SCALARS:
            return self._refuse(node, path, f"the tag {node.tag} is not supported")
        return _scalar_value(node.tag.removeprefix(_TAG), node.value)

    def _items(self, node: Node, path: KeyPath) -> Items:
        if node.tag != f"{_TAG}seq":
            self._refuse(node, path, f"the tag {node.tag} is not supported")
        items = Items(_mark(node, self.file))
        for index, item in enumerate(node.value):
            items.put(self.value(item, (*path, index)), _mark(item, self.file))
        return items

    def _section(self, node: MappingNode, path: KeyPath) -> Section:
        if node.tag != f"{_TAG}map":
            self._refuse(node, path, f"the tag {node.tag} is not supported")
        section = Section(_mark(node, self.file))
        merged: list[Section] = []
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged.extend(self._merged(value_node, path))
                continue
            if not isinstance(key_node, ScalarNode):
                self._refuse(key_node, path, "a key must be a plain word")
                continue
            key = str(key_node.value)
            if key in section:
                first = section.keys_at[key].line
                self._refuse(key_node, (*path, key), f'duplicate key "{key}", first given in line {first}')
                continue
            place, value_place = _mark(key_node, self.file), _mark(value_node, self.file)
            section.put(key, self.value(value_node, (*path, key)), place, value_place)
        for other in merged:
            for key in [key for key in other if key not in section]:
                section.take(other, key)
        return section

    def _merged(self, node: Node, path: KeyPath) -> Iterator[Section]:
        """What `<<:` brings in: one mapping or a list of them, the first one winning."""
        for source in node.value if isinstance(node, SequenceNode) else [node]:
            value = self.value(source, path)
            if isinstance(value, Section):
                yield value
            elif value is not None:
                self._refuse(source, path, "`<<` takes a mapping or a list of mappings")

    def _refuse(self, node: Node, path: KeyPath, message: str) -> None:
        self.problems.append(Problem.at(_mark(node, self.file), path, message))


def _scalar_value(kind: str, text: str) -> Any:
    """A scalar by its YAML 1.2 type; what cannot be converted stays text, and dates do so on purpose."""
    plain = text.replace("_", "").lower()
    try:
        if kind == "int":
            digits = plain.lstrip("+-")
            return int(plain, 0 if digits[:2] in {"0x", "0o", "0b"} else 10)
        if kind == "float":
            return float(plain.replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        return text
    if kind == "bool":
        return plain in _TRUE
    return None if kind == "null" else text


def _mark(node: Node, file: Path) -> Mark:
    return Mark(file, node.start_mark.line + 1, node.start_mark.column + 1)


def _syntax_problem(error: MarkedYAMLError, file: Path) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file, 1, 1)
    context = f" {error.context}" if error.context else ""
    problem = str(error.problem or "cannot be read")
    if problem.startswith("maximum depth"):
        problem, context = "nested too deeply", ""
    message = f"not valid YAML: {problem}{context}"
    if "'\\t'" in message:
        message += " (indent with spaces, not with tabs)"
    return Problem.at(place, (), message)


def _unreadable_character(error: ReaderError, text: str, file: Path) -> Problem:
    before = text[: error.position] if isinstance(error.position, int) else ""
    place = Mark(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    return Problem.at(place, (), "not valid YAML: a control character that YAML does not allow")


def plain(tree: Any) -> Any:
    """The same values as ordinary dictionaries and lists."""
    if isinstance(tree, Section):
        return {key: plain(value) for key, value in tree.items()}
    return [plain(value) for value in tree] if isinstance(tree, Items) else tree
