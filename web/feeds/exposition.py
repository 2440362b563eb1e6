"""What Prometheus reads at /metrics. Its labels have few values: connections, channels, and targets up to a bound."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from domain.alert import AlertKind
from domain.build import Verdict
from store import (
    alerts,
    changes,
    details,
    lock,
    maintenance,
    notes,
    providers,
    quarantine,
    standings,
    window_counts,
)
from store.engine import Session
from store.pipelines import Known
from store.providers import ProviderHealth
from store.schema import OUTCOMES
from store.standings import Standing, Waiting
from store.window_counts import Counts
from web.feeds.standing import last_settled
from web.feeds.text_format import Family, Sample, exposed, labels_of
from web.site import Site

WINDOW = timedelta(days=1)
MOST = 2_000  # pipelines, and poll targets, that have figures of their own
PREFIX = "buildwatch_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything at one moment, from one snapshot of the store."""

    now: datetime
    daemon: bool
    known: Sequence[Known]
    days: Mapping[int, Counts]  # by pipeline, here and below: what ended in the last 24 hours
    outcomes: Mapping[int, Sequence[int]]  # in the order of OUTCOMES
    unfinished: Mapping[int, tuple[int, int]]  # how many run, and how many run or wait
    last: Mapping[int, Standing]
    alerts: Mapping[AlertKind, int]
    waiting: Mapping[str, Waiting]
    channels: Mapping[str, Mapping[str, Any]]
    polls: Mapping[str, str]  # by target, when it was polled last with success
    quotas: Mapping[str, Mapping[str, int]]
    providers: Sequence[ProviderHealth]
    details: tuple[int, int]
    quarantined: int
    bytes: int
    stored: int  # builds, ever
    seq: int


def exposition(site: Site) -> str:
    """The text, now. Families without samples stand there, too: so that an alert on one that is absent means something.

    Raises StoreError.
    """
    daemon = lock.holder(site.database) is not None
    its = site.database.read(lambda session: _figures(session, site, daemon=daemon))
    return exposed([*_service(its), *_pipelines(its), *_providers(its), *_channels(its)])


def _figures(session: Session, site: Site, *, daemon: bool) -> Figures:
    now, known = site.now(), site.remembered
    written = notes.read(session)

    def note(key: str) -> Mapping[str, Any]:
        found = written.get(key)
        return found.value if found is not None and isinstance(found.value, dict) else {}

    firing = alerts.firing(session)
    return Figures(
        now=now,
        daemon=daemon,
        known=known.pipelines(session),
        days=known.rolling(session, window_counts.ended, WINDOW, now),
        outcomes=known.rolling(session, standings.outcomes, WINDOW, now),
        unfinished=known.unfinished(session),
        last=last_settled(session, known),
        alerts={kind: sum(alert.kind is kind for alert in firing) for kind in AlertKind},
        waiting=standings.waiting(session),
        channels=note(notes.CHANNELS),
        polls=note(notes.POLLS),
        quotas=note(notes.QUOTAS),
        providers=providers.all(session),
        details=details.counts(session),
        quarantined=quarantine.count(session),
        bytes=maintenance.size(session, site.database),
        stored=standings.stored(session),
        seq=changes.newest(session),
    )


def _service(its: Figures) -> Iterator[Family]:
    due, retried = its.details
    running = Sample(labels_of(version=version("buildwatch")), 1)
    yield Family(f"{PREFIX}info", "The version that answers.", [running])
    yield _one("daemon_up", "1 while a daemon works on this store.", int(its.daemon))
    yield _one("store_bytes", "Size of the store.", its.bytes)
    yield _one("pipelines", "Pipelines ever met.", len(its.known))
    yield _one("pipelines_left_out", "Pipelines without figures of their own.", max(len(its.known) - MOST, 0))
    yield _counted("builds_stored_total", "Builds ever stored.", its.stored)
    yield _counted("changes_total", "Entries of the change feed.", its.seq)
    yield _one("details_due", "Builds whose details are to be read.", due)
    yield _one("details_retried", "Those of them that were tried in vain.", retried)
    yield _one("quarantined_builds", "Builds that could not be read.", its.quarantined)
    firing = [(labels_of(kind=each), its.alerts[each]) for each in AlertKind]
    yield _many("alerts_firing", "Alerts that fire now.", firing)


