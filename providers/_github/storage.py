"""Logs and archives, which GitHub does not answer itself: it redirects to a storage, with a link that lives a minute.

The link is its own permission: no credentials go there. It may be anywhere on the internet, by https. A server that
is asked without https, like one in a test, may keep its files without https too, on its own host.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from urllib.parse import urljoin, urlsplit

from requests import Response

from providers._base import ProviderError, Refused, Trouble, Unavailable
from providers._causes import shown
from providers._github.client import Client
from providers._http import BYTE_CAP, MAX_REDIRECTS, REDIRECTS, Answer, Http, check_status, retry_after
from providers._wire import read_capped, read_end

_CUT_BEYOND: Final = 4  # times what is wanted; a shorter file is read through where its storage ignores a Range
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_NEW_LINK: Final = frozenset({Trouble.AUTH, Trouble.CONNECTION, Trouble.SERVER_ERROR})  # may help
_MISSING: Final = 404
_GONE: Final = 410
_REFUSED: Final = frozenset({400, 401, 403})
_OK: Final = 200
_PART: Final = 206
_NOTHING_TO_CUT: Final = 416
_TOO_MANY: Final = 429

Found = TypeVar("Found")


class Missing(Refused):
    """404: it is gone, or GitHub has not put it there yet, as in the first seconds after the end of a run."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a file; `whole` when that is all of it. `is_short` when what comes after it could not be had."""

    body: bytes
    whole: bool
    is_short: bool = False


class Storage:
    """Reads files that GitHub redirects to.

    Args:
        client: The way to GitHub.
        http: The way to the storage.
        public: The same where only public authorities are trusted: a server with an authority of its own may keep
            its files in a public cloud. None: `http` trusts them already.
        deadline: For everything, on the monotonic clock.
    """

    def __init__(self, client: Client, http: Http, public: Http | None, deadline: float) -> None:
        self._client = client
        self._http = http
        self._public = public
        self._deadline = deadline

    def tail(self, path: str, most: int) -> Tail:
        """The last `most` (at least 1) bytes of a file.

        Of a long file only the end goes over the wire where the storage can cut. Else at most 32 MiB are read, and
        these are taken for the file.

        Raises:
            Refused: not found, when the file is gone or has expired; auth.
            Unavailable: whatever may pass.
        """
        found = self._read(path, lambda link: self._end(link, most))
        return replace(found, body=found.body[-most:], whole=found.whole and len(found.body) <= most)

    def whole(self, path: str, limit: int) -> bytes:
        """All of a file. Raises as `tail`, but Refused (too large) beyond `limit` bytes."""
        try:
            found = self._read(path, lambda link: self._followed(link, {}, lambda response: _all(response, limit)))
        except Unavailable as error:
            if error.trouble is not Trouble.TOO_LARGE:
                raise
        else:
            if len(found.body) <= limit:
                return found.body
        raise Refused(Trouble.TOO_LARGE, f"it is larger than {limit} bytes") from None

    def _read(self, path: str, read: Callable[[str], Tail]) -> Tail:
        """What `read` makes of the link; with a new link where that may help."""
        found = self._place(path)
        if isinstance(found, Tail):
            return found
        try:
            return read(found)
        except ProviderError as error:
            if error.trouble not in _NEW_LINK:
                raise
        found = self._place(path)
        return found if isinstance(found, Tail) else read(found)

    def _place(self, path: str) -> str | Tail:
        """The link, or the file itself."""
        answer = self._client.place(path, deadline=self._deadline)
        _insist_on_file(answer.status)
        if answer.status == _OK:
            return Tail(answer.body, whole=True)
        return _allowed(answer.url, answer.headers.get("Location", ""))

    def _end(self, link: str, most: int) -> Tail:
        """Storages differ: Azure's knows `bytes=7-9` and ignores `bytes=-3`, and then tells the size."""
        found = self._followed(link, {"Range": f"bytes=-{most}"}, lambda response: _end_or_size(response, most))
        if isinstance(found, Tail):
            return found
        part = {"Range": f"bytes={found - most}-{found - 1}"}
        return self._followed(link, part, lambda response: _end_of(response, most))

    def _followed(self, link: str, headers: Mapping[str, str], take: Callable[[Response], Found]) -> Found:
        """What `take` makes of the answer behind a link and its redirects."""
        for _ in range(MAX_REDIRECTS + 1):
            found = self._exchange(link, headers, take)
            if not isinstance(found, _Elsewhere):
                return found
            link = _allowed(link, found.location)
        raise Unavailable(Trouble.REDIRECT, f"{shown(link)} redirects more than {MAX_REDIRECTS} times")

    def _exchange(
        self, link: str, headers: Mapping[str, str], take: Callable[[Response], Found]
    ) -> "Found | _Elsewhere":
        try:
            return self._ask(self._http, link, headers, take)
        except Refused as error:
            if self._public is None or error.trouble is not Trouble.TLS:
                raise
        return self._ask(self._public, link, headers, take)

    def _ask(
        self, http: Http, link: str, headers: Mapping[str, str], take: Callable[[Response], Found]
    ) -> "Found | _Elsewhere":
        asked = {"Accept-Encoding": "identity", **headers}  # a part of something compressed could not be read
        with http.stream(link, headers=asked, deadline=self._deadline) as response:
            location = response.headers.get("Location")
            if response.status_code in REDIRECTS and location:
                return _Elsewhere(location)
            return take(response)


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    location: str


