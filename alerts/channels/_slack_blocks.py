"""A message as Slack's Block Kit, within Slack's limits, and as the text that stands in for it.

Limits: header 150, section 3,000, 10 fields of 2,000 characters, 50 blocks, and an undocumented total of about
13,200 (`msg_blocks_too_long`, slackapi/bolt-js#2509); we stop at 10,000. Lengths count UTF-16 units after escaping.
Links are text, not buttons: even a button that only opens a URL makes Slack call the app and, when it has no
endpoint for that, warn the reader (slackapi/node-slack-sdk#869).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC
from typing import Any

from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from alerts.channels._plain import plain
from domain.message import Fact, Link, Message

PLAIN_LIMIT = 3000
TOTAL_LIMIT = 10_000  # what the following add up to, with some air

_HEADLINE_LIMIT = 900
_FACTS_LIMIT = 4000
_DETAILS_LIMIT = 2890
_LINKS_LIMIT = 1500
_SHORT = 80  # a longer value gets the whole width instead of one of two columns
_FIELDS = 10
_MOST_FACTS = 33  # each may take a block of its own, and 40 is enough
_URL_IN_FACT = 500  # Slack takes more, but a few of them would use up the total
_FENCE = "```"


def blocks(message: Message) -> list[dict[str, Any]]:
    """A tidy message as blocks, validated by slack_sdk's own models."""
    card: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=fit(message.headline, HeaderBlock.text_max_length), emoji=False))
    ]
    if _units(escape(message.headline)) > HeaderBlock.text_max_length:
        card.append(_section(fit(message.headline, _HEADLINE_LIMIT)))
    card += _facts(message.facts)
    foot = [*_links(message.links), _when(message)]
    if message.details:
        log = message.details.replace(_FENCE, "'''")  # a fence inside would end ours
        card.append(_section(f"{_FENCE}\n{fit(log, _DETAILS_LIMIT)}\n{_FENCE}"))
    return [block.to_dict() for block in (*card, *foot)]


def fallback(message: Message) -> str:
    """What notifications and screen readers show in place of the blocks."""
    return fit(message.headline, PLAIN_LIMIT)


def plain_text(message: Message) -> str:
    """The whole message without blocks, for when Slack refuses them."""
    return fit(plain(message), PLAIN_LIMIT)


def escape(text: str) -> str:
    """Exactly the three characters that Slack decodes: `<!channel>` in a branch name stays text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fit(text: str, limit: int) -> str:
    """The text escaped and cut to at most `limit` UTF-16 units, never inside an escape."""
    escaped = escape(text)
    if _units(escaped) <= limit:
        return escaped
    room = limit - 1
    kept: list[str] = []
    for character in text:
        piece = escape(character)
        room -= _units(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept) + "…"


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _facts(facts: Iterable[Fact]) -> Iterator[Block]:
    """Short facts side by side, long ones across; those beyond the budget are counted."""
    row: list[MarkdownTextObject] = []
    room, left_out = _FACTS_LIMIT, 0
    for number, fact in enumerate(facts, 1):
        text = _fact(fact)
        room -= _units(text)
        if room < 0 or number > _MOST_FACTS:
            left_out += 1
            continue
        is_long = len(fact.value) > _SHORT or "\n" in fact.value
        if row and (is_long or len(row) == _FIELDS):
            yield SectionBlock(fields=row)
            row = []
        if is_long:
            yield _section(text)
        else:
            row.append(_mrkdwn(text))
    if row:
        yield SectionBlock(fields=row)
    if left_out:
        yield ContextBlock(elements=[_mrkdwn(f"… and {left_out} more")])


def _fact(fact: Fact) -> str:
    value = fit(fact.value or "-", 1200)
    linked = fact.url and len(fact.url) <= _URL_IN_FACT and "\n" not in value
    return f"*{fit(fact.name, 100)}*\n{_link(value, fact.url) if fact.url and linked else value}"


def _links(links: Iterable[Link]) -> Iterator[Block]:
    kept: list[str] = []
    room = _LINKS_LIMIT
    for link in links:
        text = _link(fit(link.label, 100), link.url)
        room -= _units(text) + len("  ·  ")
        if room >= 0:
            kept.append(text)
    if kept:
        yield _section("  ·  ".join(kept))


def _link(escaped: str, url: str) -> str:
    # A bar would end the URL.
    return f"<{escape(url).replace('|', '%7C')}|{escaped}>"


def _when(message: Message) -> Block:
    """Slack shows the time in each reader's own zone."""
    at = message.at.astimezone(UTC)
    return ContextBlock(
        elements=[_mrkdwn(f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{at:%Y-%m-%d %H:%M} UTC>")]
    )


def _section(text: str) -> Block:
    return SectionBlock(text=_mrkdwn(text))


def _mrkdwn(text: str) -> MarkdownTextObject:
    return MarkdownTextObject(text=text, verbatim=True)  # verbatim: names and URLs in it are not made into links
