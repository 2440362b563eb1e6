"""Keeps secrets out of everything that is logged.

Libraries show them where one does not expect it: requests puts the path of a webhook into its exceptions, a
traceback shows arguments. So the filter knows every loaded secret in the forms in which it travels.
"""

import base64
import json
import logging
import re
import traceback
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from typing_extensions import override

HIDDEN = "[hidden]"
_SHORTEST = 6  # shorter secrets would hide half of the language
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class Redaction(logging.Filter):
    """A filter for the root handler. Also usable by hand: `redact(text)`.

    Args:
        secrets: the values to hide; those under 6 characters are left out.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Hide these too. Secrets of an earlier configuration stay known: they may still be under way."""
        known = self._secrets | {secret for secret in secrets if len(secret) >= _SHORTEST}
        if known == self._secrets:
            return
        forms = {form for secret in known for form in _forms(secret) if len(form) >= _SHORTEST}
        self._pattern = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True))))
        self._secrets = known

    def redact(self, text: str) -> str:
        """The text with `[hidden]` for every secret in it."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Hide secrets in message, arguments, exception, stack and extras. Lets every record through."""
        if self._pattern is None:
            return True
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001  (a wrong format must not keep a secret from being hidden)
            message = f"{record.msg!r} % {record.args!r}"
        record.msg, record.args = self.redact(message), None
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if record.exc_text:
            record.exc_text = self.redact(record.exc_text)
            record.exc_info = None  # formatters show exc_text; nobody can format the exception anew
        if record.stack_info:
            record.stack_info = self.redact(record.stack_info)
        for name in [name for name in record.__dict__ if name not in _OWN]:
            setattr(record, name, self._redacted(getattr(record, name)))
        return True

    def _redacted(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {self._redacted(key): self._redacted(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._redacted(inner) for inner in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        text = str(value)
        hidden = self.redact(text)
        return value if hidden == text else hidden


def _forms(secret: str) -> Iterator[str]:
    """A secret as it may appear: plain, in URLs, in base64, in reprs and JSON; of a URL also its telling parts."""
    for text in {secret, secret.strip(), *_parts(secret)}:
        yield text
        yield from (quote(text, safe=""), quote(text), quote_plus(text))
        yield from (quote(text, safe="").replace("%2F", "%2f"), _lower_escapes(quote(text, safe="")))
        yield from (repr(text)[1:-1], json.dumps(text)[1:-1], text.encode("unicode_escape").decode())
        yield from _base64_forms(text.encode(errors="surrogatepass"))


def _lower_escapes(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text)


def _parts(secret: str) -> Iterator[str]:
    """The path of a secret URL (a webhook's), the password in it, and the lines of a private key."""
    if "://" in secret:
        try:
            url = urlsplit(secret)
        except ValueError:
            return
        if len(url.path) > _SHORTEST:
            yield url.path
            yield url.path.lstrip("/")
        if url.password:
            yield url.password
        if url.query:
            yield url.query
    lines = [line.strip() for line in secret.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= 16 and not line.startswith("-----"))  # noqa: PLR2004


def _base64_forms(content: bytes) -> Iterator[str]:
    """Base64 of the secret, and what it looks like inside the base64 of a longer text at each of three offsets."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(content).decode().rstrip("=")
        for offset in range(3):
            encoded = encode(bytes(offset) + content).decode().rstrip("=")
            first = (offset * 8 + 5) // 6
            whole = (offset + len(content)) * 8 // 6
            yield encoded[first:whole]
