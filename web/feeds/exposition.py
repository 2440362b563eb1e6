"""What Prometheus reads at /metrics. Its labels have few values: connections, channels, and targets up to a bound."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from typing_extensions import override

from domain.alert import AlertKind
from domain.build import Verdict
from domain.window import Summary
from metrics.windows import rolling
from store import (
    alerts,
    changes,
    details,
    lock,
    maintenance,
    notes,
    pipelines,
    providers,
    quarantine,
    standings,
    windows,
)
from store.engine import Database, Session
from store.pipelines import Key, Known
from store.providers import ProviderHealth
from store.standings import Standing, Waiting

WINDOW = timedelta(days=1)
MOST = 2_000  # pipelines, and poll targets, that have figures of their own
PREFIX = "buildwatch_"
_PER_PIPELINE = ("provider", "pipeline")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything at one moment, from one snapshot of the store."""

    now: datetime
    daemon: bool
    known: Sequence[Known]
    summaries: Mapping[Key, Summary]
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


def exposition(database: Database, now: datetime, accept: str) -> tuple[bytes, str]:
    """The text and its media type: what the caller accepts, Prometheus' own format otherwise. Raises StoreError."""
    daemon = lock.holder(database) is not None
    figures = database.read(lambda session: _figures(session, database, now, daemon=daemon))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(figures))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


def _figures(session: Session, database: Database, now: datetime, *, daemon: bool) -> Figures:
    written = notes.read(session)

    def note(key: str) -> Mapping[str, Any]:
        found = written.get(key)
        return found.value if found is not None and isinstance(found.value, dict) else {}

    firing = alerts.firing(session)
    return Figures(
        now=now,
        daemon=daemon,
        known=pipelines.all(session),
        summaries=windows.by_pipeline(session, rolling(now, WINDOW)),
        last=standings.last_settled(session),
        alerts={kind: sum(alert.kind is kind for alert in firing) for kind in AlertKind},
        waiting=standings.waiting(session),
        channels=note(notes.CHANNELS),
        polls=note(notes.POLLS),
        quotas=note(notes.QUOTAS),
        providers=providers.all(session),
        details=details.counts(session),
        quarantined=quarantine.count(session),
        bytes=maintenance.size(session, database),
        stored=standings.stored(session),
        seq=changes.newest(session),
    )


