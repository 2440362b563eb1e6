"""Templates of the user's in place of our own forms, and our own forms when they fail.

A template sees `message` (domain.message.Message, cleaned) and what its channel adds; it reaches no file, not even
another template.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from alerts.channels._base import MessageTemplate, TemplateError
from alerts.channels._characters import spark, squares
from domain.message import Message

if TYPE_CHECKING:
    from alerts.channels._sandbox import Program

Form = TypeVar("Form")
Given = ParamSpec("Given")

_log = logging.getLogger(__name__)


class Template:
    """One file. It is compiled when it is first used: a broken one costs messages their form and nothing else."""

    def __init__(self, path: Path, text: str, *, escape_html: bool = False) -> None:
        self.path = path
        self._text = text
        self._escape_html = escape_html
        self._program: Program | None = None

    def render(self, message: Message, **more: Any) -> str:
        """What the template makes of a tidy message. Raises TemplateError with file and line."""
        from alerts.channels._sandbox import Program, ProgramError  # noqa: PLC0415 - 70 ms, only who has one pays

        try:
            if self._program is None:
                filters: dict[str, Callable[..., Any]] = {"spark": spark, "squares": squares}
                self._program = Program(self._text, escape_html=self._escape_html, filters=filters)
            return self._program.render(message=message, **more)
        except ProgramError as error:
            raise TemplateError(self.path, str(error), error.line) from error


class Replaced(Generic[Given, Form]):
    """The form that a template gives; ours in its place, with a note, while the template fails."""

    def __init__(
        self,
        path: Path,
        form: Callable[Concatenate[Message, Given], Form],
        *,
        instead_of: Callable[Concatenate[Message, Given], Form],
    ) -> None:
        self._path = path
        self._form = form
        self._built_in = instead_of
        self._fails = False

    def __call__(self, message: Message, /, *given: Given.args, **named: Given.kwargs) -> Form:
        """The form of a tidy message."""
        try:
            form = self._form(message, *given, **named)
        except TemplateError as error:
            if not self._fails:  # once an episode
                _log.error("template failed, messages have their built-in form error=%s", error)
            self._fails = True
            text = str(error).replace(str(self._path), self._path.name)
            noted = replace(message, notes=(*message.notes, f"Built-in form, for the template failed: {text}"))
            return self._built_in(noted, *given, **named)
        if self._fails:
            _log.info("template works again file=%s", self._path)
        self._fails = False
        return form


def form_of(
    template: MessageTemplate | None, *, instead_of: Callable[Concatenate[Message, Given], Form]
) -> Callable[Concatenate[Message, Given], Form]:
    """The form that a template gives, or ours where there is none."""
    if template is None:
        return instead_of
    form: Any = template.render  # takes what its channel gives it besides
    return Replaced(template.path, form, instead_of=instead_of)
