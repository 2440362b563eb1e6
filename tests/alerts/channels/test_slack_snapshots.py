"""Every sort of card as Slack gets it, in files that are read when they change."""

from datetime import UTC
from pathlib import Path

import pytest

from alerts.channels._plain import marked_as_repeat, tidy
from alerts.channels._slack_blocks import blocks, fallback
from alerts.writing.samples import samples
from domain.message import Cell, Fact, Link, Message, Table
from tests.support.block_kit import check_card
from tests.support.builders import NOON, message
from tests.support.hostile import HOSTILE
from tests.support.snapshots import check_snapshot

FOLDER = Path(__file__).parent / "snapshots"
LONG = "A very long name & <more> of it, " * 40


def _hostile() -> Message:
    short = [text for text in HOSTILE if len(text) < 200]
    facts = tuple(Fact(name=text, value=text, url=text) for text in short)
    rows = tuple((Cell(text=text, url=text), Cell(text=text)) for text in short)
    return message(
        headline="<!channel> & <https://evil.example|click>",
        facts=facts,
        details="\n".join(short),
        tables=(Table(title="<!here>", columns=("<@U1>", "&"), rows=rows),),
        links=(
            Link(label="<!everyone>", url="https://ci.example.com/?a=<&b=|"),
            Link(label="x", url="javascript:alert(1)"),
        ),
    )


def _longest() -> Message:
    url = f"https://ci.example.com/{'x' * 1900}"
    return message(
        headline=LONG,
        facts=tuple(Fact(name=LONG, value=LONG, url=url) for _ in range(40)),
        details=LONG * 20,
        tables=tuple(
            Table(title=LONG, columns=(LONG,) * 9, rows=((Cell(text=LONG, url=url),) * 9,) * 60) for _ in range(9)
        ),
        links=tuple(Link(label=LONG, url=url) for _ in range(30)),
        notes=(LONG,) * 9,
    )


CARDS = {
    **samples(NOON, UTC),
    "hostile": _hostile(),
    "longest": _longest(),
    "repeat": marked_as_repeat(tidy(samples(NOON, UTC)["failure"])),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_as_it_was(name: str) -> None:
    card = tidy(CARDS[name])
    rendered = blocks(card)
    check_card(rendered)
    check_snapshot(FOLDER / f"{name}.json", {"text": fallback(card), "blocks": rendered})


def test_no_snapshot_is_left_behind() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(CARDS)
