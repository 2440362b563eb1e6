"""A Jinja2 sandbox in which time passes and nothing grows without end.

Jinja2's own keeps a template from Python and from changing what it is given. It does not keep it from looping for
ever or from filling the memory, and a template that does so by mistake must not hold up the messages of the night.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes, pass_eval_context
from jinja2 import filters as built_in
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer
from typing_extensions import override

TEXT_LIMIT = 100_000
SECONDS = 1.0

_MANY = 10_000  # numbers of a range
_POWER = 64
_WORDS_LIMIT = 200  # characters of an error
_INSERTED = 1_000  # characters that go between, or in place of, others
_PARTS = 1_000  # that a list is cut into, or that one of these may have
_DIGITS = 15  # behind the point, or before it
_INDENTED = 8  # characters
_TEXT_METHODS = frozenset(
    {"capitalize", "count", "endswith", "find", "lower", "lstrip", "partition", "removeprefix", "removesuffix"}
    | {"rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper"}
)
"""The others can make a very long text of a short one."""

_LEFT_OUT = ("center", "format", "indent", "pprint", "safe", "urlize", "wordwrap", "xmlattr")
"""Filters that make long texts of short ones, and the one that makes markup of foreign text."""


class OutOfBounds(Exception):
    """A template does too much."""


class ProgramError(Exception):
    """A template does not do. The text says why."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(_why(cause))
        self.line = cause.lineno if isinstance(cause, TemplateSyntaxError) else _line(cause)


