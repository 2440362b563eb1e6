"""python-jenkins, held on a short lead. Import this lazily: it costs what python-jenkins costs.

Its constructor reads the environment, its `retries` has no effect, it knows no total timeout, follows redirects
anywhere, asks for a crumb that an API token does not need, and tells a restart (503) as "does not exist". What stays
is its knowledge of URLs and requests: everything that goes over the wire goes through `providers._http`.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import jenkins
import requests
from requests.auth import HTTPBasicAuth

from providers._http import Answer, bounded, fetch, opened


class JenkinsSession(jenkins.Jenkins):
    """One thread's connection to one server. An answer of any status is an answer; judging it is not done here."""

    def __init__(
        self,
        url: str,
        *,
        credentials: tuple[str, str] | None,
        trust_env: bool,
        verify: bool | str,
        pause: Callable[[float], None],
    ) -> None:
        super().__init__(url)
        self._pause = pause
        self._session = bounded(requests.Session(), trust_env=trust_env, verify=verify)
        self._session.headers["User-Agent"] = "buildwatch"
        self._session.auth = (
            HTTPBasicAuth(*(part.encode() for part in credentials)) if credentials else None  # UTF-8, not latin-1
        )
        self._auth_resolved = True
        self.crumb = False

    def ask(self, path: str, tree: str) -> Answer:
        """The answer to `<server>/<path>api/json?tree=<tree>`; raises Unavailable or Refused as `fetch` does."""
        request = requests.Request("GET", f"{self.server}{path}api/json", params={"tree": tree})
        answer: Any = self.jenkins_request(request, add_crumb=False)
        return answer  # type: ignore[no-any-return]

    def fetched(self, path: str, query: Mapping[str, str] | None, *, cap: int, seconds: float) -> Answer:
        """The answer to `<server>/<path>?<query>`; raises Unavailable or Refused as `fetch` does.

        Tried twice at most: what is asked for may be dear to the server.
        """
        request = self._prepared(path, query)
        return fetch(self._session, request, cap=cap, seconds=seconds, retries=1, pause=self._pause)

    def opened(
        self, path: str, query: Mapping[str, str] | None, *, seconds: float
    ) -> AbstractContextManager[requests.Response]:
        """The same before its body is read; asked once, and redirects are answers."""
        request = self._prepared(path, query)
        return opened(self._session, request, time.monotonic() + seconds, request.url or "")

    def _prepared(self, path: str, query: Mapping[str, str] | None) -> requests.PreparedRequest:
        return self._session.prepare_request(requests.Request("GET", f"{self.server}{path}", params=query))

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    # python-jenkins calls these two; its stubs leave them out.
    def _request(self, req: requests.Request, stream: Any = None) -> Any:  # noqa: ARG002  (its signature; we always stream)
        return fetch(self._session, self._session.prepare_request(req), pause=self._pause)

    def _response_handler(self, response: Any) -> Any:
        return response
