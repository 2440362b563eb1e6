"""Who asks the simulated GitHub, and how much they may still ask."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulator.moments import EPOCH

_WINDOW = timedelta(hours=1)
_DRIFT = timedelta(seconds=60)
_LONGEST = timedelta(minutes=10)


@dataclass(slots=True, kw_only=True)
class Identity:
    """Who a token belongs to. kind: classic, fine_grained, installation."""

    login: str
    kind: str = "classic"
    scopes: str = "repo, workflow"
    expires_at: datetime | None = None
    limit: int | None = None  # default: that of the server
    private: bool = True  # may read private repositories
    actions: bool = True  # may read Actions
    checks: bool = True  # ... Checks: what is written at jobs
    contents: bool = True  # ... Contents: commits
    installation: int | None = None


@dataclass(slots=True)
class Meter:
    """The rate limit of one identity: a fixed window of an hour from its first request."""

    limit: int
    used: int = 0
    resets_at: datetime = EPOCH

    def begin(self, now: datetime) -> None:
        """Open a new window when the old one is over."""
        if now >= self.resets_at:
            self.used, self.resets_at = 0, now + _WINDOW

    @property
    def remaining(self) -> int:
        """What is left; never negative."""
        return max(self.limit - self.used, 0)

    def headers(self) -> dict[str, str]:
        """`x-ratelimit-*`."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_seconds),
            "X-RateLimit-Used": str(self.used),
            "X-RateLimit-Resource": "core",
        }

    @property
    def reset_seconds(self) -> int:
        """When the window ends, in seconds since 1970."""
        return int((self.resets_at - EPOCH).total_seconds())


@dataclass(slots=True, kw_only=True)
class App:
    """A GitHub App with one installation per owner. `verify(signing_input, signature)` checks RS256 when given."""

    id: str
    slug: str = "buildwatch"
    installations: Mapping[int, str] = field(default_factory=dict)  # id → owner
    verify: Callable[[bytes, bytes], bool] | None = None

    def refusal(self, token: str, now: datetime) -> str | None:  # noqa: PLR0911  (one return per complaint)
        """Why a JSON web token is not accepted, in GitHub's words; None when it is."""
        try:
            head, claims, signature = (_unpack(part) for part in token.split("."))
            header, payload = json.loads(head), json.loads(claims)
            issued, expires = int(payload["iat"]), int(payload["exp"])
        except (ValueError, KeyError, TypeError):
            return "A JSON web token could not be decoded"
        seconds = (now - EPOCH).total_seconds()
        if header.get("alg") != "RS256" or not signature:
            return "A JSON web token could not be decoded"
        if str(payload.get("iss")) != self.id:
            return "'Issuer' claim ('iss') must be an Integer"
        if issued > seconds + _DRIFT.total_seconds():
            return "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        if expires <= seconds:
            return "'Expiration time' claim ('exp') must be a numeric value representing the future time"
        if (
            expires - seconds > (_LONGEST + _DRIFT).total_seconds()
            or expires - issued > (_LONGEST + _DRIFT).total_seconds()
        ):
            return "'Expiration time' claim ('exp') is too far in the future"
        if self.verify is not None and not self.verify(token.rpartition(".")[0].encode(), signature):
            return "A JSON web token could not be decoded"
        return None


def _unpack(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
