"""GitHub's REST API as the provider needs it: one GET at a time, and lists by their Link header."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from providers._base import Refused, Trouble, Unavailable
from providers._github.auth import Credentials, fingerprint
from providers._github.quota import Quota
from providers._http import CALL_SECONDS, REDIRECTS, Answer, Http, check_status

PAGE: Final = 100  # GitHub's maximum; more is silently cut to it
_MOVED: Final = (301, 307, 308)  # the repository was renamed
_OURS: Final = (200, *REDIRECTS, 304, 401, 403, 404, 410, 429)
_ACCEPT: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """An ETag, and for which URL and token it was given."""

    value: str
    of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, its ETag, and the query of the next page."""

    answer: Answer
    tag: Tag | None
    next_query: dict[str, str] | None

    @property
    def unchanged(self) -> bool:
        """304: as it was when the ETag was given."""
        return self.answer.status == 304  # noqa: PLR2004

    @property
    def found(self) -> bool:
        """Whether it is there at all."""
        return self.answer.status != 404  # noqa: PLR2004

    @property
    def moved(self) -> bool:
        """Whether the server sent us elsewhere: a repository was renamed."""
        return self.answer.url != self.answer.asked

    def json(self) -> Any:
        """The parsed body."""
        return self.answer.json()


class Client:
    """Asks one GitHub server as one set of credentials."""

    def __init__(self, http: Http, api_url: str, credentials: Credentials, quota: Quota) -> None:
        self._http = http
        self._api_url = api_url
        self._credentials = credentials
        self._quota = quota

    def has_room(self) -> bool:
        """Whether what is not urgent may be asked for."""
        return self._quota.has_room()

    def insist_on_room(self) -> None:
        """Raises Unavailable (paced) when what is left of the limits is for polling."""
        wait = self._quota.room_in()
        if wait > 0:
            text = "GitHub's rate limit is nearly reached: what is left of it is for polling"
            raise Unavailable(Trouble.PACED, text, retry_after=wait)

    def get(
        self,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        tag: Tag | None = None,
        may_be_gone: bool = False,
        deadline: float | None = None,
    ) -> Reply:
        """GET below the API's base.

        Args:
            path: Starts with a slash.
            query: Parameters.
            tag: Sent along when it belongs to this URL and the current token.
            may_be_gone: 404 is an answer, not an error.
            deadline: On the monotonic clock, when it is earlier than the 30 seconds of a call.

        Raises:
            Unavailable: everything that passes; rate limits hold for the whole provider.
            Refused: credentials or permissions.
        """
        url = self._api_url + path
        seconds = CALL_SECONDS if deadline is None else min(CALL_SECONDS, deadline - time.monotonic())
        answer, key = self._authorised(url, query, tag, seconds=seconds)
        check_status(answer, (200, 304, 404) if may_be_gone else (200, 304))
        value = answer.headers.get("ETag")
        return Reply(answer=answer, tag=Tag(value=value, of=key) if value else None, next_query=_next_query(answer))

    def place(self, path: str, *, deadline: float) -> Answer:
        """Where GitHub keeps a file (a redirect, good for a minute), the file itself (200), or 404 and 410.

        Raises as `get`.
        """
        seconds = min(CALL_SECONDS, deadline - time.monotonic())
        answer, _ = self._authorised(self._api_url + path, seconds=seconds, followed=_MOVED, may_leave=True)
        return check_status(answer, (200, *REDIRECTS, 404, 410))

    def pages(
        self, path: str, query: Mapping[str, str | int] | None = None, *, may_be_gone: bool = False
    ) -> Iterator[Reply]:
        """All pages of a list, by rel=next. Only its query is used: it may name another host or path."""
        asked: Mapping[str, str | int] | None = {"per_page": PAGE, **(query or {})}
        while asked is not None:
            reply = self.get(path, asked, may_be_gone=may_be_gone)
            yield reply
            following = reply.next_query
            if following == asked:
                raise Unavailable(Trouble.SUSPICIOUS, f"{self._api_url}{path}: the next page is this page")
            asked = following

    def _authorised(
        self, url: str, query: Mapping[str, str | int] | None = None, tag: Tag | None = None, **how: Any
    ) -> tuple[Answer, str]:
        """The answer with the current token, or with a new one where the old one has just ended."""
        token = self._credentials.token()
        answer, key = self._ask(url, query, tag, token, **how)
        if answer.status == 401 and token and self._credentials.forget(token):  # noqa: PLR2004
            answer, key = self._ask(url, query, tag, self._credentials.token(), **how)
        if answer.status == 401:  # noqa: PLR2004
            raise Refused(Trouble.AUTH, f"{url} does not accept the token (401): it is wrong, revoked or expired")
        self._quota.learn(answer)
        return answer, key

    def _ask(
        self,
        url: str,
        query: Mapping[str, str | int] | None,
        tag: Tag | None,
        token: str | None,
        **how: Any,
    ) -> tuple[Answer, str]:
        self._quota.spend()
        headers = dict(_ACCEPT)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        key = fingerprint(token, f"{url}?{sorted((query or {}).items())}")
        if tag is not None and tag.of == key:
            headers["If-None-Match"] = tag.value
        return self._http.get(url, params=query, headers=headers, accept=_OURS, **how), key


def _next_query(answer: Answer) -> dict[str, str] | None:
    for part in answer.headers.get("Link", "").split(","):
        target, _, relation = part.partition(";")
        if 'rel="next"' in relation.replace(" ", ""):
            return dict(parse_qsl(urlsplit(target.strip().strip("<>")).query))
    return None
