"""What holds for every card that we render, whatever is in it."""

import re
from typing import Any

from alerts.channels._slack_limits import problems
from alerts.channels._slack_text import units
from simulator import slack_blocks

_LINKS = re.compile(r"<(https?://[^|<>\n]+\|[^<>\n]*|!date\^\d+\^\{date_short_pretty\} at \{time\}\|[^<>]*)>")


def check_card(rendered: list[dict[str, Any]]) -> None:
    """Within Slack's limits as slack_sdk and our simulator know them, and our own; and nothing foreign is markup."""
    assert 1 <= len(rendered) <= 40
    assert list(problems(rendered)) == []
    assert slack_blocks.problems(rendered) == []
    for text in texts(rendered):
        assert 0 < units(text) <= 2900
        rest = _LINKS.sub("", text)
        assert "<" not in rest
        assert ">" not in rest
        assert not re.search(r"&(?!amp;|lt;|gt;)", rest)


def texts(value: Any) -> list[str]:
    """All texts in some blocks."""
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [each for key, inner in value.items() if key != "text" or not own for each in texts(inner)]
    return [each for inner in value for each in texts(inner)] if isinstance(value, list) else []
