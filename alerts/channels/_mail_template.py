"""A template for mail: it writes the HTML; the text, the subject and the headers stay ours."""

from collections.abc import Sequence
from pathlib import Path

from alerts.channels._mail_html import COLOURS, moment
from alerts.channels._template import Template
from domain.message import Message


class MailTemplate:
    """Makes the HTML of mails."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._template = Template(path, text, escape_html=True)

    def render(self, message: Message, pictures: Sequence[str | None] = ()) -> str:
        """The HTML of a tidy message; `pictures` are the content ids of its charts. Raises TemplateError."""
        return self._template.render(message, pictures=pictures, colour=COLOURS[message.tone], at=moment(message))
