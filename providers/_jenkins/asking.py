"""Asking a Jenkins about one build: many small requests under one deadline, and what failed in a few words."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from requests import Response

from domain.build import Build
from providers._base import ProviderError, Trouble, Unavailable
from providers._http import Answer, check_status
from providers._jenkins.client import JenkinsClient
from providers._jenkins.names import job_of_branch, path_of

CALL_SECONDS: Final = 15.0
JSON_CAP: Final = 4 << 20
_OK: Final = 200

_WORDS: Final = {
    Trouble.CONNECTION: "the connection broke",
    Trouble.TIMEOUT: "no answer in time",
    Trouble.TLS: "no TLS connection",
    Trouble.TOO_LARGE: "too large",
    Trouble.REDIRECT: "redirects elsewhere",
    Trouble.NOT_JSON: "not JSON",
}
_FINAL: Final = frozenset({Trouble.AUTH, Trouble.NOT_FOUND, Trouble.TOO_LARGE, Trouble.REDIRECT})
_BUILD: Final = re.compile(r"(?:^|/)(job/(?:[^?#\\\s]+/)?\d+)/?$")


class Unread(Exception):
    """A part that could not be read, why in a few words, and the error that it is for the whole."""

    def __init__(self, words: str, error: ProviderError, status: int | None = None) -> None:
        super().__init__(words)
        self.error = error
        self.status = status  # of the answer; None: there was none, or it was not what it should be

    @property
    def absent(self) -> bool:
        """The server says that there is no such thing."""
        return self.status in {404, 410}

    @property
    def may_pass(self) -> bool:
        """Whether a later try may help."""
        return self.error.trouble not in _FINAL


class Asker:
    """Asks about one build at its path below the server's URL.

    Args:
        client: Of the server.
        place: The path, with a slash at the end.
        seconds: That all requests together may take.
        clock: Monotonic.
    """

    def __init__(
        self, client: JenkinsClient, place: str, *, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.place = place
        self._client = client
        self._clock = clock
        self._deadline = clock() + seconds
        self._stopped: Unread | None = None

    @property
    def url(self) -> str:
        """Of the build, for people."""
        return self._client.url + self.place

    @property
    def version(self) -> tuple[int, ...] | None:
        """Of the server; None: not known."""
        numbers = (self._client.version or "").split("-")[0].split(".")
        return tuple(map(int, numbers)) if all(each.isascii() and each.isdigit() for each in numbers) else None

    def at(self, place: str) -> "Asker":
        """The same, about another build of the server, with what is left of the time."""
        there = Asker(self._client, place, seconds=self._deadline - self._clock(), clock=self._clock)
        there._stopped = self._stopped
        return there

    def tree(self, tree: str, below: str = "", cap: int = JSON_CAP) -> dict[str, Any]:
        """The object of the remote API at `below`, pruned. Raises Unread."""
        return self._object(f"{below}api/json", {"tree": tree}, cap)

    def json(self, below: str, cap: int = JSON_CAP) -> dict[str, Any]:
        """An object that a plug-in answers with. Raises Unread."""
        return self._object(below, None, cap)

    def _object(self, below: str, query: Mapping[str, str] | None, cap: int) -> dict[str, Any]:
        seconds = self._seconds()
        try:
            answer = self._client.asked(self.place + below, query, cap=cap, seconds=seconds)
        except ProviderError as error:
            raise self._unread(error) from error
        if answer.status != _OK:
            raise self._refused(answer)
        try:
            return self._client.parsed(answer)
        except ProviderError as error:
            raise self._unread(error) from error

    @contextmanager
    def opened(self, below: str, query: Mapping[str, str] | None = None) -> Iterator[Response]:
        """An answer of 200 before its body is read. Raises Unread, also for what breaks while it is read."""
        seconds = self._seconds()
        try:
            with self._client.opened(self.place + below, query, seconds=seconds) as response:
                if response.status_code != _OK:
                    asked = response.url or self.url
                    headers, status = response.headers, response.status_code
                    raise self._refused(Answer(status=status, headers=headers, body=b"", url=asked, asked=asked))
                yield response
        except ProviderError as error:
            raise self._unread(error) from error

    def _seconds(self) -> float:
        if self._stopped is not None:
            raise self._stopped
        left = self._deadline - self._clock()
        if left <= 0:
            raise Unread("no time was left", Unavailable(Trouble.TIMEOUT, f"{self.url} takes too long to tell of"))
        return min(CALL_SECONDS, left)

    def _unread(self, error: ProviderError) -> Unread:
        return Unread(_WORDS.get(error.trouble, str(error.trouble)), error)

    def _refused(self, answer: Answer) -> Unread:
        """The error that a status is; a limit of the rate ends all asking."""
        unread = Unread(f"HTTP {answer.status}", error_of(answer), answer.status)
        if unread.error.trouble is Trouble.RATE_LIMIT:
            self._stopped = unread
        return unread


def error_of(answer: Answer) -> ProviderError:
    """What the status of an answer means, for one that is not 200."""
    try:
        check_status(answer, ())
    except ProviderError as error:
        return error
    raise AssertionError("no status is acceptable")


def place_of(url: str, build: Build) -> str | None:
    """The path of a build below the server's URL, with a slash at the end; None when nothing tells it."""
    if build.url and build.url.startswith(url) and (place := place_in(build.url[len(url) :])):
        return place
    key = build.pipeline.key
    if build.pipeline.branched:
        if build.branch is None:
            return None
        key = f"{key}/{job_of_branch(build.branch)}"
    return f"{path_of(key)}{build.number}/"


def place_in(url: object) -> str | None:
    """The path of a build below its server, out of a URL that starts with whatever that server is told it is called."""
    found = _BUILD.search(url) if isinstance(url, str) else None
    if found is None or ".." in found[1].split("/"):
        return None
    return f"{found[1]}/"
