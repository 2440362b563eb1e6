"""The parameters of each kind of alert, as they stand under `alerts:` of config.yaml."""

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from domain.duration import parse_duration
from poller.config import cron
from poller.config.sections import Zone
from providers._base import Duration

_BUILDS = re.compile(r"(\d+)\s+builds?")


class Kind(BaseModel):
    """The parameters of one kind of alert."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _as_steps(value: object) -> object:
    if value is False or (isinstance(value, str) and value.casefold() in {"off", "no", "never"}):
        return ()
    return [value] if isinstance(value, str | timedelta) else value


Steps = Annotated[tuple[Duration, ...], BeforeValidator(_as_steps, json_schema_input_type=str | list[str] | bool)]


class Failure(Kind):
    """Failures in a row. Resolves after passes in a row."""

    after: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        default=1,
        description="So many failures in a row fire; `auto` adapts to how often the pipeline fails by chance.",
    )
    resolve_after: int = Field(default=1, ge=1, description="So many passes in a row resolve it.")
    remind: Steps = Field(
        default=(timedelta(hours=24), timedelta(hours=72), timedelta(days=7)),
        description="When a failure that lasts is told again; the last step repeats; off: never.",
    )


class RateDrop(Kind):
    """The success rate falls against the pipeline's own past; needs no threshold."""

    sensitivity: Literal["low", "medium", "high"] = Field(default="medium", description="How soon a drop is told.")
    min_baseline: int = Field(default=50, ge=1, le=200, description="Builds that must lie before a drop.")


def _as_window(value: object) -> object:
    if not isinstance(value, str) or value == "daily":
        return value
    if builds := _BUILDS.fullmatch(value.strip()):
        return int(builds[1])
    try:
        return parse_duration(value)
    except ValueError as error:
        message = f'{value!r} is not a window: write a duration (24h, 7d), a number of builds ("20 builds") or daily'
        raise ValueError(message) from error


RateWindow = Annotated[timedelta | int | Literal["daily"], BeforeValidator(_as_window, json_schema_input_type=str)]


class RateBelow(Kind):
    """The success rate in a window lies under a line that you choose."""

    percent: float | None = Field(default=None, gt=0, le=100, description="The line; the alert ends 5 points above it.")
    window: RateWindow = Field(default=timedelta(hours=24), description='24h, 7d, "20 builds" or daily.')
    min_runs: int = Field(default=10, ge=1, description="With fewer finished builds in the window nothing is said.")
    confidence: float | None = Field(
        default=None, gt=0.5, lt=1, description="So sure must one be that the true rate, too, lies under the line."
    )


class WindowRegression(Kind):
    """A daily window passes less often than the fourteen before it: per pipeline and per value of each label."""

    points: float = Field(default=5.0, gt=0, le=100, description="A drop of so many percentage points, and ...")
    z: float = Field(default=3.5, gt=0, description="... of so many times what days usually differ by.")
    min_runs: int = Field(default=20, ge=1, description="With fewer builds in the window nothing is said.")


class BuildDuration(Kind):
    """Builds that pass take longer than they did."""

    percent: float = Field(default=20.0, gt=0, description="Longer by so much, and ...")
    at_least: Duration = Field(default=timedelta(minutes=2), description="... by so much, and ...")
    p: float = Field(default=0.001, gt=0, lt=0.5, description="... with so little chance of being mere chance.")


def _checked_cron(value: str) -> str:
    cron.check(value)
    return value


Cron = Annotated[str, AfterValidator(_checked_cron)]


def as_expectation(value: object) -> object:
    """`expect: auto`, and `expect: 24h` for `expect: {every: 24h}`."""
    if not isinstance(value, str):
        return value
    return {"auto": True} if value == "auto" else {"every": value}


class Expect(Kind):
    """When a build is due: exactly one of `every`, `cron` and `auto`."""

    every: Duration | None = Field(default=None, description="So long after the last build.")
    cron: Cron | None = Field(default=None, description='At the times of a crontab line: "0 2 * * *".')
    zone: Zone | None = Field(default=None, description="The time zone of the crontab line; default: `timezone`.")
    auto: bool = Field(default=False, description="As its own past says: 3 x the 95th percentile of its gaps.")
    grace: Duration = Field(default=timedelta(hours=2), description="How late it may be.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.every is not None) + (self.cron is not None) + self.auto != 1:
            raise ValueError('needs exactly one of "every", "cron" and "auto"')
        if self.zone is not None and self.cron is None:
            raise ValueError('"zone" goes with "cron"')
        return self


Expected = Annotated[Expect, BeforeValidator(as_expectation, json_schema_input_type=Expect | str)]


class Stale(Kind):
    """No build although one is due. Is on where an `expect:` stands, here or in an entry of `pipelines:`."""

    expect: Expected | None = Field(default=None, description="When a build of any watched pipeline is due.")


class Stuck(Kind):
    """A build runs or waits for too long."""

    running_longer_than: Duration | None = Field(
        default=None, description="Default: by its own past, max(2 x p95, p95 + 15 min)."
    )
    queued_longer_than: Duration = Field(default=timedelta(minutes=30), description="How long it may wait to start.")


class Flapping(Kind):
    """A pipeline goes back and forth; meanwhile its failures are told in one thread."""

    transitions: int = Field(default=7, ge=2, description="So many changes of verdict begin it, ...")
    within: int = Field(default=20, ge=3, le=200, description="... among so many builds, and ...")
    calm: int = Field(default=3, ge=0, description="... so few end it.")
    break_through: int = Field(default=5, ge=2, description="So many failures in a row are told all the same.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.transitions >= self.within:
            raise ValueError(f"{self.transitions} transitions cannot happen within {self.within} builds")
        if self.calm >= self.transitions:
            raise ValueError(f'"calm" ({self.calm}) must be less than "transitions" ({self.transitions})')
        return self


class NoVerdict(Kind):
    """Builds end, and none of them passes or fails; for pipelines with an `expect:`."""

    after: int = Field(default=3, ge=1, description="So many in a row.")


class Unreachable(Kind):
    """A CI server cannot be read."""

    after: int = Field(default=3, ge=1, description="So many polls in a row must have failed ...")
    lasting: Duration = Field(default=timedelta(minutes=10), description="... and for so long.")


class DeliveryFailed(Kind):
    """A channel refuses messages; told on another one."""

    after: Duration = Field(default=timedelta(minutes=15), description="It must have done so for so long.")


class TestRegression(Kind):
    """Tests fail that passed before, or a report that must be there is not. Has no parameters."""

    __test__ = False  # not a test class, whatever pytest thinks of the name


class Missing(Kind):
    """A watched job, workflow or repository is gone. Has no parameters."""


def as_stale(value: object) -> object:
    """`stale: auto` and `stale: {every: 24h}` for `stale: {expect: ...}`; else as `switched`."""
    if value == "auto" or (isinstance(value, dict) and value and "expect" not in value):
        return {"expect": value}
    return switched(value)


def switched(value: object) -> object:
    """`kind: off` is None; `kind: on` and a bare `kind:` are the defaults."""
    if value is False or (isinstance(value, str) and value.casefold() in {"off", "no", "false"}):
        return None
    if value is None or value is True or (isinstance(value, str) and value.casefold() in {"on", "yes", "true"}):
        return {}
    return value
