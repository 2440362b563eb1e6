"""The mail itself: headers that hold together, text and HTML that hold off whatever is in them."""

import dataclasses
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from alerts.channels import _chart
from alerts.channels._mail import Extent, address, compose
from alerts.channels._mail_html import COLOURS
from alerts.writing.samples import samples
from domain.alert import Notification
from domain.message import Cell, Chart, Fact, Heat, HeatRow, Link, Table, Tone
from tests.support.builders import NOON, message, notification
from tests.support.hostile import HOSTILE

SENDER = address("CI <ci@example.com>")
TEAM = (address("Team <team@example.com>"), address("ops@example.com"))


def _mail(note: Notification, **changes: Any) -> EmailMessage:
    values: dict[str, Any] = {"channel": "ci-mail", "sender": SENDER, "to": TEAM}
    raw = bytes(compose(note, **(values | changes)))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    raw.decode("ascii")
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return parsed


def _part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    text: str = body.get_content()
    return text.replace("\r\n", "\n")


class _Html(HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(
            name.startswith("on") or (name == "src" and not (value or "").startswith("cid:")) for name, value in attrs
        )
        self.links += [value or "" for name, value in attrs if name == "href"]

    @override
    def handle_data(self, data: str) -> None:
        self.text += data


def test_headers_hold_an_alert_together_and_keep_robots_quiet() -> None:
    mail = _mail(notification(id=7))
    assert mail["From"] == "CI <ci@example.com>"
    assert mail["To"] == "Team <team@example.com>, ops@example.com"
    assert mail["Subject"] == "🔴 deploy / main failed"
    assert mail["Date"] == "Fri, 20 Nov 2026 12:00:00 +0000"
    assert mail["Message-ID"] == "<1a1f8d3ea00.1.1.7@example.com>"
    assert mail["List-Id"] == "<ci-mail.buildwatch.example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert re.fullmatch(r"<[0-9a-f]{16}\.thread@example\.com>", mail["References"])
    assert mail["In-Reply-To"] is None


def test_later_messages_refer_to_the_first_and_to_the_thread() -> None:
    first = _mail(notification(id=7))
    fixed = notification(id=8, transition=2, root={"message_id": first["Message-ID"], "refused": {}})
    later = _mail(fixed)
    assert later["In-Reply-To"] == first["Message-ID"]
    assert later["References"].split() == [first["References"], first["Message-ID"]]
    assert later["Message-ID"] != first["Message-ID"]
    other = _mail(notification(id=9, message=message(thread="alert-2")))
    assert other["References"] != first["References"]


def test_every_attempt_has_the_same_message_id_and_another_store_another() -> None:
    note = notification(id=7)
    again = dataclasses.replace(note, attempts=3, ambiguous=True)
    assert _mail(again)["Message-ID"] == _mail(note)["Message-ID"]
    elsewhere = dataclasses.replace(note, created_at=note.created_at.replace(microsecond=1000))
    assert _mail(elsewhere)["Message-ID"] != _mail(note)["Message-ID"]


def test_ids_are_on_the_wire_as_they_are_whatever_the_domain() -> None:
    sender = address(f"ci@{'notifications.' * 3}com")
    first = compose(notification(id=10**6), channel="x", sender=sender, to=TEAM)
    note = notification(id=7, root={"message_id": first["Message-ID"]})
    raw = bytes(compose(note, channel="x", sender=sender, to=TEAM))
    assert raw.count(str(first["Message-ID"]).encode()) == 2
    assert raw.count(b"@notifications.notifications.notifications.com>") == 4


def test_a_very_long_domain_is_replaced_in_the_ids() -> None:
    mail = _mail(notification(id=7), sender=address(f"ci@{'very-long.' * 20}example.com"))
    assert re.fullmatch(r"<[0-9a-f.]+@[0-9a-f]{16}\.invalid>", mail["Message-ID"])


def test_text_and_html_say_the_same() -> None:
    wanted = message(
        facts=(
            Fact(name="Build", value="#812", url="https://ci.example.com/812"),
            Fact(name="Branch", value="a <b> & c"),
        ),
        details="step 1\n  boom",
        links=(Link(label="Log", url="https://ci.example.com/log?a=1&b=2"),),
    )
    mail = _mail(notification(message=wanted))
    text = _part(mail, "plain")
    assert text == (
        "🔴 deploy / main failed\n"
        "   │ step 1\n"
        "   │   boom\n"
        "   Build   #812  https://ci.example.com/812\n"
        "   Branch  a <b> & c\n"
        "   Log: https://ci.example.com/log?a=1&b=2\n"
        "\n"
        "-- \n"
        "2026-11-20 12:00 UTC · sent by buildwatch\n"
    )
    html = _Html(_part(mail, "html"))
    assert html.links == ["https://ci.example.com/812", "https://ci.example.com/log?a=1&b=2"]
    for said in ("deploy / main failed", "#812", "a <b> & c", "step 1\n  boom", "Log", "2026-11-20 12:00 UTC"):
        assert said in html.text


@pytest.mark.parametrize("tone", Tone)
def test_the_card_has_the_colour_of_its_tone_and_dark_mode(tone: Tone) -> None:
    html = _part(_mail(notification(message=message(tone=tone))), "html")
    assert f"border-top:4px solid {COLOURS[tone]}" in html
    assert "prefers-color-scheme: dark" in html


def test_tables_strips_and_charts_are_in_text_and_html() -> None:
    wanted = samples(NOON)["digest"]
    mail = _mail(notification(id=7, message=wanted))
    html, text = _Html(_part(mail, "html")), _part(mail, "plain")
    for table in wanted.tables:
        assert table.title in html.text
        assert table.title in text
        for row in table.rows:
            assert all(cell.text in html.text and cell.text in text for cell in row)
    (image,) = [part for part in mail.walk() if part.get_content_maintype() == "image"]
    assert image["Content-ID"] == "<chart1.1a1f8d3ea00.1.1.7@example.com>"
    assert image["Content-Disposition"] == "inline"
    assert 'src="cid:chart1.1a1f8d3ea00.1.1.7@example.com"' in _part(mail, "html")
    assert 'alt="' in _part(mail, "html")


def test_without_pillow_the_chart_is_a_line_of_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_chart, "_pillow", lambda: None)
    mail = _mail(notification(message=samples(NOON)["digest"]))
    assert mail.get_content_type() == "multipart/alternative"
    assert not [part for part in mail.walk() if part.get_content_maintype() == "image"]
    assert "▁" in _part(mail, "html")


