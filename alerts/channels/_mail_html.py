"""A message as the HTML of a mail: one column, readable on a phone, in the light and in the dark."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from alerts.channels._characters import ends, line, numbers, numeric_columns, shade, spark
from domain.message import SIGNS, Fact, Message, Tone

if TYPE_CHECKING:
    from jinja2 import Template

COLOURS: Mapping[Tone, str] = {
    Tone.BROKEN: "#c62828",
    Tone.WORSE: "#b26a00",
    Tone.FIXED: "#1e7d34",
    Tone.NOTE: "#1a66c2",
}
_BANDS: Mapping[Tone, str] = {
    Tone.BROKEN: "#fdeeee",
    Tone.WORSE: "#fff5e2",
    Tone.FIXED: "#eaf6ed",
    Tone.NOTE: "#ebf3fd",
}
_LABELS: Mapping[Tone, str] = {
    Tone.BROKEN: "Broken",
    Tone.WORSE: "Attention",
    Tone.FIXED: "Fine",
    Tone.NOTE: "For your information",
}
_PAINT = (
    "background:#a5dcb2; color:#0d4420;",
    "background:#f5e29b; color:#574400;",
    "background:#f8bf87; color:#632c00;",
    "background:#f3a19d; color:#661210;",
)
_UNKNOWN_PAINT = "background:#eceef1; color:#646b77;"
_PREVIEW_LIMIT = 140
_SHORT_NAME, _SHORT_VALUE = 13, 28  # characters of a fact that takes half of the width


def html_of(message: Message, pictures: Sequence[str | None]) -> str:
    """A tidy message as an HTML document; `pictures` are the content ids of its charts, None where one is not drawn."""
    sign, _, rest = message.headline.partition(" ")
    return _template().render(
        message=message,
        headline=rest if sign in SIGNS.values() else message.headline,
        label=_LABELS[message.tone],
        preview=_preview(message),
        pictures=pictures,
        at=moment(message),
        colour=COLOURS[message.tone],
        band=_BANDS[message.tone],
        colours=COLOURS,
    )


def moment(message: Message) -> str:
    """When it was written: `2026-11-21 14:05 UTC`."""
    return f"{message.at:%Y-%m-%d %H:%M %Z}"


def _preview(message: Message) -> str:
    """What a list of mails shows after the subject."""
    told = " · ".join(f"{fact.name}: {fact.value}" for fact in message.facts)
    return " ".join(told.split())[:_PREVIEW_LIMIT]


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - 70 ms, only who mails pays

    loader = PackageLoader("alerts.channels", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "bars": line,
        "ends": ends,
        "is_short": _is_short,
        "numbers": numbers,
        "numeric": numeric_columns,
        "paint": _paint,
        "percent": _percent,
        "shade": _shade,
        "spark": spark,
    }
    return environment.get_template("message.html")


def _is_short(fact: Fact) -> bool:
    """Whether it takes half of the width only."""
    return len(fact.name) <= _SHORT_NAME and len(fact.value) <= _SHORT_VALUE and "\n" not in fact.value


def _shade(share: float | None) -> str:
    index = shade(share)
    return "none" if index is None else str(index)


def _paint(share: float | None) -> str:
    index = shade(share)
    return _UNKNOWN_PAINT if index is None else _PAINT[index]


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"
