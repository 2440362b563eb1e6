"""A template for Slack: it writes blocks as JSON, `{{ message.headline|tojson }}`.

Every text of its message is escaped for Slack beforehand: a branch called `<!channel>` notifies nobody, whereas the
template itself may.
"""

import json
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from alerts.channels._base import TemplateError
from alerts.channels._slack_limits import problems
from alerts.channels._slack_text import escape
from alerts.channels._template import Template
from domain.message import Message, Tone

_TOLD = 3  # problems


class SlackTemplate:
    """Makes blocks of messages."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self._template = Template(path, text)

    def render(self, message: Message) -> list[dict[str, Any]]:
        """The blocks of a tidy message. Raises TemplateError, also for what Slack would refuse."""
        text = self._template.render(_escaped(message))
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise TemplateError(self.path, f"what it makes is not JSON: {error}") from error
        blocks = found.get("blocks") if isinstance(found, dict) else found
        wrong = list(problems(blocks))
        if wrong:
            raise TemplateError(self.path, f"Slack would refuse what it makes: {'; '.join(wrong[:_TOLD])}")
        return list(blocks or ())


def _escaped(value: Any, name: str = "") -> Any:
    if isinstance(value, str) and not isinstance(value, Tone):
        escaped = escape(value)
        return escaped.replace("|", "%7C") if name == "url" else escaped  # a bar would end the URL of a link
    if isinstance(value, tuple):
        return tuple(_escaped(each) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _escaped(getattr(value, each.name), each.name) for each in fields(value)})
    return value
