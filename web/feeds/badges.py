"""Badges: a label and a word on coloured ground, as SVG that needs no font and no other file."""

from web.feeds.markup import escaped

GREEN, RED, GREY, DARK = "#1f7a3d", "#c22d2d", "#666", "#444"  # white text on each has a contrast above 4.5
HEIGHT = 20
LONGEST = 60  # characters of a part
_PADDING = 6
# Widths of DejaVu Sans and Verdana at 11 px, in classes: exact enough, because `textLength` makes the text fit.
_NARROW, _WIDE = frozenset("iljftrI.,:;|!'()[]/ "), frozenset("mwMW@%")


def badge(label: str, message: str, colour: str) -> str:
    """The picture. Both texts may be anything."""
    label, message = _cut(label), _cut(message)
    left, right = width(label) + 2 * _PADDING, width(message) + 2 * _PADDING
    total, title = left + right, escaped(f"{label}: {message}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{HEIGHT}" role="img" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<clipPath id="r"><rect width="{total}" height="{HEIGHT}" rx="3" fill="#fff"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="{HEIGHT}" fill="{DARK}"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{colour}"/></g>'
        f'<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{_text(label, left / 2)}{_text(message, left + right / 2)}</g></svg>"
    )


def width(text: str) -> int:
    """About how wide a text is, in pixels."""
    return round(sum(_width(character) for character in text))


def _width(character: str) -> float:
    if not character.isascii():
        return 11.0 if ord(character) >= 0x1100 else 7.0  # noqa: PLR2004  (from here on scripts are twice as wide)
    return 4.4 if character in _NARROW else 10.4 if character in _WIDE else 7.2


def _text(text: str, middle: float) -> str:
    if not text:
        return ""
    return (
        f'<text x="{middle:g}" y="14" textLength="{width(text)}" lengthAdjust="spacingAndGlyphs">{escaped(text)}</text>'
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
