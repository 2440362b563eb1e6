"""How to read the builds of many jobs in few requests: ranges of a folder's jobs, a hundred jobs at a time."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from providers._jenkins.tree import Folder, Job

JOBS_AT_ONCE: Final = 100  # times 50 builds: a page of 5,000 builds
_WORTH_A_RANGE: Final = 3  # of the jobs in a range at least a third has to be wanted


class Range(NamedTuple):
    """Some neighbours in one folder, with all that they hold."""

    folder: str
    start: int
    stop: int  # exclusive
    depth: int  # levels of jobs below the folder
    jobs: tuple[Job, ...]  # the wanted ones


def plan(folder: Folder, wanted: Collection[str]) -> Iterator[Range]:
    """Ranges that cover the wanted jobs of a folder, with few others in between."""
    chunk: list[tuple[int, Job | Folder]] = []
    size = 0
    for index, item in enumerate(folder.items):
        weight = 1 if isinstance(item, Job) else sum(1 for _ in item.jobs())
        if chunk and size + weight > JOBS_AT_ONCE:
            yield from _ranges(folder, chunk, wanted)
            chunk, size = [], 0
        chunk.append((index, item))
        size += weight
    yield from _ranges(folder, chunk, wanted)


def _ranges(folder: Folder, chunk: list[tuple[int, Job | Folder]], wanted: Collection[str]) -> Iterator[Range]:
    """One range for the chunk, or a range for each part of it where most of it is not wanted."""
    needed = [(index, item) for index, item in chunk if any(job.full_name in wanted for job in _jobs(item))]
    if not needed:
        return
    first, last = needed[0][0], needed[-1][0]
    span = [item for index, item in chunk if first <= index <= last]
    jobs = tuple(job for item in span for job in _jobs(item) if job.full_name in wanted)
    size = sum(1 for item in span for _ in _jobs(item))
    if len(span) == 1 and isinstance(span[0], Folder) and (size > JOBS_AT_ONCE or len(jobs) * _WORTH_A_RANGE < size):
        yield from plan(span[0], wanted)
    elif len(span) > 1 and len(jobs) * _WORTH_A_RANGE < size:
        for part in needed:
            yield from _ranges(folder, [part], wanted)
    else:
        yield Range(folder.full_name, first, last + 1, max(_depth(item) for item in span), jobs)


def _jobs(item: Job | Folder) -> Iterator[Job]:
    return iter((item,)) if isinstance(item, Job) else item.jobs()


def _depth(item: Job | Folder) -> int:
    return 1 if isinstance(item, Job) else 1 + max((_depth(inner) for inner in item.items), default=0)


def found_in(answer: Mapping[str, Any], parent: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Full name and raw form of every job with builds in the answer to a range of jobs."""
    listing = answer.get("jobs")
    for raw in listing if isinstance(listing, list) else ():
        name = raw.get("name") if isinstance(raw, dict) else None
        if not isinstance(name, str):
            continue
        full_name = raw.get("fullName")
        if not isinstance(full_name, str) or not full_name:
            full_name = f"{parent}/{name}" if parent else name
        if isinstance(raw.get("builds"), list):
            yield full_name, raw
        else:
            yield from found_in(raw, full_name)
