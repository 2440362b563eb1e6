"""A message comes out of the outbox as it went in, also one that an earlier version has stored."""

import json
from dataclasses import asdict

from domain.message import Cell, Chart, Fact, Heat, HeatRow, Link, Message, Table, Tone
from store.columns import to_json
from store.messages import message_of
from tests.support.builders import NOON, message


def _through_json(told: Message) -> Message:
    return message_of(json.loads(to_json(asdict(told))))


def test_every_part_of_a_message_survives() -> None:
    full = message(
        facts=(Fact(name="Build", value="#812", url="https://ci.example.com/812"),),
        details="boom",
        charts=(Chart(title="Pass rate", columns=("Mon", "Tue"), values=(0.9, None), usual=0.95),),
        heats=(
            Heat(
                title="By day",
                columns=("Mon", "Tue"),
                rows=(HeatRow(name="web", shares=(1.0, None), value="98 %", url="https://ci.example.com/web"),),
            ),
        ),
        tables=(
            Table(title="Members", columns=("Pipeline", "State"), rows=((Cell(text="web"), Cell(text="failed")),)),
            Table(title="Tests", rows=((Cell(text="a", tone=Tone.BROKEN, url="https://ci.example.com/a"),),), more=7),
        ),
        links=(Link(label="Log", url="https://ci.example.com/log"),),
        notes=("a note",),
    )
    assert _through_json(full) == full


def test_a_message_of_an_earlier_version_has_no_tables() -> None:
    stored = {
        "tone": "broken",
        "headline": "deploy / main failed",
        "facts": [],
        "details": None,
        "links": [],
        "thread": "alert-1",
        "at": NOON.isoformat(),
    }
    assert message_of(stored) == message()
