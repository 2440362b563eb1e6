"""The console channel prints what a person would like to read, and nothing else."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from alerts.channels._base import ChannelError
from alerts.channels.console import PLUGIN, Console, ConsoleSettings, ConsoleTemplate
from domain.message import Cell, Chart, Fact, Heat, HeatRow, Link, Message, Table, Tone
from tests.support.builders import message, notification
from tests.support.hostile import HOSTILE


class _Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


class _Ascii(io.StringIO):
    encoding = "ascii"


def _printed(wanted: Message, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    console = Console("screen", ConsoleSettings(kind="console"), stream=stream)
    assert console.send(notification(message=wanted)) == {}
    return stream.getvalue()


def _full(**changes: Any) -> Message:
    facts = (
        Fact(name="Build", value="#812", url="https://ci.example.com/812"),
        Fact(name="Failing tests", value="test_a\ntest_b"),
        Fact(name="Link", value="https://ci.example.com/812", url="https://ci.example.com/812"),
    )
    links = (Link(label="Log", url="https://ci.example.com/812/log"), Link(label="Bad", url="javascript:alert(1)"))
    values: dict[str, Any] = {"facts": facts, "details": "\nstep 1\n  boom\n", "links": links}
    return message(**(values | changes))


def test_a_message_is_printed_aligned_and_indented() -> None:
    assert _printed(_full()) == (
        "🔴 deploy / main failed\n"
        "   │ step 1\n"
        "   │   boom\n"
        "   Build          #812  https://ci.example.com/812\n"
        "   Failing tests  test_a\n"
        "                  test_b\n"
        "   Link           https://ci.example.com/812\n"
        "   Log: https://ci.example.com/812/log\n"
        "\n"
    )


@pytest.mark.parametrize("tone", Tone)
def test_each_tone_has_its_sign_once(tone: Tone) -> None:
    first = _printed(message(tone=tone)).splitlines()[0]
    assert first[2:] == "deploy / main failed"
    assert _printed(message(tone=tone, headline=first)).splitlines()[0] == first


def test_a_terminal_gets_colours_and_the_same_text() -> None:
    text = _printed(_full(), _Terminal())
    assert "\x1b[" in text
    assert "deploy / main failed" in text
    assert "https://ci.example.com/812/log" in text


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("stream", [io.StringIO, _Ascii, _Terminal])
def test_no_control_character_gets_out(hostile: str, stream: type[io.StringIO]) -> None:
    text = _printed(message(headline=hostile, facts=(Fact(name=hostile, value=hostile),), details=hostile), stream())
    text = text if stream is not _Terminal else _without_colours(text)
    assert all(character.isprintable() or character in "\n\t\u200d\ufe0e\ufe0f" for character in text)


def test_what_the_stream_cannot_encode_is_escaped() -> None:
    assert "\\u65e5" in _printed(message(headline="日"), _Ascii())


def test_a_closed_stream_is_a_channel_error_that_concerns_the_whole_channel() -> None:
    stream = io.StringIO()
    stream.close()
    with pytest.raises(ChannelError, match="standard output") as caught:
        Console("screen", ConsoleSettings(kind="console"), stream=stream).send(notification())
    assert caught.value.channel_wide
    assert not caught.value.permanent


def test_standard_output_is_used_without_a_stream(capsys: pytest.CaptureFixture[str]) -> None:
    channel = PLUGIN.channel("screen", PLUGIN.settings.model_validate({"kind": "console"}))
    channel.send(notification())
    assert "deploy / main failed" in capsys.readouterr().out
    assert channel.probe() == "prints to standard output"
    channel.close()


def _without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_with_a_template_its_text_is_printed_and_ours_while_it_fails() -> None:
    stream = io.StringIO()
    template = ConsoleTemplate(Path("line.j2"), "* {{ message.facts[0].value }}\n\n")
    console = Console("screen", ConsoleSettings(kind="console"), stream=stream, template=template)
    console.send(notification(message=message(facts=(Fact(name="a", value="b"),))))
    console.send(notification())
    theirs, _, ours = stream.getvalue().partition("\n\n")
    assert theirs == "* b"
    assert ours.startswith("🔴 deploy / main failed\n   Built-in form, for the template failed: line.j2:1: ")


def test_tables_strips_and_charts_are_drawn_with_characters() -> None:
    told = message(
        charts=(
            Chart(title="Rate", columns=("Mon", "Tue"), values=(90.0, None), usual=95.5),
            Chart(title="None", columns=(), values=(None,)),
        ),
        heats=(
            Heat(
                title="Days",
                columns=("Mon", "Tue"),
                rows=(HeatRow(name="web", shares=(1.0, None), value="98 %"), HeatRow(name="a", shares=(0.0, 0.5))),
            ),
            Heat(title="No columns", columns=(), rows=(HeatRow(name="", shares=(1.0,)),)),
            Heat(title="Empty", columns=("Mon",), rows=()),
        ),
        tables=(
            Table(
                title="Members",
                columns=("Pipeline", "Builds"),
                rows=(
                    (Cell(text="web", tone=Tone.BROKEN, url="https://ci.example.com/web"), Cell(text="12")),
                    (Cell(text="api"), Cell(text="7")),
                    (Cell(text="one cell"),),
                ),
                more=3,
            ),
            Table(title="Empty", rows=()),
        ),
        notes=("a note",),
    )
    assert _printed(told) == (
        "🔴 deploy / main failed\n"
        "   Rate\n"
        "     █· last 90 %, usually 95.5 %\n"
        "   None\n"
        "     nothing is known\n"
        "   Days\n"
        "          Mon … Tue\n"
        "     web  █·  98 %\n"
        "     a    ▁▅\n"
        "   No columns\n"
        "       █\n"
        "   Members\n"
        "        Pipeline  Builds\n"
        "     🔴 web           12  https://ci.example.com/web\n"
        "        api            7\n"
        "        one cell\n"
        "     and 3 more\n"
        "   a note\n"
        "\n"
    )
