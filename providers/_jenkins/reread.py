"""Finished builds are looked at once more an hour later: a result or a description can be changed by hand."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final
from zlib import crc32

from providers._jenkins.build import moment
from providers._jenkins.tree import Job

EVERY: Final = timedelta(hours=1)
RECENT: Final = timedelta(days=1)  # a job whose newest build is older is left alone
AT_ONCE: Final = 20


class Rereads:
    """When each job's newest builds are due; in memory only, spread over the hour."""

    def __init__(self) -> None:
        self._due: dict[str, datetime] = {}

    def due(self, jobs: Iterable[Job], now: datetime) -> Iterator[Job]:
        """The jobs to read again now, at most 20; each is then due again in an hour."""
        oldest = (now - RECENT - moment(0)) // timedelta(milliseconds=1)
        left = AT_ONCE
        for job in jobs:
            if job.last_at < oldest:
                continue
            due = self._due.get(job.full_name)
            if due is None:
                self._due[job.full_name] = now + EVERY * (1 + crc32(job.full_name.encode(errors="replace")) / 2**32)
            elif due <= now and left:
                left -= 1
                self._due[job.full_name] = now + EVERY
                yield job
