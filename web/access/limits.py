"""How much one caller may ask: buckets that fill with time, each request takes a token."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MOST = 10_000  # callers that are remembered; who has not asked for longest is forgotten first


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Buckets:
    """One bucket per caller. `rate` tokens come each second, `burst` fit in. May be used from several threads."""

    def __init__(self, rate: float, burst: float, monotonic: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, caller: str) -> float:
        """Take a token: 0 when there was one, else the seconds until there will be."""
        with self._lock:
            bucket = self._filled(caller)
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return 0.0
            return (1 - bucket.tokens) / self._rate

    def wait(self, caller: str) -> float:
        """The same without taking one; nobody is remembered for it."""
        with self._lock:
            if caller not in self._buckets:
                return 0.0
            bucket = self._filled(caller)
            return 0.0 if bucket.tokens >= 1 else (1 - bucket.tokens) / self._rate

    def _filled(self, caller: str) -> _Bucket:
        now = self._monotonic()
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(self._burst, now)
            if len(self._buckets) > MOST:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(caller)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        return bucket
