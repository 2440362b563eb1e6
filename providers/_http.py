"""The one HTTP reader of all providers: bounded in time, bytes and redirects, and with errors in our words.

`Http` is for providers that speak HTTP themselves. `fetch` does the same on a session that somebody else made
(python-jenkins' own), once `BoundedAdapter` is mounted on it.
"""

import json
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import orjson
import requests
from requests import PreparedRequest, Request, Response, Session
from requests.cookies import extract_cookies_to_jar
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from providers._base import Refused, Trouble, Unavailable
from providers._causes import in_our_words, shown
from providers._sessions import PerThread
from providers._wire import BoundedAdapter, TooLargeError, UndecodableError, read_capped

BYTE_CAP: Final = 32 * 1024 * 1024
CALL_SECONDS: Final = 30.0
CONNECT_SECONDS: Final = 10.0
_MOST_DIGITS: Final = 1000  # Python refuses to read 4300
MAX_REDIRECTS: Final = 3
RETRIES: Final = 2
_RETRIED_STATUS: Final = frozenset({500, 502, 503, 504})
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_USER_AGENT: Final = "buildwatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer. `url` is where it came from after redirects; `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str
    asked: str  # the URL before redirects

    def json(self) -> Any:
        """The parsed body. Raises Unavailable (not json) for HTML, a cut body, or anything else.

        A lone surrogate in one branch name, a NaN or an endless number does not spoil the rest of an answer.
        """
        for read in (orjson.loads, _leniently):  # the strict one is the fast one
            try:
                return read(self.body)
            except (ValueError, RecursionError):
                if self.body.lstrip()[:1] not in {b"{", b"["}:
                    break
        kind = "HTML, perhaps a login page or a proxy," if self._is_html() else "something"
        raise Unavailable(Trouble.NOT_JSON, f"{shown(self.asked)} answered {self.status} with {kind} that is not JSON")

    def _is_html(self) -> bool:
        return "html" in self.headers.get("Content-Type", "").lower() or self.body.lstrip()[:1] == b"<"


def _leniently(body: bytes) -> Any:
    """What orjson refuses and the standard library reads, as values that can be written as JSON again."""
    return _writable(
        json.loads(
            body,
            parse_int=lambda digits: int(digits) if len(digits) < _MOST_DIGITS else digits,
            parse_float=lambda digits: number if isfinite(number := float(digits)) else None,
            parse_constant=lambda _: None,  # NaN, Infinity
        )
    )


def _writable(value: Any) -> Any:
    """U+FFFD for lone surrogates: nothing could store them."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_writable(key): _writable(each) for key, each in value.items()}
    return [_writable(each) for each in value] if isinstance(value, list) else value


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: what has to be equal before credentials go anywhere."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def bounded(
    session: Session, *, trust_env: bool = False, proxy: str | None = None, verify: bool | str = True
) -> Session:
    """Give a session our adapters and say explicitly what it may take from the environment; returns it."""
    adapter = BoundedAdapter(pool_connections=2, pool_maxsize=2)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    session.trust_env = trust_env  # ~/.netrc, *_PROXY, REQUESTS_CA_BUNDLE
    session.verify = verify
    if proxy:
        session.proxies = {"http": proxy, "https": proxy}
    session.headers["Accept-Encoding"] = "gzip"  # the one that the capped reader decodes
    return session


def fetch(
    session: Session,
    request: PreparedRequest,
    *,
    seconds: float = CALL_SECONDS,
    cap: int = BYTE_CAP,
    retries: int = RETRIES,
    followed: Collection[int] = REDIRECTS,
    may_leave: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Send a prepared request on a session that `bounded` has seen, and read the whole answer.

    Follows at most 3 redirects within the same origin, of the kinds in `followed`; others are answers, and so is one
    to another origin when the server `may_leave`, which is an error else. A GET is tried again after a broken
    connection or a 5xx, at most `retries` times with a short jittered pause, all within `seconds` of the monotonic
    clock. Retry-After is never slept on.

    Returns:
        The answer, whatever its status.

    Raises:
        Unavailable: connection, timeout, tls, too large, redirect, not json (undecodable).
        Refused: tls, when the certificate does not verify or the `ca_file` cannot be read.
    """
    deadline = time.monotonic() + seconds
    left = retries if request.method == "GET" else 0
    while True:
        try:
            answer = _follow(session, request, deadline, cap, followed, may_leave=may_leave)
        except Unavailable as error:
            if left <= 0 or error.trouble is not Trouble.CONNECTION:
                raise
        else:
            if left <= 0 or answer.status not in _RETRIED_STATUS:
                return answer
        left -= 1
        wait = random.uniform(0.1, 0.5) * (retries - left)  # noqa: S311  (spreads load, hides nothing)
        if time.monotonic() + wait >= deadline:
            left = 0
        else:
            pause(wait)


