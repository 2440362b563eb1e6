"""A name for a failure that no rule knows: its first error line without what differs from build to build."""

import re

LIMIT = 120

_TEMPORARY = re.compile(
    r"(?<![\w.])(?:/(?:tmp|var/folders|private/var|private/tmp|var/tmp|run/user)/[^\s'\"`:;,)\]>]{1,300}"
    r"|/(?:home|root|Users|builds?|data|opt|mnt|github|__w|runner|var/lib/jenkins|var/jenkins_home|srv|workspace|usr/local|usr/lib)(?:/[^\s'\"`:;,()\[\]<>/]{1,100}){1,30}/(?=[^\s/'\"`:;,()\[\]<>]))"
)
_WINDOWS = re.compile(r"\b[A-Za-z]:\\(?:[^\s'\"`:;,()\[\]<>\\]{1,100}\\){1,30}")
_FOLDED = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\bsha(?:1|256|512)[:-][0-9a-zA-Z+/=]{6,128}"), "<hash>"),
    (
        re.compile(r"\b\d{4}-\d\d-\d\d(?:[T _]\d\d[:_-]\d\d(?:[:_-]\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?"),
        "<time>",
    ),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\b"), "<time>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<hex>"),
    (re.compile(r"\b(?=[0-9a-f]{0,63}\d)(?=[0-9a-f]{0,63}[a-f])[0-9a-f]{7,64}\b"), "<hash>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"), "<address>"),
    (re.compile(r"\b\d+(?:\.\d+)?\s?(?:ms|us|µs|ns|s|sec|secs|seconds?|m|min|minutes?|h|hours?)\b"), "<duration>"),
    (re.compile(r"\b\d+(?:\.\d+)?\s?(?:[KMGT]i?B|[KMG]|bytes)\b"), "<size>"),
    (re.compile(r"(?<=[A-Za-z_-])[A-Za-z]*\d[\w]{7,}(?=\b)"), "<n>"),
    (re.compile(r"(?<![A-Za-z<])[+-]?\d+(?:[.,]\d+)*"), "<n>"),
)
_QUOTED = re.compile(r"'([^'\n]{25,})'|\"([^\"\n]{25,})\"|`([^`\n]{25,})`")
_SPACES = re.compile(r"\s+")
_NOTHING_BUT = re.compile(r"(?:<\w+>|\W|_)*")


def signature(line: str) -> str | None:
    """The line with numbers, hashes, ids, times, paths and long quotations folded; None when nothing is left of it.

    At most 120 characters, the same for failures that are the same.
    """
    text = _TEMPORARY.sub(_folded_path, _WINDOWS.sub("", line[:2_000]))
    text = _QUOTED.sub(lambda found: found[0][0] + "…" + found[0][-1], text)
    for pattern, name in _FOLDED:
        text = pattern.sub(name, text)
    text = _SPACES.sub(" ", text).strip(" -|:*=#")
    if _NOTHING_BUT.fullmatch(text[:LIMIT]):
        return None
    return text if len(text) <= LIMIT else text[: LIMIT - 1].rstrip() + "…"


def _folded_path(found: re.Match[str]) -> str:
    """Of a path that differs from machine to machine the file remains, of a temporary one nothing."""
    return "" if found[0].endswith("/") else "<path>"
