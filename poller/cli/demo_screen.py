"""The terminal of the demo: a line for each thing that happens, with its time, and boxes for messages."""

import io
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from domain.text import clean
from poller.cli.demo_cards import Line

STYLES = {"world": "magenta", "polled": "cyan", "alert": "bold", "Slack": "green", "mail": "blue", "log": "yellow"}
_MARGIN = " " * 15
_NARROW, _WIDE = 60, 110


class Screen:
    """In colour on a terminal, plain lines elsewhere. May be written to from several threads."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._terminal = _terminal() if sys.stdout.isatty() else None

    def say(self, *lines: str, style: str = "") -> None:
        """Lines without a time."""
        for line in lines:
            self._print([(line, style)])

    def tell(self, kind: str, text: str, style: str = "") -> None:
        """`00:12  polled  ...`."""
        first, *rest = text.split("\n")
        self._print([*self._margin(kind), (first, style)])
        for line in rest:
            self._print([(_MARGIN + line, style)])

    def show(self, kind: str, title: str, lines: Sequence[Line], colour: str) -> None:
        """A message in a box under its title."""
        self.tell(kind, title)
        if self._terminal is None:
            for line in lines:
                self._print([(f"{_MARGIN}│ ", ""), *line])
            return
        from rich.padding import Padding
        from rich.panel import Panel
        from rich.text import Text

        inside = Text("\n").join(Text.assemble(*_safe(line)) for line in lines)
        width = max(min(self._terminal.width - len(_MARGIN), _WIDE), _NARROW)
        box = Panel(inside, border_style=colour, width=width, padding=(0, 1))
        with self._lock:
            self._terminal.print(Padding(box, (0, 0, 0, len(_MARGIN))))

    def _margin(self, kind: str) -> Line:
        passed = int(time.monotonic() - self._began)
        return [(f"{passed // 60:02}:{passed % 60:02}  ", "dim"), (f"{kind:<8}", STYLES.get(kind, ""))]

    def _print(self, line: Line) -> None:
        safe = _safe(line)
        with self._lock:
            if self._terminal is None:
                print("".join(text for text, _ in safe), flush=True)
                return
            from rich.text import Text

            self._terminal.print(Text.assemble(*safe), soft_wrap=True)


class LogLines(io.StringIO):
    """Where the daemon's log goes, so that its lines stand among the others."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    @override
    def write(self, text: str) -> int:
        if text.strip():
            self._screen.tell("log", text.strip("\n").partition(" ")[2])
        return len(text)


def _terminal() -> Any:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def _safe(line: Line) -> Line:
    return [(clean(text, len(text) + 1000), style) for text, style in line]
