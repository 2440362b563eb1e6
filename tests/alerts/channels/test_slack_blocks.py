"""Rendered blocks stay within Slack's limits, whatever is in the message."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.channels._plain import marked_as_repeat, tidy
from alerts.channels._slack_blocks import PLAIN_LIMIT, blocks, fallback, plain_text
from alerts.channels._slack_sections import sections
from alerts.channels._slack_text import fit, units
from domain.message import Cell, Chart, Fact, Heat, HeatRow, Link, Message, Table, Tone
from tests.support.block_kit import check_card
from tests.support.builders import message
from tests.support.hostile import HOSTILE

RUN = "https://ci.example.com/job/web/812/?a=1&b=2|3"


def _everywhere(text: str, **changes: Any) -> Message:
    values: dict[str, Any] = {
        "headline": text,
        "facts": tuple(Fact(name=text, value=text, url=RUN if index % 2 else text) for index in range(30)),
        "details": text,
        "charts": (Chart(title=text, columns=(text,) * 70, values=(*range(69), None), unit=text),) * 3,
        "heats": (
            Heat(
                title=text,
                columns=(text,) * 70,
                rows=(HeatRow(name=text, shares=(0.5,) * 70, value=text, url=RUN),) * 60,
            ),
        )
        * 3,
        "tables": (
            Table(
                title=text,
                columns=(text,) * 12,
                rows=((Cell(text=text, url=text), Cell(text=text, tone=Tone.WORSE, url=RUN)),) * 60,
                more=3,
            ),
        )
        * 20,
        "notes": (text,) * 20,
        "links": tuple(Link(label=text, url=RUN) for _ in range(30)),
        "thread": text,
    }
    return tidy(message(**(values | changes)))


def test_a_failure_card_is_a_header_a_log_facts_links_and_the_time() -> None:
    card = tidy(
        message(
            headline='web / main failed, 2nd in a row: "Helm <install>"',
            facts=(
                Fact(name="Build", value="#812", url=RUN),
                Fact(name="Branch", value="main"),
                Fact(name="New failing tests", value="test_a\ntest_b"),
            ),
            details="step 1\n```boom```",
            links=(Link(label="Run", url=RUN), Link(label="Log", url="https://ci.example.com/log")),
        )
    )
    safe = "https://ci.example.com/job/web/812/?a=1&amp;b=2%7C3"

    def mrkdwn(text: str) -> dict[str, Any]:
        return {"type": "mrkdwn", "text": text, "verbatim": True}

    assert blocks(card) == [
        {
            "type": "header",
            "text": {
                "type": "plain_text",
                "text": '🔴 web / main failed, 2nd in a row: "Helm &lt;install&gt;"',
                "emoji": False,
            },
        },
        {"type": "section", "text": mrkdwn("```\nstep 1\n'''boom'''\n```")},
        {"type": "section", "fields": [mrkdwn(f"*Build*  <{safe}|#812>"), mrkdwn("*Branch*  main")]},
        {"type": "section", "text": mrkdwn("*New failing tests*\ntest_a\ntest_b")},
        {"type": "section", "text": mrkdwn(f"<{safe}|Run>  ·  <https://ci.example.com/log|Log>")},
        {
            "type": "context",
            "elements": [mrkdwn("<!date^1795176000^{date_short_pretty} at {time}|2026-11-20 12:00 UTC>")],
        },
    ]
    assert fallback(card) == '🔴 web / main failed, 2nd in a row: "Helm &lt;install&gt;"'


def test_a_long_headline_is_cut_in_the_header_and_whole_below() -> None:
    card = blocks(tidy(message(headline="word " * 60)))
    assert card[0]["text"]["text"].endswith("…")
    assert card[1]["text"]["text"].count("word") == 60


def test_facts_beyond_the_budget_are_counted() -> None:
    card = blocks(tidy(message(facts=tuple(Fact(name="n", value="v" * 900) for _ in range(8)))))
    assert card[-2]["elements"][0]["text"] == "… and 5 more"


def test_eleven_short_facts_make_two_sections() -> None:
    card = blocks(tidy(message(facts=tuple(Fact(name="n", value="v") for _ in range(11)))))
    assert [len(block["fields"]) for block in card if "fields" in block] == [10, 1]


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("tone", [Tone.BROKEN, Tone.FIXED])
def test_hostile_names_stay_text_and_within_the_limits(hostile: str, tone: Tone) -> None:
    card = _everywhere(hostile, tone=tone)
    check_card(blocks(card))
    check_card(blocks(marked_as_repeat(card)))
    for text in (fallback(card), plain_text(card)):
        assert 0 < units(text) <= PLAIN_LIMIT
        assert "<" not in text


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400), st.integers(0, 40), st.integers(0, 12))
def test_any_message_is_within_the_limits(text: str, facts: int, repeated: int) -> None:
    text = text * repeated
    check_card(blocks(_everywhere(text, facts=tuple(Fact(name=text, value=text) for _ in range(facts)))))


@given(st.text(alphabet="a&<>🔴", max_size=60), st.integers(6, 40))
def test_cutting_never_splits_an_escape_or_a_surrogate_pair(text: str, limit: int) -> None:
    cut = fit(text, limit)
    assert units(cut) <= limit
    assert not re.search(r"&(?!amp;|lt;|gt;)", cut)


def test_only_a_person_that_config_names_is_mentioned() -> None:
    named = Cell(text="Ada <!channel>", mention="U012AB3CD")
    strange = Cell(text="Eve <!channel>", mention="!channel")
    table = Table(title="Changes since #12", rows=((named, Cell(text="a")), (strange, Cell(text="<@U012AB3CD>"))))
    (text,) = sections(message(tables=(table,)), 3000)
    assert "<@U012AB3CD>  ·  a" in text
    assert "Eve &lt;!channel&gt;  ·  &lt;@U012AB3CD&gt;" in text
