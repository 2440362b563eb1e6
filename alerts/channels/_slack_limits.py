"""What Slack would refuse about blocks that somebody else has written."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextBlock,
    HeaderBlock,
    ImageBlock,
    SectionBlock,
)

from alerts.channels._slack_text import units

MOST_BLOCKS = 50
TOTAL = 10_000  # Slack refuses 13,200 and more, and does not say so anywhere (slackapi/bolt-js#2509)

_FIELD = 2000
_CONTEXT_TEXT = 2000
_KINDS = frozenset({"header", "section", "context", "divider", "image", "actions"})


def problems(blocks: object) -> Iterator[str]:
    """`block 3: a section's text may have 3000 characters, not 3412`; nothing when all is well."""
    if not isinstance(blocks, list) or not blocks:
        yield "must be a list of at least one block"
        return
    if len(blocks) > MOST_BLOCKS:
        yield f"may be {MOST_BLOCKS} blocks, not {len(blocks)}"
    for number, block in enumerate(blocks, 1):
        kind = block.get("type") if isinstance(block, Mapping) else None
        if kind not in _KINDS:
            yield f"block {number}: must be an object whose type is one of {', '.join(sorted(_KINDS))}"
            continue
        yield from (f"block {number}: {problem}" for problem in _block(block))
    if (total := text_length(blocks)) > TOTAL:
        yield f"may have {TOTAL} characters in all, not {total}"


def text_length(value: object) -> int:
    """The UTF-16 units of all texts in some blocks."""
    if isinstance(value, Mapping):
        own = value.get("text")
        return (units(own) if isinstance(own, str) else 0) + sum(text_length(each) for each in value.values())
    return sum(map(text_length, value)) if isinstance(value, list) else 0


def _block(block: Mapping[str, Any]) -> Iterator[str]:
    if block["type"] == "header":
        yield from _text(block.get("text"), "a header's text", HeaderBlock.text_max_length, kinds=("plain_text",))
    elif block["type"] == "section":
        yield from _section(block)
    elif block["type"] == "context":
        yield from _elements(block, ContextBlock.elements_max_length)
    elif block["type"] == "actions":
        yield from _elements(block, ActionsBlock.elements_max_length)
    elif block["type"] == "image":
        yield from _image(block)
    try:
        parsed = Block.parse(dict(block))
        if parsed is not None:
            parsed.validate_json()
    except (SlackObjectFormationError, TypeError, ValueError, AttributeError, KeyError) as error:
        yield " ".join(str(error).split()) or type(error).__name__


def _section(block: Mapping[str, Any]) -> Iterator[str]:
    text, fields = block.get("text"), block.get("fields")
    if text is None and not fields:
        yield "a section needs a text or fields"
    if text is not None:
        yield from _text(text, "a section's text", SectionBlock.text_max_length)
    if fields is None:
        return
    if not isinstance(fields, list) or len(fields) > SectionBlock.fields_max_length:
        yield f"a section has at most {SectionBlock.fields_max_length} fields"
        return
    for field in fields:
        yield from _text(field, "a field", _FIELD)


def _elements(block: Mapping[str, Any], most: int) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 0 < len(elements) <= most:
        yield f"needs from 1 to {most} elements"
        return
    for element in elements:
        kind = element.get("type") if isinstance(element, Mapping) else None
        if kind == "button":
            yield from _text(element.get("text"), "a button's text", ButtonElement.text_max_length, ("plain_text",))
            yield from _url(element.get("url", "https://"), "a button's url", ButtonElement.url_max_length)
        elif kind == "image":
            yield from _image(element)
        elif block["type"] == "context":
            yield from _text(element, "a context's text", _CONTEXT_TEXT)
        else:
            yield "actions may hold buttons only"


def _image(image: Mapping[str, Any]) -> Iterator[str]:
    yield from _url(image.get("image_url"), "an image_url", ImageBlock.image_url_max_length)
    if not isinstance(image.get("alt_text"), str):
        yield "an image needs an alt_text"


def _url(url: object, what: str, most: int) -> Iterator[str]:
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or len(url) > most:
        yield f"{what} must be a web address of at most {most} characters"


def _text(text: object, what: str, most: int, kinds: Sequence[str] = ("plain_text", "mrkdwn")) -> Iterator[str]:
    if not isinstance(text, Mapping) or text.get("type") not in kinds or not isinstance(text.get("text"), str):
        yield f"{what} must be an object with a text, and as type {' or '.join(kinds)}"
    elif not 0 < units(text["text"]) <= most:
        yield f"{what} must have from 1 to {most} characters, not {units(text['text'])}"
