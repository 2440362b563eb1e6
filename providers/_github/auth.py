"""Who buildwatch is on GitHub: nobody, the owner of a token, or an installed App."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2s
from typing import Any, Protocol

from providers._base import Refused, Trouble
from providers._http import Http

_EARLY = 300.0  # an installation token lives an hour: renewed after 55 minutes
_CLOCKS_DISAGREE = 60
_JWT_LIFE = 540  # at most ten minutes


class Credentials(Protocol):
    """Where the bearer token of the next request comes from."""

    def token(self) -> str | None:
        """The token now; None: ask anonymously. May raise what a request raises."""
        ...

    def forget(self, token: str) -> bool:
        """GitHub does not accept this token: whether another one can be had."""
        ...


def fingerprint(token: str | None, url: str) -> str:
    """A name for "this URL as this token sees it": GitHub's ETags depend on the token."""
    return blake2s(f"{token}\n{url}".encode(), digest_size=8).hexdigest()


class FixedToken:
    """A personal access token, or none. Tokens have no fixed length or alphabet: nothing is checked here."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def token(self) -> str | None:
        """The configured token."""
        return self._token

    def forget(self, token: str) -> bool:  # noqa: ARG002  (the port's)
        """There is no other."""
        return False


class AppToken:
    """Installation tokens of a GitHub App, renewed in time. Thread-safe.

    Args:
        http: The way to the server.
        api_url: Where the API is.
        app_id: The App's id or client id.
        private_key: Returns its PEM key: asked for at each use, so that the secret stays in its SecretStr.
        installation_id: Which installation.
        clock: Wall clock, in seconds since 1970.
    """

    def __init__(
        self,
        http: Http,
        *,
        api_url: str,
        app_id: str,
        private_key: Callable[[], str],
        installation_id: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._api_url = api_url
        self._app_id = app_id
        self._private_key = private_key
        self._installation_id = installation_id
        self._clock = clock
        self._lock = threading.Lock()
        self._token: str | None = None
        self._renew_at = 0.0

    def token(self) -> str | None:
        """The current installation token; asks for a new one every 55 minutes."""
        with self._lock:
            if self._token is None or self._clock() >= self._renew_at:
                self._token, self._renew_at = self._request()
            return self._token

    def forget(self, token: str) -> bool:
        """Ask for a new one next time, unless another thread has it already."""
        with self._lock:
            if self._token == token:
                self._token = None
        return True

    def app(self) -> dict[str, Any]:
        """What GitHub knows about the App itself."""
        answer = self._http.get(f"{self._api_url}/app", headers=self._signed())
        found = answer.json()
        return found if isinstance(found, dict) else {}

    def _signed(self) -> dict[str, str]:
        import jwt  # noqa: PLC0415  (with cryptography 10 MiB, which only Apps need)

        now = int(self._clock())
        claims = {"iat": now - _CLOCKS_DISAGREE, "exp": now + _JWT_LIFE, "iss": self._app_id}
        try:
            signed = jwt.encode(claims, self._private_key(), algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError):  # the text may hold parts of the key
            raise Refused(Trouble.AUTH, "`private_key` is not an RSA key in PEM form") from None
        return {"Authorization": f"Bearer {signed}"}

    def _request(self) -> tuple[str, float]:
        url = f"{self._api_url}/app/installations/{self._installation_id}/access_tokens"
        answer = self._http.post(url, headers=self._signed(), accept=(200, 201, 401, 404))
        if answer.status == 401:  # noqa: PLR2004
            raise Refused(
                Trouble.AUTH, f"GitHub does not accept the App {self._app_id}: check `app_id`, `private_key`, our clock"
            )
        if answer.status == 404:  # noqa: PLR2004
            raise Refused(Trouble.AUTH, f"the App {self._app_id} has no installation {self._installation_id}")
        found = answer.json()
        try:
            token = found["token"]
            expires = datetime.fromisoformat(found["expires_at"]).timestamp()
        except (KeyError, TypeError, ValueError):
            raise Refused(Trouble.AUTH, f"{url} answered without a token") from None
        now = self._clock()
        life = expires - now
        return str(token), now + (life - _EARLY if life > 2 * _EARLY else life / 2)