def _pipelines(its: Figures) -> Iterator[Family]:
    totals = [sum(column) for column in zip(*its.outcomes.values(), strict=True)] or [0] * len(OUTCOMES)
    ended = [(labels_of(outcome=each), total) for each, total in zip(OUTCOMES, totals, strict=True)]
    yield _many("outcomes_24h", "Builds of all pipelines that ended in the last 24 hours.", ended)
    some = [
        (labels_of(provider=each.pipeline.provider, pipeline=each.pipeline.key), each.id) for each in its.known[:MOST]
    ]
    days = [(labels, its.days.get(identity, Counts())) for labels, identity in some]
    verdicts = [
        (f'{labels},verdict="{verdict}"', count)
        for labels, each in days
        for verdict, count in (("passed", each.passed), ("failed", each.failed), ("neutral", each.neutral))
    ]
    yield _many("builds_24h", "Builds that ended in the last 24 hours.", verdicts)
    rates = [(labels, each.success_rate) for labels, each in days]
    yield _many("success_ratio_24h", "Passed / (passed + failed), in the last 24 hours.", rates)
    durations = [(labels, each.duration_mean) for labels, each in days]
    help_text = "Mean duration of builds that passed or failed in the last 24 hours."
    yield _many("build_duration_24h_seconds", help_text, durations)
    running = [(labels, its.unfinished.get(identity, (0, 0))[0]) for labels, identity in some]
    yield _many("builds_running", "Builds that run now.", running)
    last = [(labels, each) for labels, identity in some if (each := its.last.get(identity)) is not None]
    passed = [(labels, int(each.verdict is Verdict.PASSED)) for labels, each in last]
    help_text = "1 when the last build on the default branch that passed or failed has passed."
    yield _many("last_build_passed", help_text, passed)
    ends = [(labels, each.finished_at.timestamp()) for labels, each in last if each.finished_at is not None]
    yield _many("last_build_timestamp_seconds", "When that build ended.", ends)


def _providers(its: Figures) -> Iterator[Family]:
    known = [(labels_of(provider=each.name), each) for each in its.providers]
    answers = [(labels, int(each.failing_since is None)) for labels, each in known]
    yield _many("provider_up", "1 while a provider answers.", answers)
    yield _many("provider_failed_polls", "Failed polls in a row.", [(labels, each.failures) for labels, each in known])
    yield _many("poll_age_seconds", "Time since a target was polled last with success.", _ages(its))
    quotas = [(labels_of(provider=name), each) for name, each in its.quotas.items()]
    for figure, help_text in (("remaining", "Requests left of a rate limit."), ("limit", "The rate limit.")):
        left = [(labels, each.get(figure)) for labels, each in quotas]
        yield _many(f"provider_quota_{figure}", help_text, left)


def _ages(its: Figures) -> Iterator[tuple[str, float]]:
    for name, moment in sorted(its.polls.items())[:MOST]:
        provider, _, target = name.partition(":")
        age = (its.now - datetime.fromisoformat(moment)).total_seconds()
        yield labels_of(provider=provider, target=target), max(age, 0.0)


def _channels(its: Figures) -> Iterator[Family]:
    nothing = Waiting(0, 0, None)
    names = sorted(its.channels.keys() | its.waiting.keys())
    theirs = [(labels_of(channel=name), its.waiting.get(name, nothing)) for name in names]
    works = [(labels_of(channel=name), int(its.channels[name].get("state") == "ok")) for name in sorted(its.channels)]
    yield _many("channel_up", "1 while a channel takes messages.", works)
    yield _many("outbox_pending", "Messages that wait.", [(labels, each.pending) for labels, each in theirs])
    help_text = "How long the oldest message has been waiting; 0 when none is."
    yield _many("outbox_oldest_seconds", help_text, [(labels, _age(its, each.oldest)) for labels, each in theirs])
    yield _many("outbox_dead", "Messages that were given up.", [(labels, each.dead) for labels, each in theirs])


def _age(its: Figures, since: datetime | None) -> float:
    return 0.0 if since is None else max((its.now - since).total_seconds(), 0.0)


def _one(name: str, help_text: str, value: float) -> Family:
    return Family(PREFIX + name, help_text, [Sample("", value)])


def _counted(name: str, help_text: str, value: int) -> Family:
    return Family(PREFIX + name, help_text, [Sample("", value)], "counter")


def _many(name: str, help_text: str, samples: Iterable[tuple[str, float | None]]) -> Family:
    """What is not known is left out."""
    return Family(PREFIX + name, help_text, [Sample(labels, value) for labels, value in samples if value is not None])
