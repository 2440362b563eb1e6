"""Sessions of people: a signed cookie, and a list of those that were ended.

The key and that list are in the store, so that a restart ends no session and revives none, and another process knows
them. Who changes a password, or takes a person out of config.yaml, ends that person's sessions.
"""

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from store import notes
from store.engine import Database, Session
from store.errors import StoreError
from web.settings import Token, User

COOKIE = "buildwatch_session"
LASTING = timedelta(days=14)
KEY = "web.session_key"
ENDED = "web.ended."  # before the nonce of a session
FRESH = timedelta(seconds=15)  # for so long we need not ask what another process has ended
LONGEST = 1_000  # characters of a cookie


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn:
    """A session that holds."""

    who: User | Token
    csrf: str


class Sessions:
    """Begins, recognizes and ends sessions. May be used from several threads."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now
        self._lock = threading.Lock()
        self._key: bytes | None = None
        self._ended: frozenset[str] = frozenset()
        self._read_at: datetime | None = None

    def open(self) -> None:
        """Read the key, or make it, and what was ended. Raises StoreError while the key is not known."""
        with self._lock:
            if self.is_fresh:
                return
            try:
                if self._key is None:
                    self._key = self._database.transact(self._read_or_make)
                self._ended = self._database.read(_ended)
            except StoreError:
                if self._key is None:
                    raise
            self._read_at = self._now()

    @property
    def is_open(self) -> bool:
        """Whether the key is there, so that a session can be recognized."""
        return self._key is not None

    @property
    def is_fresh(self) -> bool:
        """Whether what was ended elsewhere is known, too."""
        return self._read_at is not None and abs(self._now() - self._read_at) < FRESH

    def begin(self, who: User | Token) -> str:
        """The cookie of a new session."""
        nonce = secrets.token_hex(16)
        issued = int(self._now().timestamp())
        name = _encoded(who.name)
        body = f"{name}.{issued}.{nonce}"
        return f"{body}.{self._signature(body, who)}"

    def recognize(self, cookie: str, people: Iterable[User | Token]) -> LoggedIn | None:
        """Whose session a cookie is, if it holds."""
        parts = cookie.split(".")
        if len(cookie) > LONGEST or len(parts) != len(("name", "issued", "nonce", "signature")):
            return None
        name, issued, nonce, signature = parts
        now = self._now()
        for who in people:
            if _encoded(who.name) != name:
                continue
            if not hmac.compare_digest(self._signature(f"{name}.{issued}.{nonce}", who).encode(), signature.encode()):
                continue
            if now.timestamp() - int(issued) > LASTING.total_seconds() or nonce in self._ended:
                return None
            return LoggedIn(who=who, csrf=self._hash("csrf", nonce))
        return None

    def end(self, cookie: str) -> None:
        """This session, which was recognized, holds no more, even if somebody has a copy. Raises StoreError."""
        nonce, now = cookie.split(".")[-2], self._now()

        def unit(session: Session) -> frozenset[str]:
            over = [key for key, note in notes.read(session, ENDED).items() if note.updated_at < now - LASTING]
            notes.remove(session, over)
            notes.put(session, ENDED + nonce, True, now)  # noqa: FBT003  (when is what counts)
            return _ended(session)

        with self._lock:
            self._ended = self._database.transact(unit)

    def _signature(self, body: str, who: User | Token) -> str:
        secret = who.password if isinstance(who, User) else who.token
        return self._hash("session", body, secret.get_secret_value())

    def _hash(self, *parts: str) -> str:
        if self._key is None:
            self.open()
        text = "\0".join(parts).encode(errors="surrogatepass")
        return hmac.new(self._key or b"", text, hashlib.sha256).hexdigest()

    def _read_or_make(self, session: Session) -> bytes:
        return bytes.fromhex(notes.first(session, KEY, secrets.token_hex(32), self._now()))


def _ended(session: Session) -> frozenset[str]:
    return frozenset(key.removeprefix(ENDED) for key in notes.read(session, ENDED))


def _encoded(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode(errors="surrogatepass")).decode().rstrip("=")