def _allowed(here: str, location: str) -> str:
    """Where a redirect leads, if that is a place for files. Raises Unavailable (redirect)."""
    try:
        there = urljoin(here, location)
        old, new = urlsplit(here), urlsplit(there)
        neighbours = new.hostname == old.hostname or {new.hostname, old.hostname} <= _LOOPBACK
    except ValueError:
        raise Unavailable(Trouble.REDIRECT, f"{shown(here)} redirects to something that is not a URL") from None
    secure = new.scheme == "https" or (new.scheme == old.scheme == "http" and neighbours)
    if not location or not secure or not new.hostname or new.username:
        raise Unavailable(Trouble.REDIRECT, f"{shown(here)} redirects to {shown(there)[:200]}, which is no https URL")
    return there


def _end_or_size(response: Response, most: int) -> Tail | int:
    """The end of a file, or its size when all of a long one is on its way and a part of it could be asked for."""
    size = _size(response)
    if response.status_code == _OK and size is not None and size > most * _CUT_BEYOND:
        return size
    return _end_of(response, most)


def _end_of(response: Response, most: int) -> Tail:
    if response.status_code == _NOTHING_TO_CUT:
        return Tail(b"", whole=True)
    if response.status_code == _PART:
        body, _ = read_end(response, most, BYTE_CAP)
        return Tail(body, whole=_starts_at_zero(response))
    _check(response)
    body, received = read_end(response, most, BYTE_CAP)
    return Tail(body, whole=received <= most, is_short=received >= BYTE_CAP)


def _all(response: Response, limit: int) -> Tail:
    _check(response)
    if (_size(response) or 0) > limit:
        raise Refused(Trouble.TOO_LARGE, f"it is larger than {limit} bytes")
    return Tail(read_capped(response, limit), whole=True)


def _size(response: Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _insist_on_file(status: int) -> None:
    """Raises Missing or Refused where a status says that there is none."""
    if status == _MISSING:
        raise Missing(Trouble.NOT_FOUND, f"gone ({status})")
    if status == _GONE:
        raise Refused(Trouble.NOT_FOUND, f"gone ({status})")


def _check(response: Response) -> None:
    """Raises what a status other than 200 means."""
    status, url = response.status_code, response.url or ""
    _insist_on_file(status)
    if status in _REFUSED:
        raise Refused(Trouble.AUTH, f"its storage refuses the link ({status})")
    if status == _TOO_MANY:  # of the storage: nothing about GitHub's own limits
        raise Unavailable(Trouble.SERVER_ERROR, "its storage is busy (429)", retry_after=retry_after(response.headers))
    check_status(Answer(status=status, headers=response.headers, body=b"", url=url, asked=url), (_OK,))


def _starts_at_zero(response: Response) -> bool:
    return re.match(r"bytes 0-", response.headers.get("Content-Range", "")) is not None