def test_a_strip_of_many_days_has_shades_and_a_short_one_numbers() -> None:
    rows = (HeatRow(name="web", shares=(0.5,) * 30, value="50 %", url="https://ci.example.com/web"),)
    long = Heat(title="A month", columns=tuple(map(str, range(30))), rows=rows)
    short = Heat(title="Three", columns=(), rows=(HeatRow(name="api", shares=(1.0, 0.25, None)),))
    html = _part(_mail(notification(message=message(heats=(long, short)))), "html")
    assert html.count('class="share-2"') == 30
    assert 'title="29: 50 %"' in html
    assert ">25</td>" in html
    assert 'title="unknown"' in html


def test_without_html_only_the_text_is_left() -> None:
    mail = _mail(notification(), extent=Extent.TEXT)
    assert mail.get_content_type() == "text/plain"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_inject_neither_headers_nor_markup(hostile: str) -> None:
    wanted = message(
        headline=hostile,
        facts=(Fact(name=hostile, value=hostile, url=hostile),),
        details=hostile,
        links=(Link(label=hostile, url=hostile), Link(label=hostile, url="https://ci.example.com/1")),
        charts=(Chart(title=hostile, columns=(hostile,), values=(1.0,), unit=hostile),),
        heats=(Heat(title=hostile, columns=(hostile,), rows=(HeatRow(name=hostile, shares=(0.5,), value=hostile),)),),
        tables=(Table(title=hostile, columns=(hostile,), rows=((Cell(text=hostile, url=hostile),),), more=1),),
        notes=(hostile,),
        thread=hostile,
    )
    mail = _mail(notification(message=wanted), channel=hostile)
    plain = _mail(notification(), channel="x")
    assert sorted(mail.keys()) == sorted(plain.keys())
    html = _Html(_part(mail, "html"))
    assert set(html.tags) <= {
        "html", "head", "meta", "title", "style", "body", "div", "h1", "table", "tr", "td", "a", "pre", "p", "span",
        "br", "th",
    }  # fmt: skip
    assert html.links == ["https://ci.example.com/1"]
    assert len(mail["Subject"]) <= 200


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=300))
def test_any_headline_survives_the_subject(text: str) -> None:
    mail = _mail(notification(message=message(headline=text)))
    first = _part(mail, "plain").split("\n")[0]
    shown = first if len(first) <= 200 else first[:199] + "…"
    assert mail["Subject"] == shown
