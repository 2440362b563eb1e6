"""How fast GitHub may be asked: its own limits, obeyed by coming back later, never by sleeping."""

import threading
import time
from collections import deque
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from providers._base import Allowance, Refused, Trouble, Unavailable
from providers._http import Answer, retry_after

POINTS_PER_MINUTE = 900  # the secondary limit; a GET is one point, also when it answers 304
_MINUTE = 60.0
_FIRST_WAIT = 60.0  # GitHub: wait at least a minute when no header says how long
_LONGEST_WAIT = 900.0
_RESERVED = 1000  # requests an hour, for polling alone ...
_RESERVED_SHARE = 0.75  # ... or this much of a small limit: without a token there are 60
_LEISURE = 600  # points of a minute for what is not urgent; the others are for polling
_ROOM_AFTER = 300.0
_MARKS = (b"secondary rate limit", b"rate limit exceeded", b"abuse detection")


class Forbidden(Refused):
    """403 without a limit: the credentials are right and lack a permission."""


class Quota:
    """The limits of one set of credentials on one server. Thread-safe.

    Args:
        limited: Whether to pace from the first request; else from the first answer that names a limit
            (GitHub Enterprise Server has limits switched off, and then no headers).
        clock: The monotonic clock.
    """

    def __init__(self, *, limited: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._limited = limited
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: deque[float] = deque(maxlen=POINTS_PER_MINUTE)
        self._not_before = 0.0
        self._refusals = 0  # in a row, without a header that says how long
        self._has_room = True  # by the last answer that told
        self.left: Allowance | None = None  # by the same answer

    def spend(self) -> None:
        """Account for one request that is about to be made.

        Raises:
            Unavailable: rate limit, while a limit that GitHub named lasts; paced, when this minute is spent.
        """
        with self._lock:
            now = self._clock()
            if now < self._not_before:
                raise _limited_for(self._not_before - now)
            if self._limited and len(self._asked) == POINTS_PER_MINUTE and now - self._asked[0] < _MINUTE:
                rest = _MINUTE - (now - self._asked[0])
                raise Unavailable(Trouble.PACED, f"{POINTS_PER_MINUTE} requests in this minute", retry_after=rest)
            self._asked.append(now)

    def has_room(self) -> bool:
        """Whether what is not urgent may be asked for: enough is left for polling, of this minute and of the hour."""
        return self.room_in() == 0

    def room_in(self) -> float:
        """Seconds until what is not urgent may be asked for again, as far as that is known; 0: now."""
        if not self._has_room:
            return _ROOM_AFTER
        with self._lock:
            if not self._limited or len(self._asked) < _LEISURE:
                return 0.0
            return max(self._asked[-_LEISURE] + _MINUTE - self._clock(), 0.0)

    def learn(self, answer: Answer) -> None:
        """Take over what an answer says about the limits.

        Raises:
            Unavailable: rate limit, for the whole provider, with the seconds to wait.
            Forbidden: for a 403 that is no limit but a missing permission.
        """
        remaining = answer.headers.get("X-RateLimit-Remaining", "")
        with self._lock:
            self._limited = self._limited or bool(remaining)
            limit = answer.headers.get("X-RateLimit-Limit", "")
            self._has_room = _leaves_room(remaining, limit)
            if remaining.isdecimal() and limit.isdecimal():
                self.left = Allowance(limit=int(limit), remaining=int(remaining))
            if answer.status not in {403, 429}:
                self._refusals = 0
                if remaining == "0":
                    self._not_before = max(self._not_before, self._clock() + _until_reset(answer))
                return
            wait = self._wait(answer, remaining)
            if wait is not None:
                self._not_before = max(self._not_before, self._clock() + wait)
                raise _limited_for(wait)
        raise Forbidden(
            Trouble.AUTH,
            f"{answer.asked.partition('?')[0]} refuses access (403): the token lacks a permission "
            "(Actions: read and Metadata: read), or the organisation's single sign-on",
        )

    def _wait(self, answer: Answer, remaining: str) -> float | None:
        """The seconds that a 403 or 429 means; None: no limit at all."""
        seconds = retry_after(answer.headers)
        if seconds is not None:
            return max(seconds, 1.0)
        if remaining == "0":
            return _until_reset(answer)
        if answer.status == 403 and not any(mark in answer.body[:4096].lower() for mark in _MARKS):  # noqa: PLR2004
            return None
        self._refusals += 1
        return min(_FIRST_WAIT * 2.0 ** (self._refusals - 1), _LONGEST_WAIT)


def _leaves_room(remaining: str, limit: str) -> bool:
    try:
        return float(remaining) > min(float(limit) * _RESERVED_SHARE, _RESERVED)
    except ValueError:
        return True  # no limit


def _limited_for(seconds: float) -> Unavailable:
    text = f"GitHub's rate limit is reached: asking again in {seconds:.0f} s"
    return Unavailable(Trouble.RATE_LIMIT, text, retry_after=seconds, provider_wide=True)


def _until_reset(answer: Answer) -> float:
    """Seconds until the limit is reset, by GitHub's own clock; a minute when it does not say."""
    try:
        reset = float(answer.headers["X-RateLimit-Reset"])
        date = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return _FIRST_WAIT
    return min(max(reset - date, 0.0) + 1.0, 4 * 3600.0)
