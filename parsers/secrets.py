"""Secrets in foreign text, found by their form alone.

Only forms that leave little doubt: a log that is full of stars helps nobody. What the configuration knows to be
secret is redacted elsewhere, by its value. All patterns take linear time: every repetition is bounded, or ends
where the next match could begin.
"""

import re

_HIDDEN = "[redacted]"
_NAMES = (
    r"(?:[A-Za-z0-9]{1,40}[_.-]){0,6}"
    r"(?:password|passwd|passphrase|pwd|secret|token|api_?key|access_?key|secret_?key|private_?key|credentials?)"
)

_WHOLE = re.compile(
    r"""
      \bgh[pousr]_[A-Za-z0-9]{16,255}\b                                     # GitHub: of people and apps
    | \bghs_\d{1,4}_eyJ[\w-]{4,4000}\.[\w-]{4,4000}\.[\w-]{4,4000}          # GitHub: installation, since 2026
    | \bgithub_pat_[A-Za-z0-9_]{20,255}\b
    | \bglpat-[\w-]{20,64}
    | \bnpm_[A-Za-z0-9]{36}\b
    | \bpypi-AgE[\w-]{50,1000}
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                                         # AWS: the id of a key
    | \bAIza[\w-]{35}\b                                                     # Google
    | \bya29\.[\w-]{20,1000}
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,250}                                   # Slack
    | \bxapp-\d-[A-Za-z0-9-]{10,250}
    | \bsk_live_[A-Za-z0-9]{20,100}\b                                       # Stripe
    | \bhvs\.[\w-]{24,200}                                                  # Vault
    | \bdckr_pat_[\w-]{20,100}
    | \beyJ[\w-]{8,4000}\.eyJ[\w-]{4,4000}\.[\w-]{4,4000}                   # JSON Web Token
    | https://hooks\.slack\.com/(?:services|workflows|triggers)/[\w/+-]{8,200}
    | https://[\w.-]{1,100}\.webhook\.office\.com/[\w@/.-]{8,400}
    | https://discord(?:app)?\.com/api/webhooks/\d{5,25}/[\w-]{20,100}
    """,
    re.VERBOSE,
)
_KEY_BLOCK = re.compile(
    r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)[^-]*(?:(-----END [A-Z0-9 ]{0,40}-----)|(?=-)|\Z)"
)
_KEY_END = re.compile(
    r"()^(?:[A-Za-z0-9+/=]{16,80}\n)+(-----END [A-Z0-9 ]{0,40}PRIVATE KEY)", re.MULTILINE
)  # of one cut off above
_IN_URL = re.compile(r"(?<=://)([^\s/:@'\"<>]{1,200}):([^\s/@'\"<>]{1,500})@")
_TOKEN_IN_URL = re.compile(r"(?<=://)[A-Za-z0-9_-]{20,500}@")
_HEADER = re.compile(
    r"(?i)\b((?:proxy-)?authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:(?:basic|bearer|token|digest|aws4-hmac-sha256)\s{1,3})?)"
    r"(?!\*\*\*|\$|\[redacted|(?:basic|bearer|token|digest)\s)[^\s\"',*$][^\s\"',]{3,4000}"
)
_BEARER = re.compile(r"(?i)\b(bearer\s{1,3})(?=[\w.~+/-]{0,400}\d)[\w.~+/-]{20,4000}=*")
_HEADERS = re.compile(
    r"(?i)\b((?:x-api-key|x-auth-token|private-token|set-cookie|cookie)\s{0,3}:\s{0,3})(?!\*\*\*)[^\s\"']{6,4000}"
)
_ASSIGNED = re.compile(
    rf"(?i)(?<![A-Za-z0-9])({_NAMES}[\"']?\s{{0,3}}(?:=|:\s?|=>)\s{{0,3}})"
    r"(?:\"([^\"\s]{4,500})\"|'([^'\s]{4,500})'|([^\s\"',;&()\[\]{}<>]{4,500}+)(?![(\[]))"
)
_FLAG = re.compile(
    r"(?i)((?<!\S)--?(?:[a-z]{1,20}-){0,3}(?:password|passwd|token|secret|api-?key)\s{1,3})(?!-)([^\s\"'$<\[(*{]{6,500})"
)
_HARMLESS = re.compile(
    r"(?i)[*x.•]{3,}|\d+\.\d+\Z|[$%{<\[(]|(?:true|false|null|none|undefined|nil|yes|no|not|missing|empty|invalid|expired|required|unset|set|"
    r"string|str|int|object|type|value|given|using|is|was|for|the|and|has|from|failed|error|unable|could|cannot|redacted|masked|hidden)\b"
)
_WORDS = re.compile(r"[A-Za-z][a-z]*(?:[._-]?[A-Za-z][a-z]*)*[.!?:]?\Z|[\d.]{1,8}\Z")


_MARKS = (
    *("://", "key", "token", "secret", "passw", "passphrase", "pwd", "credential", "authorization", "bearer", "cookie"),
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "npm_", "pypi-age", "akia", "asia", "aiza"),
    *("ya29.", "xox", "xapp-", "sk_live_", "hvs.", "dckr_pat_", "eyj"),
)


def redacted(text: str) -> str:
    """The text with whatever has the form of a secret replaced; everything else as it was."""
    folded = text.lower()
    if not any(mark in folded for mark in _MARKS):  # saves most of the time with names of tests and titles
        return text
    if "PRIVATE KEY" in text:
        text = _KEY_END.sub(_blanked, _KEY_BLOCK.sub(_blanked, text))
    text = _WHOLE.sub(_HIDDEN, text)
    text = _IN_URL.sub(lambda found: found[0] if _HARMLESS.match(found[2]) else f"{found[1]}:{_HIDDEN}@", text)
    text = _TOKEN_IN_URL.sub(f"{_HIDDEN}@", text)
    for pattern in (_HEADER, _BEARER, _HEADERS):
        text = pattern.sub(rf"\1{_HIDDEN}", text)
    text = _ASSIGNED.sub(_without_value, text)
    return _FLAG.sub(lambda found: found[0] if _plain(found[2]) else f"{found[1]}{_HIDDEN}", text)


def _blanked(found: re.Match[str]) -> str:
    """A key gone, its lines still there: what is line 7 stays line 7."""
    first, last = found[1], found[2] or ""
    return f"{first}{_HIDDEN}{chr(10) * found[0].count(chr(10))}{last}"


def _without_value(found: re.Match[str]) -> str:
    """`password=hunter2` loses its value, `token: expected` does not: that is a sentence."""
    quoted = found[2] or found[3]
    value = quoted or found[4]
    if _HARMLESS.match(value) or value.startswith(_HIDDEN) or (quoted is None and _plain(value, found[1])):
        return found[0]
    quote = '"' if found[2] else "'" if found[3] else ""
    return f"{found[1]}{quote}{_HIDDEN}{quote}"


def _plain(value: str, before: str = "") -> bool:
    """Whether it reads like a word of a sentence or of a program. After `=`, words too are values."""
    if _HARMLESS.match(value):
        return True
    return not before.rstrip().endswith("=") and _WORDS.match(value) is not None
