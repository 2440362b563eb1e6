"""Templates give messages their form within bounds; when they fail, ours is sent and says so."""

import logging
from pathlib import Path
from typing import Any

import pytest

from alerts.channels._base import TemplateError
from alerts.channels._mail_template import MailTemplate
from alerts.channels._plain import tidy
from alerts.channels._slack_template import SlackTemplate
from alerts.channels._template import Template, form_of
from alerts.writing.samples import samples
from domain.message import Cell, Chart, Fact, Heat, HeatRow, Message, Table
from tests.support.block_kit import check_card
from tests.support.builders import NOON, message
from tests.support.hostile import HOSTILE

SAMPLES = samples(NOON)
PATH = Path("/etc/buildwatch/card.j2")

SLACK = """[
{"type": "header", "text": {"type": "plain_text", "text": {{ message.headline|truncate(140)|tojson }}}}
{% if message.facts %}, {"type": "section", "fields": [
{% for fact in message.facts[:10] %}
{"type": "mrkdwn", "text": {{ ("*" ~ fact.name ~ "*\n" ~ fact.value)|truncate(500)|tojson }}}{{ "," if not loop.last }}
{% endfor %}
]}{% endif %}
]"""


def _rendered(text: str, told: Message | None = None, **options: Any) -> str:
    return Template(PATH, text, **options).render(tidy(told or message()))


def _error(text: str) -> str:
    with pytest.raises(TemplateError) as caught:
        _rendered(text)
    return str(caught.value)


def test_a_template_sees_the_whole_message() -> None:
    told = message(
        facts=(Fact(name="Branch", value="main"),),
        charts=(Chart(title="Rate", columns=("Mon", "Tue"), values=(90.0, 50.0)),),
        heats=(Heat(title="Days", columns=("Mon",), rows=(HeatRow(name="web", shares=(1.0, 0.1, None)),)),),
        tables=(Table(title="Members", rows=((Cell(text="web"),),)),),
    )
    text = (
        "{{ message.headline }}|{{ message.tone }}|{% for fact in message.facts %}{{ loop.index }}{{ loop.length }}"
        "{{ fact.name }}={{ fact.value.upper() }}{% endfor %}|{{ message.charts[0]|spark }}|"
        "{{ message.heats[0].rows[0].shares|squares }}|{{ message.tables|map(attribute='title')|join(', ') }}"
    )
    assert _rendered(text, told) == (
        "🔴 deploy / main failed|broken|11Branch=MAIN|█▁ last 50 %, lowest 50 %|🟩🟥⬜|Members"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("one\n{{ message.nothing }}", ":2: 'domain.message.Message object' has no attribute 'nothing'"),
        ("{{ mesage.headline }}", ":1: 'mesage' is undefined"),
        ("one\n\n{% if %}", ":3: Expected an expression, got 'end of statement block'"),
        ("{{ 1 / 0 }}", ":1: ZeroDivisionError: division by zero"),
        ("{{ message|nothing }}", ":1: No filter named 'nothing'."),
    ],
)
def test_an_error_names_file_and_line(text: str, says: str) -> None:
    assert _error(text) == f"{PATH}{says}"


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ message.__class__ }}",
        "{{ message.__init__.__globals__ }}",
        "{{ (message|attr('__class__')) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'x' as x %}",
        "{% extends 'base' %}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ '%s'|format(message) }}",
        "{{ '{0.__class__}'.format(message) }}",
        "{{ message.facts.append(1) }}",
    ],
)
def test_a_template_reaches_neither_python_nor_files(text: str) -> None:
    assert str(PATH) in _error(text)


BOMBS = [
    ("{% for a in range(9000) %}{% for b in range(9000) %}{% endfor %}{% endfor %}", "takes longer than 1 s"),
    ("{% for a in range(9999) %}{{ message.headline * 9 }}{% endfor %}", "writes more than 100000 characters"),
    ("{{ range(10**9)|length }}", "a range may have 10000 numbers"),
    ("{{ 'x' * 10**9 }}", "repeats too often"),
    ("{{ 10**9 * 'x' }}", "repeats too often"),
    ("{{ [1] * 10**9 }}", "repeats too often"),
    ("{{ 9 ** 99 }}", "raises to a power above 64"),
    ("{{ '%1000000000d' % 1 }}", "formats with %"),
    ("{{ 'x'.ljust(10**9) }}", "unsafe"),
    ("{% set n = namespace(x='x') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}", "makes more than"),
    ("{% set n = namespace(x='x') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}", "makes more than"),
    ("{% set n = namespace(x=2) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}", "too great a number"),
    ("{{ ('x' * 90000)|replace('x', 'y' * 1001) }}", "replaces with more than 1000"),
    ("{{ ('x' * 90000)|replace('x', 'yy') }}", "makes more than"),
    ("{{ ('x' * 90000)|join('y' * 1001) }}", "joins with more than 1000"),
    ("{% macro m(n) %}{{ m(n - 1) }}{{ m(n - 1) }}{% endmacro %}{{ m(99) }}", "RecursionError"),
    ("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}", "takes longer"),
    ("x" * 100_001, "makes more than"),
    ("{% filter upper %}{{ 'x' * 90000 }}{{ 'x' * 90000 }}{% endfilter %}", "makes more than"),
]


