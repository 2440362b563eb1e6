"""Logs on stderr: constant message and `key=value` tail, for people, for journald, or as JSON."""

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal, TextIO

from typing_extensions import override

from domain.text import clean
from poller.running.redaction import Redaction

Form = Literal["text", "journal", "json"]

LONGEST = 16 * 1024
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class Lines(logging.Formatter):
    """What all forms share: nothing foreign can end a line, move the cursor or show a secret."""

    def __init__(self, redaction: Redaction) -> None:
        super().__init__()
        self._redaction = redaction

    def said(self, record: logging.LogRecord) -> str:
        """The message with its traceback, made harmless."""
        text = super().format(record)
        return clean(self._redaction.redact(text), LONGEST, lines=True)


class TextLines(Lines):
    """`02:10:11 WARNING poller.watching.polling: poll failed, will retry target=ci: ...`."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """One record; a traceback follows on indented lines."""
        moment = datetime.fromtimestamp(record.created, UTC).astimezone()
        said = self.said(record).replace("\n", "\n    ")
        return f"{moment:%H:%M:%S} {record.levelname:7} {record.name}: {said}"


class JournalLines(Lines):
    """Each line begins with its priority, as sd-daemon(3) has it; journald adds the time."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """One record; every line of it carries the priority."""
        mark = f"<{PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(mark + line for line in f"{record.name}: {self.said(record)}".split("\n"))


class JsonLines(Lines):
    """One object a line: time, level, logger, message."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        moment = datetime.fromtimestamp(record.created, UTC)
        fields = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.said(record),
        }
        return json.dumps(fields, ensure_ascii=False)


FORMS: Mapping[str, type[Lines]] = {"text": TextLines, "journal": JournalLines, "json": JsonLines}


def form_for(environ: Mapping[str, str]) -> Form:
    """The journal's when stderr is connected to it, else text."""
    return "journal" if "JOURNAL_STREAM" in environ else "text"


def set_up(level: str, form: str, secrets: Iterable[str], stream: TextIO | None = None) -> None:
    """Send all records of this level and above to stderr, or to `stream`. Replaces what was set up before."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(FORMS[form](Redaction(secrets)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # They report every tick and connection.
    for chatty in ("apscheduler", "urllib3", "slack_sdk", "mail.log", "alembic", "asyncio", "uvicorn", "websockets"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)  # poller.watching.schedule says it too
    logging.captureWarnings(capture=True)
