"""Patterns for the names of pipelines and branches, as people know them from CI files.

`*` stands for anything within one part of a path, `**` for anything across parts, `?` for one character other
than `/`, `[abc]` and `[!abc]` for one of (or none of) a few characters. Everything else stands for itself.
`**/` also stands for nothing, so that `**/nightly` matches `nightly` at the top.
"""

import re
from functools import lru_cache

_TOKEN = re.compile(
    r"(?P<deep>\*\*/)|(?P<across>\*\*)|(?P<within>\*)|(?P<one>\?)|\[(?P<not>!)?(?P<set>.[^\]]*)\]|.", re.DOTALL
)
_FIXED = {"deep": "(?:.*/)?", "across": ".*", "within": "[^/]*", "one": "[^/]"}


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches the pattern; upper and lower case are different."""
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(_translated(token) for token in _TOKEN.finditer(pattern)), re.DOTALL)


def _translated(token: re.Match[str]) -> str:
    kind = token.lastgroup
    if kind == "set":
        characters = re.sub(r"([\\\[\]^&~|])", r"\\\1", token["set"])
        return f"[{'^/' if token['not'] else ''}{characters}]"
    return _FIXED[kind] if kind in _FIXED else re.escape(token[0])
