"""The parameters of every kind of alert, with their defaults; `alerts:` in config.yaml fills them."""

from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from typing import Literal

Sensitivity = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRule:
    """`after` failures in a row fire, `resolve_after` passes in a row resolve.

    `after: auto` is the smallest number up to 5 that would fire by chance at most once a month, given how often
    the stream fails and builds; 1 until there are 20 builds.
    """

    after: int | Literal["auto"] = 1
    resolve_after: int = 1
    remind: tuple[timedelta, ...] = (timedelta(hours=24), timedelta(hours=72), timedelta(days=7))
    """After so long since it was told it is told again; the last step repeats. Empty: never."""

    def __post_init__(self) -> None:
        """Refuse thresholds that could never be met."""
        if self.after != "auto" and self.after < 1:
            raise ValueError(f"failure.after must be 1 or more, or auto, got {self.after}")
        if self.resolve_after < 1:
            raise ValueError(f"failure.resolve_after must be 1 or more, got {self.resolve_after}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateDropRule:
    """The success rate falls against the stream's own past; nothing to configure but how soon to say so."""

    sensitivity: Sensitivity = "medium"
    min_baseline: int = 50  # builds that must lie before a drop


@dataclass(frozen=True, slots=True, kw_only=True)
class RateBelowRule:
    """The success rate in a window lies under a line that the user chose.

    `window` is a span of time, a number of builds, or `"daily"` (the reporting day). `confidence` (0.5 to 1,
    exclusive) asks for more: so sure must one be that the true rate, too, lies under the line.
    """

    percent: float
    window: timedelta | int | Literal["daily"]
    min_runs: int = 10
    confidence: float | None = None

    def __post_init__(self) -> None:
        """Refuse lines that no rate can cross."""
        if not 0 < self.percent <= 100:  # noqa: PLR2004  (a percentage)
            raise ValueError(f"success_rate_below.percent must lie above 0 and up to 100, got {self.percent}")
        if self.confidence is not None and not 0.5 < self.confidence < 1:  # noqa: PLR2004  (one half is a coin)
            raise ValueError(f"success_rate_below.confidence must lie between 0.5 and 1, got {self.confidence}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreachableRule:
    """A provider could not be read `after` polls in a row, and for `lasting` since the first of them."""

    after: int = 3
    lasting: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRegressionRule:
    """A daily window passes less often than the fourteen before it, by more than days usually differ."""

    points: float = 5.0  # the drop, in percentage points
    z: float = 3.5
    min_runs: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationRule:
    """The median of the last builds that passed against that of those before: longer by both, and not by chance."""

    percent: float = 20.0
    at_least: timedelta = timedelta(minutes=2)
    p: float = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """When a build is due: so long after the last one, by a cron line, or as its own past says (`auto`)."""

    every: timedelta | None = None
    cron: str | None = None
    zone: tzinfo | None = None  # of the cron line
    auto: bool = False
    grace: timedelta = timedelta(hours=2)

    def __post_init__(self) -> None:
        """Exactly one of the three."""
        if (self.every is not None) + (self.cron is not None) + self.auto != 1:
            raise ValueError("expect needs exactly one of every, cron and auto")


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckRule:
    """A build runs longer than max(2 x p95 of those that passed, p95 + 15 min), or waits in a queue for too long."""

    running_longer_than: timedelta | None = None  # instead of what its past says
    queued_longer_than: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlappingRule:
    """`transitions` changes of verdict among the last `within` builds begin it, `calm` end it.

    Meanwhile failures are told in its thread only, until `break_through` in a row.
    """

    transitions: int = 7
    within: int = 20
    calm: int = 3
    break_through: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NoVerdictRule:
    """So many builds in a row that neither passed nor failed, on a pipeline with an expectation."""

    after: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFailedRule:
    """A channel has refused or not answered for so long; told on another channel."""

    after: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is looked for. None (or False) switches a kind off."""

    failure: FailureRule | None = field(default_factory=FailureRule)
    success_rate_drop: RateDropRule | None = field(default_factory=RateDropRule)
    success_rate_below: RateBelowRule | None = None
    window_regression: WindowRegressionRule | None = field(default_factory=WindowRegressionRule)
    duration: DurationRule | None = field(default_factory=DurationRule)
    stale: Expectation | None = None
    stuck: StuckRule | None = field(default_factory=StuckRule)
    flapping: FlappingRule | None = field(default_factory=FlappingRule)
    no_verdict: NoVerdictRule | None = field(default_factory=NoVerdictRule)
    provider_unreachable: UnreachableRule | None = field(default_factory=UnreachableRule)
    delivery_failed: DeliveryFailedRule | None = field(default_factory=DeliveryFailedRule)
    test_regression: bool = True
    pipeline_missing: bool = True
    rerun_wait: timedelta = timedelta(0)  # a failed first attempt counts when no re-run has come for so long


DEFAULT_RULES = Rules()
