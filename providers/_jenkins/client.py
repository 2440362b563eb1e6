"""Asking a Jenkins server: one session per thread, JSON in, our errors out."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.text import clean
from providers._base import ProviderError, Trouble, Unavailable
from providers._http import Answer, check_status
from providers._sessions import PerThread

if TYPE_CHECKING:
    from requests import Response

    from providers._jenkins.session import JenkinsSession

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the server takes us for. `name` is None for anonymous, and when it does not say."""

    name: str | None

    @property
    def known(self) -> bool:
        """Whether the credentials are known to work."""
        return self.name is not None


class JenkinsClient:
    """Everything that is read from one server. Safe to use from several threads.

    Args:
        url: Of the server, with its context path.
        credentials: User name and API token; None reads as anonymous.
        trust_env: Whether ~/.netrc, *_PROXY and REQUESTS_CA_BUNDLE count.
        verify: False, or a file with certificates of an own authority.
        pause: Sleeps between the quick retries of one call.
    """

    def __init__(
        self,
        url: str,
        *,
        credentials: tuple[str, str] | None,
        trust_env: bool = False,
        verify: bool | str = True,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/") + "/"
        self.anonymous = credentials is None
        self._credentials = credentials
        self._trust_env = trust_env
        self._verify = verify
        self._pause = pause
        self._sessions = PerThread(self._opened)
        self._started: str | None = None
        self.version: str | None = None  # of the server, as far as it was heard of

    def get(self, path: str, tree: str) -> dict[str, Any]:
        """The object at a path below the server's URL (`""` or `job/name/`), pruned to `tree`.

        Raises:
            Unavailable: connection, timeout, server error, not found, not json, too large, redirect, rate limit.
            Refused: auth, tls.
        """
        return self.parsed(self.answer(path, tree))

    def answer(self, path: str, tree: str) -> Answer:
        """The same with its headers; an answer other than 200 is an error."""
        answer = check_status(self._sessions.get().ask(path, tree), (200,))
        self._note_restart(answer.headers)
        return answer

    def parsed(self, answer: Answer) -> dict[str, Any]:
        """The JSON object of an answer."""
        value = answer.json()
        if not isinstance(value, dict):
            raise Unavailable(
                Trouble.NOT_JSON, f"{self.url} answered with JSON that is not an object; is it a Jenkins?"
            )
        return value

    def asked(self, path: str, query: Mapping[str, str] | None, *, cap: int, seconds: float) -> Answer:
        """The answer at a path below the server's URL, whatever its status. Raises as `get` but for statuses."""
        answer = self._sessions.get().fetched(path, query, cap=cap, seconds=seconds)
        self._note_restart(answer.headers)
        return answer

    def opened(
        self, path: str, query: Mapping[str, str] | None, *, seconds: float
    ) -> AbstractContextManager["Response"]:
        """The same before its body is read, once, and redirects are answers."""
        return self._sessions.get().opened(path, query, seconds=seconds)

    def identity(self) -> Identity:
        """Who we are. Raises Unavailable when the server cannot say just now, Refused when it rejects us."""
        for path, field in (("me/", "id"), ("whoAmI/", "name")):
            try:
                said = self.get(path, "id,fullName,name,anonymous")
            except ProviderError as error:
                if error.trouble is Trouble.NOT_FOUND or (error.trouble is Trouble.AUTH and self.anonymous):
                    continue
                raise
            name = said.get(field)
            if isinstance(name, str) and name and name != "anonymous" and said.get("anonymous") is not True:
                return Identity(name=clean(name))
        return Identity(name=None)

    def close(self) -> None:
        """Close the sessions of all threads; a later call opens a new one."""
        self._sessions.close()

    def _opened(self) -> "JenkinsSession":
        from providers._jenkins.session import JenkinsSession  # noqa: PLC0415  (python-jenkins only when polled)

        return JenkinsSession(
            self.url,
            credentials=self._credentials,
            trust_env=self._trust_env,
            verify=self._verify,
            pause=self._pause,
        )

    def _note_restart(self, headers: Mapping[str, str]) -> None:
        self.version = headers.get("X-Jenkins") or self.version
        started = headers.get("X-Jenkins-Session")
        if started and self._started and started != self._started:
            _LOG.info("Jenkins has been restarted url=%s", self.url)
        self._started = started or self._started
