"""Block Kit's documented limits, as Slack checks them: what is wrong with a message's blocks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

TOTAL_TEXT = 13_200  # of all blocks together; not documented, `msg_blocks_too_long` beyond
_BLOCKS = 50
_HEADER = 150
_SECTION = 3000
_FIELDS, _FIELD = 10, 2000
_ELEMENTS = {"actions": 25, "context": 10}
_BUTTON, _URL, _VALUE, _ID = 75, 3000, 2000, 255
_ALT = 2000
_KNOWN = frozenset(
    [
        "actions",
        "context",
        "divider",
        "file",
        "header",
        "image",
        "input",
        "markdown",
        "rich_text",
        "section",
        "table",
        "video",
    ]
)


def problems(blocks: object) -> list[str]:
    """`["[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"]`; empty when all is well."""
    if not isinstance(blocks, list):
        return ["[ERROR] must be an array [json-pointer:/blocks]"]
    found = [f"[ERROR] no more than {_BLOCKS} items allowed [json-pointer:/blocks]"] if len(blocks) > _BLOCKS else []
    ids: list[str] = []
    for index, block in enumerate(blocks):
        where = f"/blocks/{index}"
        if not isinstance(block, Mapping) or block.get("type") not in _KNOWN:
            found.append(f"[ERROR] unsupported type: {_type(block)} [json-pointer:{where}/type]")
            continue
        found += [f"[ERROR] {problem} [json-pointer:{where}{place}]" for place, problem in _block(block)]
        ids.append(str(block.get("block_id", f"\0{index}")))
    if len(set(ids)) < len(ids):
        found.append("[ERROR] block_id must be unique [json-pointer:/blocks]")
    return found


def text_length(blocks: object) -> int:
    """The characters of all texts in the blocks."""
    if isinstance(blocks, Mapping):
        own = blocks.get("text")
        return (len(own) if isinstance(own, str) else 0) + sum(
            text_length(value) for value in blocks.values() if not isinstance(value, str)
        )
    if isinstance(blocks, Sequence) and not isinstance(blocks, str):
        return sum(text_length(block) for block in blocks)
    return 0


def _type(block: object) -> object:
    return block.get("type") if isinstance(block, Mapping) else type(block).__name__


def _block(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The problems of one block, with the place of each."""
    if len(str(block.get("block_id", ""))) > _ID:
        yield "/block_id", f"must be less than {_ID + 1} characters"
    match block["type"]:
        case "header":
            yield from _text(block.get("text"), "/text", _HEADER, kinds=("plain_text",))
        case "section":
            yield from _section(block)
        case "actions" | "context" as kind:
            yield from _elements(block, _ELEMENTS[kind])
        case "image":
            yield from _image(block, "")
        case "rich_text" if not isinstance(block.get("elements"), list):
            yield "/elements", "missing required field: elements"


def _section(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    fields = block.get("fields")
    if block.get("text") is None and not fields:
        yield "", "missing required field: text"
    if block.get("text") is not None:
        yield from _text(block["text"], "/text", _SECTION)
    if fields is not None:
        if not isinstance(fields, list) or len(fields) > _FIELDS:
            yield "/fields", f"no more than {_FIELDS} items allowed"
            return
        for index, item in enumerate(fields):
            yield from _text(item, f"/fields/{index}", _FIELD)
    if isinstance(block.get("accessory"), Mapping):
        yield from _element(block["accessory"], "/accessory")


def _elements(block: Mapping[str, Any], most: int) -> Iterator[tuple[str, str]]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 0 < len(elements) <= most:
        yield "/elements", f"must have between 1 and {most} items"
        return
    actions = [element["action_id"] for element in elements if isinstance(element, Mapping) and "action_id" in element]
    if len(set(actions)) < len(actions):
        yield "/elements", "action_id must be unique"
    for index, element in enumerate(elements):
        if block["type"] == "context" and isinstance(element, Mapping) and element.get("type") != "image":
            yield from _text(element, f"/elements/{index}", _SECTION)
        else:
            yield from _element(element, f"/elements/{index}")


def _element(element: Any, place: str) -> Iterator[tuple[str, str]]:
    if not isinstance(element, Mapping) or "type" not in element:
        yield place, "missing required field: type"
    elif element["type"] == "button":
        yield from _text(element.get("text"), f"{place}/text", _BUTTON, kinds=("plain_text",))
        for name, most in (("url", _URL), ("value", _VALUE), ("action_id", _ID)):
            if len(str(element.get(name, ""))) > most:
                yield f"{place}/{name}", f"must be less than {most + 1} characters"
        if element.get("style", "primary") not in ("primary", "danger"):
            yield f"{place}/style", "must be a valid enum value"
        if "url" in element and not str(element["url"]).startswith(("http://", "https://", "mailto:", "slack:")):
            yield f"{place}/url", "must be a valid URL"
    elif element["type"] == "image":
        yield from _image(element, place)


def _image(element: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    if not element.get("alt_text"):
        yield f"{place}/alt_text", "missing required field: alt_text"
    if len(str(element.get("alt_text", ""))) > _ALT:
        yield f"{place}/alt_text", f"must be less than {_ALT + 1} characters"
    if not 0 < len(str(element.get("image_url", element.get("slack_file", "")))) <= _URL:
        yield f"{place}/image_url", "must be a valid URL"


def _text(
    text: Any, place: str, most: int, *, kinds: Sequence[str] = ("plain_text", "mrkdwn")
) -> Iterator[tuple[str, str]]:
    """A text object: its type, at least one character, at most so many."""
    if not isinstance(text, Mapping) or not isinstance(text.get("text"), str):
        yield place, "missing required field: text"
    elif text.get("type") not in kinds:
        yield f"{place}/type", f"unsupported type: {text.get('type')}"
    elif not text["text"]:
        yield f"{place}/text", "must be more than 0 characters"
    elif len(text["text"]) > most:
        yield f"{place}/text", f"must be less than {most + 1} characters"
