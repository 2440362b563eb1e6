"""A message as Slack's Block Kit, within Slack's limits, and as the text that stands in for it.

Limits: header 150, section 3,000, 10 fields of 2,000 characters, 50 blocks, and an undocumented total of about
13,200 (`msg_blocks_too_long`, slackapi/bolt-js#2509); we stop at 10,000. Lengths count UTF-16 units after escaping.
Links are text, not buttons: even a button that only opens a URL makes Slack call the app and, when it has no
endpoint for that, warn the reader (slackapi/node-slack-sdk#869).
"""

from collections.abc import Callable, Iterable, Iterator
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
from alerts.channels._slack_limits import TOTAL, text_length
from alerts.channels._slack_sections import sections
from alerts.channels._slack_text import escape, fit, link, units
from domain.message import Fact, Link, Message

Form = Callable[[Message], list[dict[str, Any]]]
"""Makes blocks of a tidy message."""

PLAIN_LIMIT = 3000
TOTAL_LIMIT = TOTAL

_HEADLINE_LIMIT = 900
_FACTS_LIMIT = 3200
_DETAILS_LIMIT = 2890  # alone
_SHORTER_DETAILS_LIMIT = 2000  # with tables below
_LINKS_LIMIT = 1500
_NOTES_LIMIT = 600
_SHORT = 80  # a longer value gets the whole width instead of one of two columns
_FIELDS = 10
_MOST_FACTS = 32
_URL_IN_FACT = 500  # Slack takes more, but a few of them would use up the total
_FENCE = "```"


def blocks(message: Message) -> list[dict[str, Any]]:
    """A tidy message as blocks, validated by slack_sdk's own models: what happened, log, facts, tables, ways on."""
    card: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=fit(message.headline, HeaderBlock.text_max_length), emoji=False))
    ]
    if units(escape(message.headline)) > HeaderBlock.text_max_length:
        card.append(_section(fit(message.headline, _HEADLINE_LIMIT)))
    has_sections = bool(message.charts or message.heats or message.tables)
    if message.details:
        log = message.details.replace(_FENCE, "'''")  # a fence inside would end ours
        limit = _SHORTER_DETAILS_LIMIT if has_sections else _DETAILS_LIMIT
        card.append(_section(f"{_FENCE}\n{fit(log, limit)}\n{_FENCE}"))
    card += _facts(message.facts)
    foot = [*_links(message.links), _foot(message)]
    room = TOTAL_LIMIT - text_length([block.to_dict() for block in (*card, *foot)])
    body = [_section(text) for text in sections(message, room)]
    return [block.to_dict() for block in (*card, *body, *foot)]


def fallback(message: Message) -> str:
    """What notifications and screen readers show in place of the blocks."""
    return fit(message.headline, PLAIN_LIMIT)


def plain_text(message: Message) -> str:
    """The whole message without blocks, for when Slack refuses them."""
    return fit(plain(message), PLAIN_LIMIT)


def _facts(facts: Iterable[Fact]) -> Iterator[Block]:
    """Short facts side by side, then long ones across; those beyond the budget are counted."""
    short: list[str] = []
    long: list[str] = []
    room, left_out = _FACTS_LIMIT, 0
    for number, fact in enumerate(facts, 1):
        is_long = len(fact.value) > _SHORT or "\n" in fact.value
        text = _fact(fact, is_long=is_long)
        room -= units(text)
        if room < 0 or number > _MOST_FACTS:
            left_out += 1
        else:
            (long if is_long else short).append(text)
    for start in range(0, len(short), _FIELDS):
        yield SectionBlock(fields=[_mrkdwn(text) for text in short[start : start + _FIELDS]])
    yield from (_section(text) for text in long)
    if left_out:
        yield ContextBlock(elements=[_mrkdwn(f"… and {left_out} more")])


def _fact(fact: Fact, *, is_long: bool) -> str:
    value = fit(fact.value or "-", 1200)
    linked = fact.url and len(fact.url) <= _URL_IN_FACT and "\n" not in value
    between = "\n" if is_long else "  "
    return f"*{fit(fact.name, 100)}*{between}{link(value, fact.url) if fact.url and linked else value}"


def _links(links: Iterable[Link]) -> Iterator[Block]:
    kept: list[str] = []
    room = _LINKS_LIMIT
    for each in links:
        text = link(fit(each.label, 100), each.url)
        room -= units(text) + len("  ·  ")
        if room >= 0:
            kept.append(text)
    if kept:
        yield _section("  ·  ".join(kept))


def _foot(message: Message) -> Block:
    """The small print. Slack shows the time in each reader's own zone."""
    at = message.at.astimezone(UTC)
    time = f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{at:%Y-%m-%d %H:%M} UTC>"
    notes = [fit("  ·  ".join(message.notes), _NOTES_LIMIT)] if message.notes else []
    return ContextBlock(elements=[_mrkdwn(each) for each in (time, *notes)])


def _section(text: str) -> Block:
    return SectionBlock(text=_mrkdwn(text))


def _mrkdwn(text: str) -> MarkdownTextObject:
    return MarkdownTextObject(text=text, verbatim=True)  # verbatim: names and URLs in it are not made into links