def _prepared(session: Session, request: Request) -> PreparedRequest:
    try:
        return session.prepare_request(request)
    except (requests.RequestException, ValueError) as error:
        raise in_our_words(error, request.url or "", late=False) from error


def _follow(
    session: Session,
    request: PreparedRequest,
    deadline: float,
    cap: int,
    followed: Collection[int],
    *,
    may_leave: bool,
) -> Answer:
    asked = request.url or ""
    for _ in range(MAX_REDIRECTS + 1):
        answer = _exchange(session, request, deadline, cap, asked)
        target = answer.headers.get("Location")
        if answer.status not in followed or not target or (may_leave and _leaves(request.url or "", target)):
            return answer
        request = _redirected(request, target)
    raise Unavailable(Trouble.REDIRECT, f"{shown(asked)} redirects more than {MAX_REDIRECTS} times")


def _leaves(here: str, target: str) -> bool:
    try:
        return origin(urljoin(here, target)) != origin(here)
    except ValueError:
        return True


def _redirected(request: PreparedRequest, target: str) -> PreparedRequest:
    """The same request at another place of the same origin; credentials never leave it."""
    here = request.url or ""
    try:
        there = urljoin(here, target)
        same = origin(there) == origin(here)
    except ValueError:
        raise Unavailable(Trouble.REDIRECT, f"{shown(here)} redirects to something that is not a URL") from None
    if not same or request.method != "GET":
        raise Unavailable(
            Trouble.REDIRECT,
            f"{shown(here)} redirects to {shown(there)[:200]}: only GET within the same scheme, host and port is "
            "followed; set the URL in config.yaml to where the server really is",
        )
    followed = request.copy()
    followed.url = requests.utils.requote_uri(there.partition("#")[0])
    return followed


def _options(session: Session, url: str) -> dict[str, Any]:
    """How to connect. requests' own merging costs a tenth of a request, and only matters with an environment."""
    if session.trust_env:
        return dict(session.merge_environment_settings(url, {}, True, session.verify, session.cert))  # noqa: FBT003
    return {"proxies": session.proxies, "verify": session.verify, "cert": session.cert, "stream": True}


@contextmanager
def opened(session: Session, request: PreparedRequest, deadline: float, asked: str) -> Iterator[Response]:
    """The answer to one request, redirects included, before its body is read; whatever breaks is in our words.

    The adapter is called directly: `Session.send` would read redirect bodies uncapped.
    """
    url = request.url or ""
    left = deadline - time.monotonic()
    if left <= 0:
        raise Unavailable(Trouble.TIMEOUT, f"{shown(asked)} did not answer in time")
    options = _options(session, url)
    timeout: Any = Timeout(total=left, connect=min(CONNECT_SECONDS, left))
    try:
        response = session.get_adapter(url).send(request, timeout=timeout, **options)
        try:
            yield response
        finally:
            response.close()
    except (TooLargeError, UndecodableError, requests.RequestException, HTTPError, OSError) as error:
        raise in_our_words(error, asked, late=time.monotonic() >= deadline) from error


