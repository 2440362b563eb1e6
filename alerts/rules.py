"""The parameters of every kind of alert, with their defaults; `alerts:` in config.yaml fills them."""

from dataclasses import dataclass, field
from datetime import timedelta
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
class Rules:
    """What is looked for. None (or False) switches a kind off."""

    failure: FailureRule | None = field(default_factory=FailureRule)
    success_rate_drop: RateDropRule | None = field(default_factory=RateDropRule)
    success_rate_below: RateBelowRule | None = None
    provider_unreachable: UnreachableRule | None = field(default_factory=UnreachableRule)
    pipeline_missing: bool = True


DEFAULT_RULES = Rules()
