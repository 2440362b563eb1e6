"""`alerts:` of config.yaml, and the `alerts:` of an entry that is merged over it, as the rules they stand for."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from alerts.rules import FailureRule, RateBelowRule, RateDropRule, Rules, UnreachableRule
from domain.duration import parse_duration
from poller.config.later import later
from providers._base import Duration

_BUILDS = re.compile(r"(\d+)\s+builds?")


class Kind(BaseModel):
    """The parameters of one kind of alert."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Failure(Kind):
    """Failures in a row. Resolves after passes in a row."""

    after: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        default=1,
        description="So many failures in a row fire; `auto` adapts to how often the pipeline fails by chance.",
    )
    resolve_after: int = Field(default=1, ge=1, description="So many passes in a row resolve it.")
    remind: list[Any] | str | bool | None = later("When a failure that lasts is told again.")


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


class Unreachable(Kind):
    """A CI server cannot be read."""

    after: int = Field(default=3, ge=1, description="So many polls in a row must have failed ...")
    lasting: Duration = Field(default=timedelta(minutes=10), description="... and for so long.")


class Missing(Kind):
    """A watched job, workflow or repository is gone. Has no parameters."""


def _switched(value: object) -> object:
    """`kind: off` is None; `kind: on` and a bare `kind:` are the defaults."""
    if value is False or (isinstance(value, str) and value.casefold() in {"off", "no", "false"}):
        return None
    if value is None or value is True or (isinstance(value, str) and value.casefold() in {"on", "yes", "true"}):
        return {}
    return value


OnOff = bool | Literal["on", "off"] | None
FailureOrOff = Annotated[Failure | None, BeforeValidator(_switched, json_schema_input_type=Failure | OnOff)]
RateDropOrOff = Annotated[RateDrop | None, BeforeValidator(_switched, json_schema_input_type=RateDrop | OnOff)]
RateBelowOrOff = Annotated[RateBelow | None, BeforeValidator(_switched, json_schema_input_type=RateBelow | OnOff)]
UnreachableOrOff = Annotated[Unreachable | None, BeforeValidator(_switched, json_schema_input_type=Unreachable | OnOff)]
MissingOrOff = Annotated[Missing | None, BeforeValidator(_switched, json_schema_input_type=Missing | OnOff)]
LaterKind = dict[str, Any] | str | bool | None


class EntryAlerts(BaseModel):
    """Rules of an entry of `pipelines:`; what is left out is as in `alerts:`. `off` switches a kind off."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    failure: FailureOrOff = Field(default=Failure(), description="Failures in a row.")
    success_rate_drop: RateDropOrOff = Field(
        default=RateDrop(), description="The success rate falls against the pipeline's own past."
    )
    success_rate_below: RateBelowOrOff = Field(
        default=None, description="The success rate in a window lies under a line that you choose."
    )
    pipeline_missing: MissingOrOff = Field(
        default=Missing(), description="A watched job, workflow or repository is gone."
    )
    window_regression: LaterKind = later("A daily window against the fourteen before.")
    duration: LaterKind = later("Builds take longer than they did.")
    stale: LaterKind = later("No build although one is due.")
    stuck: LaterKind = later("A build hangs.")
    flapping: LaterKind = later("A pipeline goes back and forth.")
    delivery_failed: LaterKind = later("A channel does not deliver.")


class Alerts(EntryAlerts):
    """What is looked for on every pipeline, and on the servers themselves. `off` switches a kind off."""

    provider_unreachable: UnreachableOrOff = Field(default=Unreachable(), description="A CI server cannot be read.")


def rules_from(common: Alerts, own: EntryAlerts | None = None) -> Rules:
    """The rules of `alerts:`, with those of an entry merged over them key by key.

    Raises ValueError when a rate is to be watched and no `percent` is given anywhere.
    """
    failure = _merged(common, own, "failure")
    drop = _merged(common, own, "success_rate_drop")
    below = _merged(common, own, "success_rate_below")
    unreachable: Any = common.provider_unreachable
    if below is not None and below.percent is None:
        raise ValueError('success_rate_below needs "percent", the success rate to stay above')
    return Rules(
        failure=failure and FailureRule(**failure.model_dump(exclude={"remind"})),
        success_rate_drop=drop and RateDropRule(**drop.model_dump()),
        success_rate_below=below and RateBelowRule(**below.model_dump()),
        provider_unreachable=unreachable and UnreachableRule(**unreachable.model_dump()),
        pipeline_missing=_merged(common, own, "pipeline_missing") is not None,
    )


def _merged(common: Alerts, own: EntryAlerts | None, kind: str) -> Any:
    below, above = getattr(common, kind), getattr(own, kind, None)
    if own is None or kind not in own.model_fields_set:
        return below
    if above is None or below is None:
        return above
    given = {name: getattr(above, name) for name in above.model_fields_set}
    return below.model_copy(update=given)
