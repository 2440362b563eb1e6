"""History as it would have arrived: which builds each poll finds, and what people did in between."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import NamedTuple

from domain.alert import Alert
from domain.build import NO_MEASUREMENTS, Build, Pipeline, Status
from domain.silence import Silence
from poller.config import Configuration
from store import builds, pipelines, proof, rewind, silences
from store.engine import Database
from store.rewind import Arrival

LONG = timedelta(minutes=10)  # what takes no longer is never stuck: seen at its end it is seen in time
A_POLL = timedelta(minutes=1)
AT_ONCE = 1_000  # builds that are read in one go

Wanted = Callable[[Pipeline], bool]
"""Whether a pipeline takes part."""


class Poll(NamedTuple):
    """What one poll of a provider finds."""

    at: datetime
    provider: str
    before: datetime  # when the provider was polled last
    builds: Sequence[Build]


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What people did: silences with their early ends, and acknowledgements with the alerts as they are stored."""

    silences: Sequence[Silence]
    acknowledged: Sequence[Alert]


class _Seen(NamedTuple):
    """A build at the poll that finds it."""

    poll: datetime
    provider: str
    every: timedelta
    arrival: Arrival


def polls(
    history: Database, configuration: Configuration, since: datetime, until: datetime, wanted: Wanted
) -> Iterator[Poll]:
    """The polls that find any builds, in order."""
    paces = history.read(
        lambda session: _paces(configuration, [each.pipeline for each in pipelines.all(session)], wanted)
    )
    long = int(_long(configuration).total_seconds())
    found = history.read(lambda session: rewind.arrivals(session, since, until, long=long), deadline=600)
    seen = []
    for arrival in found:
        every = paces.get((arrival.provider, arrival.pipeline))
        if every is not None:
            count = -((since - arrival.at) // every)  # the next poll, counted from `since`
            seen.append(_Seen(since + count * every, arrival.provider, every, arrival))
    seen.sort(key=lambda each: (each.poll, each.provider, each.every))
    return _polls(history, seen)


def _polls(history: Database, seen: Sequence[_Seen]) -> Iterator[Poll]:
    for (at, provider, every), group in groupby(_read(history, seen), key=lambda pair: pair[0][:3]):
        yield Poll(at, provider, at - every, [build for _, build in group])


def _read(history: Database, seen: Sequence[_Seen]) -> Iterator[tuple[_Seen, Build]]:
    for start in range(0, len(seen), AT_ONCE):
        chunk = seen[start : start + AT_ONCE]
        views = history.read(partial(builds.get, ids={each.arrival.build_id for each in chunk}))
        for each in chunk:
            view = views.get(each.arrival.build_id)
            if view is not None:
                yield each, as_seen(view.build, each.arrival)


def as_seen(build: Build, arrival: Arrival) -> Build:
    """A build as it was when it was seen: at its end, or while it ran, or while it waited."""
    if arrival.finished:
        return replace(build, id=None)
    running = build.started_at is not None and build.started_at <= arrival.at
    return replace(
        build,
        id=None,
        status=Status.RUNNING if running else Status.QUEUED,
        started_at=build.started_at if running else None,
        outcome=None,
        raw_outcome=None,
        finished_at=None,
        failing_stage=None,
        bucket=None,
        reason=None,
        log_excerpt=None,
        tests=None,
        measurements=NO_MEASUREMENTS,
    )


def _paces(
    configuration: Configuration, known: Sequence[Pipeline], wanted: Wanted
) -> Mapping[tuple[str, str], timedelta]:
    """How often each pipeline is polled; those that are not watched are missing."""
    paces = {}
    for pipeline in known:
        entry = configuration.entry_of(pipeline)
        if entry is not None and pipeline.provider in configuration.providers and wanted(pipeline):
            every = entry.poll_every or configuration.providers[pipeline.provider].poll_every
            paces[pipeline.provider, pipeline.key] = every
    return paces


def _long(configuration: Configuration) -> timedelta:
    """Builds that take longer have to be seen while they run: they may be stuck, or the re-run of another."""
    limits = [LONG]
    for entry in (None, *configuration.pipelines):
        rules = configuration.rules_of(entry)
        if rules.stuck is not None:
            stuck = rules.stuck.running_longer_than, rules.stuck.queued_longer_than
            limits += [each for each in stuck if each is not None]
        if rules.rerun_wait:  # that a re-run runs is worth waiting for
            limits.append(A_POLL)
    return min(limits)


def people(history: Database, since: datetime) -> People:
    """What people did from `since` on, as far as it is kept."""
    return history.read(
        lambda session: People(
            silences=[each for each in silences.listing(session, limit=10_000) if (each.ended_at or since) >= since],
            acknowledged=proof.acknowledged_alerts(session, since),
        )
    )
