"""Foreign text made harmless once, where it comes in.

A branch name may hold NUL (PostgreSQL refuses it), a lone surrogate (nothing can encode it), a right-to-left
override or an escape sequence. Providers and ingest clean every string with these two functions, so that
no output has to think of it again. The original stays only in the quarantined raw form of a build.
"""

import unicodedata
from urllib.parse import urlsplit

NAME_LIMIT = 255
URL_LIMIT = 2000
TITLE_LIMIT = 300
EXCERPT_LIMIT = 16 * 1024

_ELLIPSIS = "…"
_REPLACEMENT = "\ufffd"
_HARMLESS_FORMAT = frozenset("\u200d\ufe0e\ufe0f")  # joins and variants of emoji
_MAX_COMBINING = 8  # marks on one character: more is zalgo


def clean(text: str, limit: int = NAME_LIMIT, *, lines: bool = False) -> str:
    """The text with control and bidi characters shown as escapes, cut to `limit` characters with an ellipsis.

    `lines` keeps line breaks and tabs, for log excerpts.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    cleaned: list[str] = []
    combining = 0
    for character in text[: limit + 1]:
        category = unicodedata.category(character)
        combining = combining + 1 if category in {"Mn", "Me"} else 0
        if combining <= _MAX_COMBINING:
            cleaned.append(_shown(character, category, lines=lines))
    result = "".join(cleaned)
    return result if len(result) <= limit else result[: limit - 1] + _ELLIPSIS


def _shown(character: str, category: str, *, lines: bool) -> str:
    if category == "Cs" or character == "\0":
        return _REPLACEMENT
    if lines and character in "\n\t":
        return character
    if category in {"Cc", "Zl", "Zp"} or (category == "Cf" and character not in _HARMLESS_FORMAT):
        code = ord(character)
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004
    return character


def clean_url(url: str | None) -> str | None:
    """The URL when it is http(s) with a host and of sane length, else None: `javascript:` never gets in."""
    if not url or len(url) > URL_LIMIT or not url.isprintable() or any(character in url for character in " <>\"'\\"):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and host else None