def _exchange(session: Session, request: PreparedRequest, deadline: float, cap: int, asked: str) -> Answer:
    """One request, one answer."""
    with opened(session, request, deadline, asked) as response:
        body = read_capped(response, cap)
    extract_cookies_to_jar(session.cookies, request, response.raw)  # type: ignore[no-untyped-call]
    url = request.url or ""
    return Answer(status=response.status_code, headers=response.headers, body=body, url=url, asked=asked)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The Retry-After header in seconds, at most a day; None when absent or a date (nobody here sends one)."""
    text = headers.get("Retry-After", "").strip()
    return min(float(text), 86400.0) if text.isascii() and text.isdigit() else None


def check_status(answer: Answer, accept: Collection[int] = (200, 304)) -> Answer:
    """The answer, when its status is acceptable; else the error that the status means for any server.

    Raises:
        Refused: auth (401, 403).
        Unavailable: not found, rate limit, server error.
    """
    if answer.status in accept:
        return answer
    where, status = shown(answer.asked), answer.status
    if status == 401:  # noqa: PLR2004
        raise Refused(Trouble.AUTH, f"{where} does not accept the credentials (401)")
    if status == 403:  # noqa: PLR2004
        raise Refused(Trouble.AUTH, f"{where} refuses access (403): the credentials lack a permission")
    if status in {404, 410}:
        raise Unavailable(Trouble.NOT_FOUND, f"{where} is not there ({status}), or the credentials may not see it")
    if status == 429:  # noqa: PLR2004
        wait = retry_after(answer.headers)
        raise Unavailable(Trouble.RATE_LIMIT, f"{where} limits the rate (429)", retry_after=wait, provider_wide=True)
    raise Unavailable(Trouble.SERVER_ERROR, f"{where} answered {status}", retry_after=retry_after(answer.headers))


class Http:
    """A provider's way to its server: one bounded session per thread, never any state of the environment by accident.

    Args:
        headers: Sent with every request.
        trust_env: Whether ~/.netrc, *_PROXY and REQUESTS_CA_BUNDLE count.
        proxy: URL of a proxy for everything.
        ca_file: Certificates of an own authority, PEM.
        verify: False switches the check of certificates off.
        pause: Sleeps between the quick retries of one call.
    """

    def __init__(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        trust_env: bool = False,
        proxy: str | None = None,
        ca_file: Path | None = None,
        verify: bool = True,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._headers = {"User-Agent": _USER_AGENT, **(headers or {})}
        self._trust_env = trust_env
        self._proxy = proxy
        self._verify: bool | str = str(ca_file) if ca_file and verify else verify
        self._pause = pause
        self._sessions = PerThread(self._opened)

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (200, 304),
        cap: int = BYTE_CAP,
        followed: Collection[int] = REDIRECTS,
        may_leave: bool = False,
        seconds: float = CALL_SECONDS,
    ) -> Answer:
        """GET, bounded as `fetch` says; raises what `fetch` and `check_status` raise."""
        session = self._sessions.get()
        request = _prepared(session, Request("GET", url, params=params, headers=headers))
        answer = fetch(
            session, request, seconds=seconds, cap=cap, followed=followed, may_leave=may_leave, pause=self._pause
        )
        return check_status(answer, accept)

    @contextmanager
    def stream(self, url: str, *, headers: Mapping[str, str], deadline: float) -> Iterator[Response]:
        """GET once; the answer as it comes, whatever its status, for `read_capped` and `read_end`.

        Raises Unavailable and Refused as `fetch`, also for what breaks while the body is read.
        """
        session = self._sessions.get()
        request = _prepared(session, Request("GET", url, headers=headers))
        with opened(session, request, deadline, url) as response:
            yield response

    def post(
        self,
        url: str,
        *,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Collection[int] = (200, 201),
        seconds: float = CALL_SECONDS,
    ) -> Answer:
        """POST, once and without redirects; raises what `fetch` and `check_status` raise."""
        session = self._sessions.get()
        request = _prepared(session, Request("POST", url, json=json, headers=headers))
        return check_status(fetch(session, request, seconds=seconds), accept)

    def close(self) -> None:
        """Close the sessions of all threads. A later call opens a new one."""
        self._sessions.close()

    def _opened(self) -> Session:
        session = bounded(Session(), trust_env=self._trust_env, proxy=self._proxy, verify=self._verify)
        session.headers.update(self._headers)
        return session