class _Figures(Collector):
    """The figures as Prometheus wants them."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    @override
    def collect(self) -> Iterator[Metric]:
        """Every family, with or without samples: so that an alert on one that is absent means something."""
        yield InfoMetricFamily(PREFIX[:-1], "The version that answers.", {"version": version("buildwatch")})
        yield from self._service()
        yield from self._pipelines()
        yield from self._providers()
        yield from self._channels()

    def _service(self) -> Iterator[Metric]:
        its = self._figures
        due, retried = its.details
        yield _gauge("daemon_up", "1 while a daemon works on this store.", its.daemon)
        yield _gauge("store_bytes", "Size of the store.", its.bytes)
        yield _gauge("pipelines", "Pipelines ever met.", len(its.known))
        yield _gauge("pipelines_left_out", "Pipelines without figures of their own.", max(len(its.known) - MOST, 0))
        yield CounterMetricFamily(f"{PREFIX}builds_stored", "Builds ever stored.", value=its.stored)
        yield CounterMetricFamily(f"{PREFIX}changes", "Entries of the change feed.", value=its.seq)
        yield _gauge("details_due", "Builds whose details are to be read.", due)
        yield _gauge("details_retried", "Those of them that were tried in vain.", retried)
        yield _gauge("quarantined_builds", "Builds that could not be read.", its.quarantined)
        yield _gauges(
            "alerts_firing", "Alerts that fire now.", ("kind",), [((each,), its.alerts[each]) for each in AlertKind]
        )

    def _pipelines(self) -> Iterator[Metric]:
        its = self._figures
        some = [(each.pipeline.provider, each.pipeline.key) for each in its.known[:MOST]]
        theirs = [(key, its.summaries[key]) for key in some if key in its.summaries]
        last = [((each.pipeline.provider, each.pipeline.key), its.last.get(each.id)) for each in its.known[:MOST]]
        verdicts = [
            ((*key, verdict), count)
            for key, each in theirs
            for verdict, count in (
                (Verdict.PASSED, each.passed),
                (Verdict.FAILED, each.failed),
                (Verdict.NEUTRAL, each.neutral),
            )
        ]
        rates = [(key, each.success_rate) for key, each in theirs]
        durations = [
            ((*key, quantile), value)
            for key, each in theirs
            for quantile, value in (("0.5", each.duration_p50), ("0.95", each.duration_p95))
        ]
        yield _gauges("builds_24h", "Builds that ended in the last 24 hours.", (*_PER_PIPELINE, "verdict"), verdicts)
        yield _gauges("success_ratio_24h", "Passed / (passed + failed), in the last 24 hours.", _PER_PIPELINE, rates)
        yield _gauges(
            "build_duration_24h_seconds",
            "Durations of builds that passed or failed in the last 24 hours.",
            (*_PER_PIPELINE, "quantile"),
            durations,
        )
        yield _gauges(
            "builds_running", "Builds that run now.", _PER_PIPELINE, [(key, each.running) for key, each in theirs]
        )
        yield _gauges(
            "last_build_passed",
            "1 when the last build on the default branch that passed or failed has passed.",
            _PER_PIPELINE,
            [(key, each.verdict is Verdict.PASSED) for key, each in last if each is not None],
        )
        yield _gauges(
            "last_build_timestamp_seconds",
            "When that build ended.",
            _PER_PIPELINE,
            [
                (key, each.finished_at.timestamp())
                for key, each in last
                if each is not None and each.finished_at is not None
            ],
        )

    def _providers(self) -> Iterator[Metric]:
        its = self._figures
        labels = ("provider",)
        yield _gauges(
            "provider_up",
            "1 while a provider answers.",
            labels,
            [((each.name,), each.failing_since is None) for each in its.providers],
        )
        yield _gauges(
            "provider_failed_polls",
            "Failed polls in a row.",
            labels,
            [((each.name,), each.failures) for each in its.providers],
        )
        yield _gauges(
            "poll_age_seconds",
            "Time since a target was polled last with success.",
            ("provider", "target"),
            [(_target(name), age) for name, age in self._ages()],
        )
        for figure, help_text in (("remaining", "Requests left of a rate limit."), ("limit", "The rate limit.")):
            samples = [((name,), each.get(figure)) for name, each in its.quotas.items()]
            yield _gauges(f"provider_quota_{figure}", help_text, labels, samples)

    def _ages(self) -> Iterator[tuple[str, float]]:
        for name, moment in sorted(self._figures.polls.items())[:MOST]:
            yield name, max((self._figures.now - datetime.fromisoformat(moment)).total_seconds(), 0.0)

    def _channels(self) -> Iterator[Metric]:
        its = self._figures
        labels = ("channel",)
        nothing = Waiting(0, 0, None)
        names = sorted(its.channels.keys() | its.waiting.keys())
        theirs = [((name,), its.waiting.get(name, nothing)) for name in names]
        yield _gauges(
            "channel_up",
            "1 while a channel takes messages.",
            labels,
            [((name,), its.channels[name].get("state") == "ok") for name in names if name in its.channels],
        )
        yield _gauges("outbox_pending", "Messages that wait.", labels, [(key, each.pending) for key, each in theirs])
        yield _gauges(
            "outbox_oldest_seconds",
            "How long the oldest message has been waiting; 0 when none is.",
            labels,
            [(key, self._age(each.oldest)) for key, each in theirs],
        )
        yield _gauges("outbox_dead", "Messages that were given up.", labels, [(key, each.dead) for key, each in theirs])

    def _age(self, since: datetime | None) -> float:
        return 0.0 if since is None else max((self._figures.now - since).total_seconds(), 0.0)


def _target(name: str) -> tuple[str, str]:
    provider, _, key = name.partition(":")
    return provider, key


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, help_text, value=float(value))


def _gauges(
    name: str, help_text: str, labels: Sequence[str], samples: Iterable[tuple[tuple[str, ...], float | None]]
) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, help_text, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, float(value))
    return family
