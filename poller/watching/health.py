"""How each provider is: who may be polled now, and since when it, or a part of it, has not answered."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from poller.running.clock import Clock
from poller.watching.parts import Part
from providers._base import ProviderError, Refused, Target, Trouble, Unavailable
from store.providers import ProviderHealth

PATIENCE = 3  # failed polls in a row before the pace slows down
SLOWEST = timedelta(minutes=15)
HARMLESS = frozenset({Trouble.PACED})
EVERYTHING = "*"  # the key of what lists the targets of a provider: no part of it


@dataclass(slots=True)
class _Standing:
    """Of one target."""

    failures: int = 0
    trouble: Trouble | None = None  # of the last failure
    not_before: float = 0.0  # monotonic seconds


@dataclass(slots=True)
class _Failing:
    """A part that fails."""

    part: Part
    alone: bool = False  # something else could be read since it failed last


class Health:
    """Of one provider. Thread-safe; knows nothing of alerts and stores nothing itself.

    A target that fails while another can be read fails by itself: it is a failing part. When it does so again, that
    says nothing about the provider.
    """

    def __init__(
        self,
        clock: Clock,
        known: ProviderHealth,
        *,
        parts: Sequence[Part] = (),  # that failed in a run before this one
        redact: Callable[[str], str] = str,
    ) -> None:
        self._clock = clock
        self._redact = redact
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._targets: dict[str, _Standing] = {}
        self._failing = {part.key: _Failing(part) for part in parts}
        self._unseen = True  # also at the start: an alert of an earlier run may be over
        self._earlier = known.failures  # of a run before this one
        self.facts = known

    @property
    def parts(self) -> tuple[Part, ...]:
        """What fails by itself, or may do so."""
        with self._lock:
            return tuple(each.part for each in self._failing.values())

    def may_poll(self, target: Target) -> bool:
        """Whether neither the provider nor this target asked to be left alone for now."""
        now = self._clock.monotonic()
        with self._lock:
            standing = self._targets.get(target.key)
            return self._not_before <= now and (standing is None or standing.not_before <= now)

    def worth_a_look(self) -> bool:
        """Whether a message may be due: something is failing, or has stopped failing since the last look."""
        with self._lock:
            look = self.facts.failing_since is not None or bool(self._failing) or self._unseen
            self._unseen = False
            return look

    def look_again(self) -> None:
        """What was looked at last could not be written."""
        with self._lock:
            self._unseen = True

    def succeeded(self, target: Target, unread: Mapping[str, ProviderError] | None = None) -> bool:
        """A poll went well, but for the pipelines that are `unread` (None: not known yet); True when that is news."""
        now = self._clock.now()
        with self._lock:
            standing = self._targets.pop(target.key, None)
            failed = standing is not None and standing.trouble is not None
            news = failed or self._earlier > 0 or self.facts.last_ok_at is None
            over = [key for key, each in self._failing.items() if _is_over(each.part, target, unread)]
            for key in over:
                del self._failing[key]
            for key, error in (unread or {}).items():
                self._fails(key, target, error, now)
            for each in self._failing.values():
                if not each.alone:
                    each.part, each.alone = replace(each.part, failures=each.part.failures + 1), True
            self._unseen = self._unseen or news or bool(over) or self.facts.failing_since is not None
            self._earlier = 0
            self.facts = replace(
                self.facts,
                failing_since=None,
                failures=0,
                trouble=None,
                text=None,
                retry_at=None,
                last_ok_at=now,
            )
            return news

    def failed(self, target: Target, error: ProviderError) -> bool:
        """A poll went wrong; True when it is the first of its kind in this episode, and so worth a line in the log."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        with self._lock:
            wait = error.retry_after if isinstance(error, Unavailable) else None
            standing = self._targets.setdefault(target.key, _Standing())
            if error.trouble in HARMLESS:
                standing.not_before = monotonic + (wait or 1.0)
                return False
            news = standing.trouble is not error.trouble
            standing.failures, standing.trouble = standing.failures + 1, error.trouble
            pause = wait if wait is not None else self._slow_down(standing.failures, target, error)
            standing.not_before = monotonic + pause
            if isinstance(error, Unavailable) and error.provider_wide:
                self._not_before = monotonic + pause
            elif target.key != EVERYTHING and self._fails(target.key, target, error, now):
                return news
            self.facts = replace(
                self.facts,
                failing_since=self.facts.failing_since or now,
                failures=max(self.facts.failures, self._earlier + standing.failures),
                trouble=error.trouble.value,
                text=self._redact(str(error)),
                retry_at=now + timedelta(seconds=pause) if pause else None,
            )
            return news

    def _fails(self, key: str, target: Target, error: ProviderError, now: datetime) -> bool:
        """Note that a part failed; whether something else could be read since it failed before."""
        before = self._failing.get(key)
        known = before.part if before is not None and before.part.failures else None
        part = Part(
            name=target.provider,
            key=key,
            target=target.key,
            failing_since=known.failing_since if known is not None else now,
            failures=known.failures if known is not None else 0,
            trouble=error.trouble.value,
            text=self._redact(str(error)),
        )
        self._failing[key] = _Failing(part)
        return before is not None and before.alone

    @staticmethod
    def _slow_down(failures: int, target: Target, error: ProviderError) -> float:
        """Seconds to leave a failing target alone: nothing for the first few, then ever longer."""
        if failures <= PATIENCE:
            return 0.0
        longest = SLOWEST if isinstance(error, Refused) else min(SLOWEST, 10 * target.every)
        wait = target.every * 2 ** min(failures - PATIENCE, 10) - target.every / 2  # the tick comes just after
        seconds: float = min(wait, longest).total_seconds()
        return seconds


def _is_over(part: Part, target: Target, unread: Mapping[str, ProviderError] | None) -> bool:
    """Whether a part was read with this good poll of a target."""
    return part.key == target.key or (part.target == target.key and unread is not None and part.key not in unread)
