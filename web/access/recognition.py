"""Who is calling: a token, a name and password, a session, or the person that a trusted proxy names."""

import base64
import binascii
import hmac
import math
from collections.abc import Callable, Iterable
from hashlib import sha256

from starlette.requests import HTTPConnection

from domain.text import clean
from web.access.limits import Buckets
from web.access.origins import client_of, is_behind_proxy, neighbourhood
from web.access.scopes import CHALLENGE, Caller
from web.access.sessions import COOKIE, Sessions
from web.problems import ProblemError
from web.settings import Access, Scope, Settings, Token, User

WRONG_PER_SECOND = 0.1
WRONG_AT_ONCE = 10
LONG = 16  # characters of a token that nobody finds by trying

NOBODY_ASKED = Caller(name="", scope=Scope.ADMIN)
"""Everybody who reaches an address without `web.auth`; only this machine does."""


class Recognition:
    """Knows callers by what they show, and makes those wait who show what is wrong."""

    def __init__(self, sessions: Sessions, monotonic: Callable[[], float]) -> None:
        self.sessions = sessions
        self._wrong = Buckets(WRONG_PER_SECOND, WRONG_AT_ONCE, monotonic)

    def caller(self, connection: HTTPConnection, settings: Settings) -> Caller | None:
        """Who is calling; None when they say nothing about it. Raises ProblemError when what they say is wrong."""
        access = settings.access
        if access is None:
            return NOBODY_ASKED
        given = connection.headers.get("authorization") or _offered(connection)
        if given is not None:
            return self._authorized(given, access, client_of(connection, settings))
        if access.proxy_header is not None and is_behind_proxy(connection, settings):
            named = connection.headers.getlist(access.proxy_header)
            if len(named) > 1:  # the first may be the client's own
                raise ProblemError(400, f"{access.proxy_header} comes twice: the proxy must replace it")
            if named and named[0].strip():
                return Caller(name=clean(named[0].strip()), scope=access.proxy_scope, is_person=True)
        cookie = connection.cookies.get(COOKIE)
        session = self.sessions.recognize(cookie, access.known) if cookie else None
        if session is None:
            return None
        return Caller(name=session.who.name, scope=session.who.scope, is_person=True, csrf=session.csrf)

    def log_in(self, name: str, password: str, settings: Settings, client: str) -> User | Token | None:
        """Whose name and password (or token) these are; None: nobody's. Raises ProblemError after too many."""
        access = settings.access or Access()
        keys = _keys(client, name)
        self._make_wait(keys)
        found: User | Token | None = None
        for who in access.known:
            # All are compared, so that the time tells nothing about who exists.
            if _same(_secret(who), password) and who.name == name:
                found = who
        if found is None:
            self._count(keys)
        return found

    def _authorized(self, given: str, access: Access, client: str) -> Caller:
        kind, _, credentials = given.partition(" ")
        keys = _keys(client)
        who: User | Token | None = None
        if kind.lower() == "bearer":
            who = _owner(access.tokens, credentials.strip())
        elif kind.lower() == "basic":  # what feed readers can send
            name, password = _decoded(credentials)
            keys = _keys(client, name)
            users = [user for user in access.users if user.name == name]
            who = _owner(users, password) or _owner(access.tokens, password)
        if who is None or _is_guessable(who):
            self._make_wait(keys)  # also who is right: the answer would tell it
        if who is None:
            self._count(keys)
            raise ProblemError(401, "this token or password is unknown here", headers={"WWW-Authenticate": CHALLENGE})
        return Caller(name=who.name, scope=who.scope, is_person=isinstance(who, User))

    def _make_wait(self, keys: Iterable[str]) -> None:
        wait = max(map(self._wrong.wait, keys))
        if wait > 0:
            detail = "too many wrong tokens or passwords: wait a moment"
            raise ProblemError(429, detail, headers={"Retry-After": str(math.ceil(wait))})

    def _count(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._wrong.take(key)


OFFERED = "bearer."  # before a token that is offered as a protocol


def _keys(client: str, name: str | None = None) -> tuple[str, ...]:
    """Whose wrong tries are counted together."""
    address = f"address {neighbourhood(client)}"
    return (address,) if name is None else (address, f"name {_digest(name).hex()}")


def _is_guessable(who: User | Token) -> bool:
    """Long tokens are made by chance: their owner need not wait because a neighbour shows a wrong one."""
    return isinstance(who, User) or len(_secret(who)) < LONG


def _offered(connection: HTTPConnection) -> str | None:
    """The token that a page offers with a WebSocket, as its protocol `bearer.TOKEN`: it can set no header there.

    Not in the address: that is in every log on the way.
    """
    for protocol in connection.scope.get("subprotocols", ()):
        if protocol.startswith(OFFERED):
            return f"Bearer {protocol.removeprefix(OFFERED)}"
    return None


def _owner(all_of_them: Iterable[User | Token], given: str) -> User | Token | None:
    found: User | Token | None = None
    for who in all_of_them:
        if _same(_secret(who), given):
            found = who
    return found


def _secret(who: User | Token) -> str:
    return (who.password if isinstance(who, User) else who.token).get_secret_value()


def _same(ours: str, given: str) -> bool:
    """Compared in a time that depends on neither, nor on their lengths."""
    return hmac.compare_digest(_digest(ours), _digest(given))


def _digest(text: str) -> bytes:
    return sha256(text.encode(errors="surrogatepass")).digest()


def _decoded(credentials: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    name, _, password = text.partition(":")
    return name, password
