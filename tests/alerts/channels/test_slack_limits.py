"""What Slack would refuse is told before it is sent."""

from typing import Any

import pytest

from alerts.channels._slack_limits import problems


def _text(text: str = "x", kind: str = "mrkdwn") -> dict[str, str]:
    return {"type": kind, "text": text}


BUTTON = {"type": "button", "text": _text(kind="plain_text"), "url": "https://ci.example.com", "action_id": "a"}
IMAGE = {"type": "image", "image_url": "https://ci.example.com/a.png", "alt_text": "a"}


@pytest.mark.parametrize(
    "block",
    [
        {"type": "header", "text": _text(kind="plain_text")},
        {"type": "section", "text": _text("x" * 3000)},
        {"type": "section", "fields": [_text("x" * 900)] * 10},
        {"type": "context", "elements": [_text(), IMAGE]},
        {"type": "divider"},
        {"type": "actions", "elements": [BUTTON]},
        IMAGE,
    ],
)
def test_what_slack_takes_is_no_problem(block: dict[str, Any]) -> None:
    assert list(problems([block])) == []


@pytest.mark.parametrize(
    ("block", "says"),
    [
        ({"type": "header", "text": _text("x" * 151, "plain_text")}, "a header's text must have from 1 to 150"),
        ({"type": "header", "text": _text()}, "as type plain_text"),
        ({"type": "header"}, "a header's text must be an object"),
        ({"type": "section"}, "a section needs a text or fields"),
        ({"type": "section", "text": "x"}, "a section's text must be an object"),
        ({"type": "section", "text": _text("")}, "from 1 to 3000 characters, not 0"),
        ({"type": "section", "text": _text("🔴" * 1501)}, "not 3002"),
        ({"type": "section", "fields": [_text()] * 11}, "at most 10 fields"),
        ({"type": "section", "fields": [_text("x" * 2001)]}, "a field must have from 1 to 2000"),
        ({"type": "section", "fields": "x"}, "at most 10 fields"),
        ({"type": "context", "elements": []}, "needs from 1 to 10 elements"),
        ({"type": "context", "elements": [_text()] * 11}, "needs from 1 to 10 elements"),
        ({"type": "context", "elements": [7]}, "a context's text must be an object"),
        ({"type": "actions", "elements": [_text()]}, "actions may hold buttons only"),
        ({"type": "actions", "elements": [{**BUTTON, "url": "javascript:alert(1)"}]}, "a button's url"),
        ({"type": "actions", "elements": [{**BUTTON, "text": _text("x" * 76, "plain_text")}]}, "from 1 to 75"),
        ({**IMAGE, "image_url": "file:///etc/passwd"}, "an image_url must be a web address"),
        ({"type": "image", "image_url": "https://ci.example.com"}, "an image needs an alt_text"),
        ({"type": "rich_text", "elements": []}, "must be an object whose type is one of"),
        ("x", "must be an object whose type is one of"),
    ],
)
def test_what_slack_refuses_is_named_with_its_block(block: Any, says: str) -> None:
    found = list(problems([{"type": "divider"}, block]))
    assert any(problem.startswith("block 2: ") and says in problem for problem in found)


def test_the_whole_has_limits_too() -> None:
    assert "may be 50 blocks, not 51" in list(problems([{"type": "divider"}] * 51))
    assert "may have 10000 characters in all, not 12000" in list(
        problems([{"type": "section", "text": _text("x" * 3000)}] * 4)
    )
    for nothing in (None, {}, []):
        assert list(problems(nothing)) == ["must be a list of at least one block"]
