"""History: all builds of a job, a thousand at a time, when somebody asks for it.

`allBuilds` makes the server load every build record of a job from its disk, whatever the range: never poll with it.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from domain.build import Status
from providers._base import Cursor, Page, ProviderError, Trouble
from providers._jenkins.build import BuildReader
from providers._jenkins.client import JenkinsClient
from providers._jenkins.names import path_of
from providers._jenkins.state import numbered
from providers._jenkins.tree import Job, read_jobs
from providers._jenkins.watch import Watch, branches_of

BACKFILL: Final = "backfill"
BUILDS_AT_ONCE: Final = 1000
OVERLAP: Final = 10  # builds that may be deleted between two requests, which moves the others up

_GENERATIONS: Final = "gens"
_FEWEST: Final = 10


def with_generation(cursor: Cursor, full_name: str, generation: int) -> dict[str, Any]:
    """The cursor of the history, knowing that a job numbers its builds anew."""
    return {**cursor, _GENERATIONS: {**cursor.get(_GENERATIONS, {}), full_name: generation}}


class History:
    """Reads what was built since a moment.

    Args:
        client: The server.
        watch: What is asked for.
        keys: Of the pipelines to read; empty: all that are watched.
        cursor: Where an earlier backfill stopped.
    """

    def __init__(self, client: JenkinsClient, watch: Watch, keys: Collection[str], cursor: Cursor) -> None:
        self._client = client
        self._watch = watch
        self._keys = frozenset(keys)
        self._generations: Mapping[str, int] = cursor.get(_GENERATIONS, {})
        self._cursor = cursor

    def pages(self, since: datetime) -> Iterator[Page]:
        """Job by job, newest builds first. Only finished builds: those that run are the business of polling.

        Raises:
            Unavailable, Refused: as `JenkinsClient.get` does. What was yielded need not be read again.
        """
        root = read_jobs(self._client, depth=self._watch.depth, reaches_into=self._watch.reaches_into)
        jobs = sorted(root.jobs())
        branches = branches_of(jobs)
        chosen = [(job, rule) for job in jobs if (rule := self._watch.rule_of(job)) and self._is_asked_for(job)]
        start, offset = self._resumed(since)
        for position, (job, rule) in enumerate(chosen):
            if job.full_name < start:
                continue
            pipeline = self._watch.pipeline(job, rule, branches.get(job.project or "", ()))
            reader = self._watch.reader(job, rule, pipeline)
            skip = offset if job.full_name == start else 0
            yield from self._of_one_job(job, reader, since, skip, position / len(chosen))
        done = {_GENERATIONS: self._generations} if self._generations else None
        yield Page(cursors={BACKFILL: done}, progress=1.0)

    def _is_asked_for(self, job: Job) -> bool:
        return job.last > 0 and (not self._keys or (job.project or job.full_name) in self._keys)

    def _resumed(self, since: datetime) -> tuple[str, int]:
        if self._cursor.get("since") != since.isoformat():
            return "", 0
        return self._cursor["job"], self._cursor["offset"]

    def _of_one_job(
        self, job: Job, reader: BuildReader, since: datetime, offset: int, progress: float
    ) -> Iterator[Page]:
        oldest_wanted = int(since.timestamp() * 1000)
        size = BUILDS_AT_ONCE
        while True:
            try:
                raws = self._ask(job, offset, size)
            except ProviderError as error:
                if error.trouble is Trouble.NOT_FOUND:
                    return  # deleted meanwhile
                if error.trouble is not Trouble.TOO_LARGE or size <= _FEWEST:
                    raise
                size //= 4
                continue
            oldest = min(numbered(raws).values(), default=0)
            is_last = len(raws) < size or oldest < oldest_wanted
            offset += max(len(raws) - OVERLAP, 1)
            builds, unreadable = reader.read_all(raws, self._generations.get(job.full_name, 0))
            place = {"since": since.isoformat(), "job": job.full_name, "offset": offset}
            yield Page(
                pipelines=(reader.pipeline,),
                builds=[
                    one
                    for one in builds
                    if one.status is Status.FINISHED and one.started_at and one.started_at >= since
                ],
                unreadable=unreadable,
                cursors={BACKFILL: place | ({_GENERATIONS: self._generations} if self._generations else {})},
                progress=progress,
            )
            if is_last:
                return

    def _ask(self, job: Job, offset: int, size: int) -> list[Any]:
        tree = f"allBuilds[{self._watch.fields}]{{{offset},{offset + size}}}"
        raws = self._client.get(path_of(job.full_name), tree).get("allBuilds")
        return raws if isinstance(raws, list) else []