GROWING = "{%% set ns = namespace(x=%s) %%}{%% for i in range(40) %%}{%% set ns.x = %s %%}{%% endfor %%}{{ ns.x }}"
BOMBS += [
    ("{{ range(9)|batch(100000000, 'x')|list|length }}", "makes rows of more than 1000"),
    ("{{ [1]|slice(100000000)|list|length }}", "cuts into more than 1000 parts"),
    ("{{ 10|round(-999999999) }}", "rounds to more than 15 digits"),
    ("{{ range(9)|list|tojson(indent=100000000) }}", "indents by more than 8 characters"),
    (GROWING % ("[1]", "[ns.x, ns.x]"), "makes more than 100000 characters"),
    (GROWING % ("[1]", "(ns.x, ns.x)"), "makes more than 100000 characters"),
    (GROWING % ("{}", "{1: ns.x, 2: ns.x}"), "makes more than 100000 characters"),
]


@pytest.mark.parametrize(("text", "says"), BOMBS)
def test_a_bomb_does_not_go_off(text: str, says: str) -> None:
    assert says in _error(text)


def test_what_is_allowed_works() -> None:
    assert (
        _rendered("{% filter upper %}a{% endfilter %}{{ 2 ** 3 }}{{ 'ab' * 2 }}{{ [3, 1]|sort|join('-') }}")
        == "A8abab1-3"
    )
    assert (
        _rendered("{{ 'a b'.split()|map('upper')|join(' ') }}{{ 'aaa'|replace('a', 'b', 2) }}{{ 7 % 4 }}") == "A Bbba3"
    )
    assert (
        _rendered("{% for a in [1, 2] recursive %}{{ a }}{% endfor %}{% for i in range(3) %}{{ i }}{% endfor %}")
        == "12012"
    )
    assert _rendered("{{ [1, 2, 3]|batch(2)|list }}{{ [1, 2]|slice(2)|list }}") == "[[1, 2], [3]][[1], [2]]"
    assert _rendered("{% for a, b in {1: 2}.items() %}{{ a }}{{ b }}{% endfor %}{{ 1.26|round(1) }}") == "121.3"


def test_html_is_escaped_and_nothing_switches_that_off() -> None:
    nasty = message(headline="<script>alert(1)</script>")
    assert "<script>" not in MailTemplate(PATH, "<h1>{{ message.headline }}</h1>").render(tidy(nasty))
    for text in ("{{ message.headline|safe }}", "{% autoescape false %}{{ message.headline }}{% endautoescape %}"):
        with pytest.raises(TemplateError):
            MailTemplate(PATH, text).render(tidy(nasty))


def test_a_mail_template_has_the_colour_the_time_and_the_pictures() -> None:
    text = "{{ colour }} {{ at }} {% for cid in pictures %}{{ cid }}{% endfor %}"
    assert MailTemplate(PATH, text).render(tidy(message()), ["a@b"]) == "#c62828 2026-11-20 12:00 UTC a@b"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_slack_template_makes_blocks(name: str) -> None:
    card = SlackTemplate(PATH, SLACK).render(tidy(SAMPLES[name]))
    check_card(card)
    assert card[0]["type"] == "header"


@pytest.mark.parametrize("hostile", [text for text in HOSTILE if len(text) < 300])
def test_hostile_names_notify_nobody_through_a_slack_template(hostile: str) -> None:
    told = tidy(message(headline=hostile, facts=(Fact(name=hostile, value=hostile),)))
    check_card(SlackTemplate(PATH, SLACK).render(told))


def test_a_link_in_a_slack_template_ends_where_its_address_does() -> None:
    text = (
        '[{"type": "section", "text": {"type": "mrkdwn", "text": {{ ("<" ~ message.facts[0].url ~ "|x>")|tojson }}}}]'
    )
    told = tidy(message(facts=(Fact(name="a", value="b", url="https://ci.example.com/?a=1&b=|x"),)))
    card = SlackTemplate(PATH, text).render(told)
    assert card[0]["text"]["text"] == "<https://ci.example.com/?a=1&amp;b=%7Cx|x>"


def test_blocks_may_stand_in_an_object() -> None:
    assert SlackTemplate(PATH, '{"blocks": [{"type": "divider"}]}').render(message()) == [{"type": "divider"}]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[{", "not JSON: Expecting property name enclosed in double quotes: line 1 column 3"),
        ("[" * 9_000, "not JSON"),
        ("{}", "must be a list of at least one block"),
        ("[]", "must be a list of at least one block"),
        ("7", "must be a list of at least one block"),
        ('[{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]', "block 1: a header's text must be an object"),
        ('[{"type": "nothing"}]', "block 1: must be an object whose type is one of actions, context"),
        (
            f'[{{"type": "header", "text": {{"type": "plain_text", "text": "{"x" * 151}"}}}}]',
            "from 1 to 150 characters, not 151",
        ),
    ],
)
def test_what_slack_would_refuse_is_an_error(text: str, says: str) -> None:
    with pytest.raises(TemplateError) as caught:
        SlackTemplate(PATH, text).render(tidy(message()))
    assert str(caught.value).startswith(str(PATH))
    assert says in str(caught.value)


def test_while_a_template_fails_ours_is_sent_with_a_note_and_the_log_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    text = "{% if message.facts %}fine{% else %}\n{{ message.facts[0].name }}{% endif %}"
    form = form_of(Template(PATH, text), instead_of=lambda told: told.notes[-1])
    note = "Built-in form, for the template failed: card.j2:2: "
    assert [form(message())[: len(note)] for _ in range(2)] == [note, note]
    assert form(message(facts=(Fact(name="a", value="b"),))) == "fine"
    assert form(message()).startswith(note)
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO", "ERROR"]
    assert f"{PATH}:2" in caplog.records[0].getMessage()


def test_without_a_template_the_form_is_ours() -> None:
    assert form_of(None, instead_of=str) is str
