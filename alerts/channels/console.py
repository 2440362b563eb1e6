"""Messages on the terminal: for the first steps, for `demo` and for a journal."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TextIO

from typing_extensions import override

from alerts.channels._base import ChannelError, ChannelPlugin, ChannelSettings, MessageTemplate
from alerts.channels._plain import styled, tidy
from alerts.channels._template import Template, form_of
from domain.alert import Notification
from domain.message import Message

Piece = tuple[str, str]
"""Some text and its style (rich's words)."""

Form = Callable[[Message], Iterable[Piece]]


class ConsoleSettings(ChannelSettings):
    """`kind: console` has no further keys."""

    kind: Literal["console"]


class Console:
    """Prints each message to standard output, in colour when that is a terminal."""

    min_interval = 0.0

    def __init__(
        self,
        name: str,
        settings: ConsoleSettings,
        *,
        stream: TextIO | None = None,
        template: MessageTemplate | None = None,
    ) -> None:
        self.name = name
        self._form: Form = form_of(template, instead_of=styled)
        self._stream = stream
        self._kind = settings.kind

    def send(self, notification: Notification) -> Mapping[str, Any]:
        """Print and flush; the receipt is empty."""
        message = tidy(notification.message)
        stream = self._stream or sys.stdout
        try:
            if stream.isatty():
                _print_in_colour(self._form(message), stream)
            else:
                _print(self._form(message), stream)
            stream.flush()
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            raise ChannelError(f"{self.name}: standard output cannot be written to", channel_wide=True) from error
        return {}

    def probe(self) -> str:
        """Nothing can be wrong with a terminal that could be seen beforehand."""
        return "prints to standard output"

    def close(self) -> None:
        """The stream is not ours to close."""


class ConsoleTemplate(Template):
    """Writes the text."""

    @override
    def render(self, message: Message, **more: Any) -> Any:
        return [(super().render(message, **more).rstrip("\n") + "\n", "")]


def _print(pieces: Iterable[Piece], stream: TextIO) -> None:
    text = "".join(text for text, _ in pieces) + "\n"
    encoding = getattr(stream, "encoding", None) or "utf-8"
    # A journal or pipe in the C locale may be ASCII: show what it cannot hold as escapes rather than fail.
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _print_in_colour(pieces: Iterable[Piece], stream: TextIO) -> None:
    from rich.console import Console as Terminal  # noqa: PLC0415 - 80 ms that a service without a terminal never pays
    from rich.text import Text  # noqa: PLC0415 - same

    terminal = Terminal(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
    terminal.print(Text.assemble(*pieces))


PLUGIN = ChannelPlugin(settings=ConsoleSettings, channel=Console, template=ConsoleTemplate)