class Program:
    """A compiled template."""

    def __init__(self, text: str, *, escape_html: bool, filters: Mapping[str, Callable[..., Any]]) -> None:
        """Raises ProgramError when it is none."""
        self._sandbox = Sandbox(escape_html=escape_html)
        self._sandbox.filters |= dict(filters)
        try:
            self._template = self._sandbox.from_string(bounded(text))
        except Exception as error:  # whatever it is, it is the template's
            raise ProgramError(error) from error

    def render(self, **given: Any) -> str:
        """What it writes. Raises ProgramError."""
        parts: list[str] = []
        length = 0
        self._sandbox.begin()
        try:
            for part in self._template.generate(**given):
                length += len(part)
                self._sandbox.check(length)
                parts.append(part)
        except Exception as error:  # a template is somebody else's program
            raise ProgramError(error) from error
        return "".join(parts)


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment for one template; used by one thread at a time."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, *, escape_html: bool) -> None:
        super().__init__(autoescape=escape_html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        self._end = 0.0
        for name in _LEFT_OUT:
            del self.filters[name]
        self.globals = {"range": _range, "dict": dict, "namespace": self.globals["namespace"]}
        self.filters |= {"join": _join, "replace": _replace, "batch": _batch, "slice": _slice, "round": _round}
        self.filters |= {"tojson": _tojson, _PACED: self._paced, _BOUNDED: bounded}

    def begin(self) -> None:
        """From now on a rendering may take a second."""
        self._end = time.monotonic() + SECONDS

    def check(self, length: int = 0) -> None:
        """Raises OutOfBounds when it has passed, or when so much has been written that it is too much."""
        if time.monotonic() > self._end:
            raise OutOfBounds(f"takes longer than {SECONDS:g} s")
        if length > TEXT_LIMIT:
            raise OutOfBounds(f"writes more than {TEXT_LIMIT} characters")

    @override
    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Bounding().visit(super()._parse(source, name, filename))
        return tree

    @override
    def call(self, context: Context, obj: Any, /, *arguments: Any, **named: Any) -> Any:
        self.check()
        return bounded(super().call(context, obj, *arguments, **named))

    @override
    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" and abs(right) > _POWER:
            raise OutOfBounds(f"raises to a power above {_POWER}")
        if operator == "*":
            for one, count in ((left, right), (right, left)):
                if isinstance(one, str | list | tuple) and len(one) * count > TEXT_LIMIT:
                    raise OutOfBounds("repeats too often")
        if operator == "%" and isinstance(left, str):
            raise OutOfBounds("formats with %, which has no bounds; ~ puts texts together")
        return bounded(super().call_binop(context, operator, left, right))

    @override
    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return super().is_safe_attribute(obj, attr, value) and (not isinstance(obj, str) or attr in _TEXT_METHODS)

    def _paced(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            self.check()
            yield value


_PACED = "buildwatch_paced"
_BOUNDED = "buildwatch_bounded"


class _Bounding(NodeTransformer):
    """Every loop looks at the clock, and every text that is made is measured."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - a name of Jinja2's
        """A loop."""
        self.generic_visit(node)
        node.iter = _filtered(node.iter, _PACED)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - a name of Jinja2's
        """`a ~ b`."""
        return _filtered(self.generic_visit(node), _BOUNDED)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802 - a name of Jinja2's
        """`[a, a]`: a list of lists of lists is written as a text that no memory can hold."""
        return _filtered(self.generic_visit(node), _BOUNDED)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802 - a name of Jinja2's
        """`{"a": a}`."""
        return _filtered(self.generic_visit(node), _BOUNDED)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802 - a name of Jinja2's
        """`(a, a)`, unless it is what something is assigned to."""
        found = self.generic_visit(node)
        return _filtered(found, _BOUNDED) if node.ctx == "load" else found

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802 - a name of Jinja2's
        """`a|b`."""
        return _filtered(self.generic_visit(node), _BOUNDED)

    def visit_ScopedEvalContextModifier(self, node: nodes.ScopedEvalContextModifier) -> nodes.Node:  # noqa: N802 - a name of Jinja2's
        """`{% autoescape false %}`."""
        raise TemplateSyntaxError("what comes from outside is always escaped", node.lineno)


def _filtered(expression: Any, name: str) -> nodes.Filter:
    return nodes.Filter(expression, name, [], [], None, None, lineno=expression.lineno)


def bounded(value: Any) -> Any:
    """The value, unless it is too long a text or list, or too great a number. Raises OutOfBounds."""
    if isinstance(value, str | list | tuple | dict):
        _measured(value, 0)
    if isinstance(value, int) and value.bit_length() > TEXT_LIMIT:
        raise OutOfBounds("makes too great a number")
    return value


def _measured(value: Any, size: int) -> int:
    """`size` and that of the value, with everything inside it. Looks no further than to the limit."""
    size += len(value) if isinstance(value, str | list | tuple | dict) else 0
    if size > TEXT_LIMIT:
        raise OutOfBounds(f"makes more than {TEXT_LIMIT} characters")
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return size
    for each in value:
        size = _measured(each, size)
    return size


def _range(*limits: int) -> range:
    found = range(*limits)
    if len(found) > _MANY:
        raise OutOfBounds(f"a range may have {_MANY} numbers")
    return found


@pass_eval_context
def _join(context: EvalContext, values: Iterable[Any], between: str = "", attribute: str | None = None) -> Any:
    if len(between) > _INSERTED:
        raise OutOfBounds(f"joins with more than {_INSERTED} characters")
    return built_in.sync_do_join(context, values, between, attribute)


@pass_eval_context
def _replace(context: EvalContext, text: str, old: str, new: str, count: int | None = None) -> Any:
    if len(new) > _INSERTED:
        raise OutOfBounds(f"replaces with more than {_INSERTED} characters")
    return built_in.do_replace(context, text, old, new, count)


def _batch(values: Iterable[Any], linecount: int, fill_with: Any = None) -> Iterator[list[Any]]:
    if linecount > _PARTS:
        raise OutOfBounds(f"makes rows of more than {_PARTS}")
    return built_in.do_batch(values, linecount, fill_with)


def _slice(values: Iterable[Any], slices: int, fill_with: Any = None) -> Iterator[list[Any]]:
    if slices > _PARTS:
        raise OutOfBounds(f"cuts into more than {_PARTS} parts")
    return built_in.sync_do_slice(list(values), slices, fill_with)


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    if abs(precision) > _DIGITS:
        raise OutOfBounds(f"rounds to more than {_DIGITS} digits")
    return built_in.do_round(value, precision, method)


@pass_eval_context
def _tojson(context: EvalContext, value: Any, indent: int | None = None) -> Any:
    if (indent or 0) > _INDENTED:
        raise OutOfBounds(f"indents by more than {_INDENTED} characters")
    return built_in.do_tojson(context, value, indent)


def _why(error: BaseException) -> str:
    text = " ".join(str(error).split())
    known = isinstance(error, JinjaError | OutOfBounds) and text
    return (text if known else f"{type(error).__name__}: {text}".removesuffix(": "))[:_WORDS_LIMIT]


def _line(error: BaseException) -> int | None:
    """The line of the template where it happened: Jinja2 puts it into the trace."""
    found = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            found = trace.tb_lineno
        trace = trace.tb_next
    return found
