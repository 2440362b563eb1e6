"""`alerts:` of config.yaml, and the `alerts:` of an entry that is merged over it, as the rules they stand for."""

from datetime import timedelta, tzinfo
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from alerts.rules import (
    DeliveryFailedRule,
    DurationRule,
    Expectation,
    FailureRule,
    FlappingRule,
    NoVerdictRule,
    RateBelowRule,
    RateDropRule,
    Rules,
    StuckRule,
    UnreachableRule,
    WindowRegressionRule,
)
from domain.duration import parse_duration
from poller.config.kinds import (
    BuildDuration,
    DeliveryFailed,
    Expect,
    Failure,
    Flapping,
    Missing,
    NoVerdict,
    RateBelow,
    RateDrop,
    Stale,
    Stuck,
    TestRegression,
    Unreachable,
    WindowRegression,
    as_expectation,
    as_stale,
    switched,
)
from providers._base import Duration

OnOff = bool | Literal["on", "off"] | None
FailureOrOff = Annotated[Failure | None, BeforeValidator(switched, json_schema_input_type=Failure | OnOff)]
RateDropOrOff = Annotated[RateDrop | None, BeforeValidator(switched, json_schema_input_type=RateDrop | OnOff)]
RateBelowOrOff = Annotated[RateBelow | None, BeforeValidator(switched, json_schema_input_type=RateBelow | OnOff)]
WindowsOrOff = Annotated[
    WindowRegression | None, BeforeValidator(switched, json_schema_input_type=WindowRegression | OnOff)
]
DurationOrOff = Annotated[BuildDuration | None, BeforeValidator(switched, json_schema_input_type=BuildDuration | OnOff)]
StaleOrOff = Annotated[
    Stale | None, BeforeValidator(as_stale, json_schema_input_type=Stale | Expect | Literal["auto"] | OnOff)
]
StuckOrOff = Annotated[Stuck | None, BeforeValidator(switched, json_schema_input_type=Stuck | OnOff)]
FlappingOrOff = Annotated[Flapping | None, BeforeValidator(switched, json_schema_input_type=Flapping | OnOff)]
NoVerdictOrOff = Annotated[NoVerdict | None, BeforeValidator(switched, json_schema_input_type=NoVerdict | OnOff)]
UnreachableOrOff = Annotated[Unreachable | None, BeforeValidator(switched, json_schema_input_type=Unreachable | OnOff)]
DeliveryOrOff = Annotated[
    DeliveryFailed | None, BeforeValidator(switched, json_schema_input_type=DeliveryFailed | OnOff)
]
TestsOrOff = Annotated[TestRegression | None, BeforeValidator(switched, json_schema_input_type=TestRegression | OnOff)]
MissingOrOff = Annotated[Missing | None, BeforeValidator(switched, json_schema_input_type=Missing | OnOff)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class EntryAlerts(_Section):
    """Rules of an entry of `pipelines:`; what is left out is as in `alerts:`. `off` switches a kind off."""

    failure: FailureOrOff = Field(default=Failure(), description="Failures in a row.")
    success_rate_drop: RateDropOrOff = Field(
        default=RateDrop(), description="The success rate falls against the pipeline's own past."
    )
    success_rate_below: RateBelowOrOff = Field(
        default=None, description="The success rate in a window lies under a line that you choose."
    )
    window_regression: WindowsOrOff = Field(
        default=WindowRegression(), description="A daily window is worse than the fourteen before it."
    )
    duration: DurationOrOff = Field(default=BuildDuration(), description="Builds take longer than they did.")
    stale: StaleOrOff = Field(default=Stale(), description="No build although one is due; needs an `expect:`.")
    stuck: StuckOrOff = Field(default=Stuck(), description="A build runs or waits for too long.")
    flapping: FlappingOrOff = Field(default=Flapping(), description="A pipeline goes back and forth.")
    no_verdict: NoVerdictOrOff = Field(
        default=NoVerdict(), description="Builds end, and none of them passes or fails; needs an `expect:`."
    )
    test_regression: TestsOrOff = Field(
        default=TestRegression(),
        description="Tests fail that passed before, or a report that is required is not there.",
    )
    pipeline_missing: MissingOrOff = Field(
        default=Missing(), description="A watched job, workflow or repository is gone."
    )


class Alerts(EntryAlerts):
    """What is looked for on every pipeline, and on servers and channels. `off` switches a kind off."""

    provider_unreachable: UnreachableOrOff = Field(default=Unreachable(), description="A CI server cannot be read.")
    delivery_failed: DeliveryOrOff = Field(default=DeliveryFailed(), description="A channel refuses messages.")


def _expected(value: object) -> object:
    if value is False or (isinstance(value, str) and value.casefold() in {"off", "no"}):
        return False
    return as_expectation(value)


ExpectOrOff = Annotated[
    Expect | Literal[False] | None, BeforeValidator(_expected, json_schema_input_type=Expect | str | bool | None)
]
"""`expect:` of an entry of `pipelines:`; off: not even what `alerts:` expects of all."""


def _none_is_zero(value: object) -> object:
    """`0s` and `0m` are as good as 0."""
    try:
        return 0 if isinstance(value, str) and not parse_duration(value) else value
    except ValueError:
        return value


class Rerun(_Section):
    """What is known about re-runs of failed builds."""

    wait: Annotated[Duration | Literal[0], BeforeValidator(_none_is_zero)] = Field(
        default=0, description="A failed first attempt counts when no re-run has come for so long."
    )

    @property
    def length(self) -> timedelta:
        """`wait` as a duration; 0 is none."""
        return self.wait if isinstance(self.wait, timedelta) else timedelta(0)


def rules_from(
    common: Alerts,
    own: EntryAlerts | None = None,
    *,
    expect: Expect | Literal[False] | None = None,
    rerun: Rerun | None = None,
    zone: tzinfo | None = None,
) -> Rules:
    """The rules of `alerts:`, with those of an entry merged over them key by key.

    `expect` and `rerun` are the entry's; `zone` is that of crontab lines without one of their own.
    Raises ValueError when a rate is to be watched and no `percent` is given anywhere.
    """

    def merged(kind: str) -> Any:
        return _merged(common, own, kind)

    below, unreachable, delivery = merged("success_rate_below"), common.provider_unreachable, common.delivery_failed
    if below is not None and below.percent is None:
        raise ValueError('success_rate_below needs "percent", the success rate to stay above')
    return Rules(
        failure=_rule(FailureRule, merged("failure")),
        success_rate_drop=_rule(RateDropRule, merged("success_rate_drop")),
        success_rate_below=_rule(RateBelowRule, below),
        window_regression=_rule(WindowRegressionRule, merged("window_regression")),
        duration=_rule(DurationRule, merged("duration")),
        stale=_expectation(merged("stale"), expect, zone),
        stuck=_rule(StuckRule, merged("stuck")),
        flapping=_rule(FlappingRule, merged("flapping")),
        no_verdict=_rule(NoVerdictRule, merged("no_verdict")),
        provider_unreachable=_rule(UnreachableRule, unreachable),
        delivery_failed=_rule(DeliveryFailedRule, delivery),
        test_regression=merged("test_regression") is not None,
        pipeline_missing=merged("pipeline_missing") is not None,
        rerun_wait=rerun.length if rerun is not None else timedelta(0),
    )


def _rule(rule: type[Any], given: BaseModel | None) -> Any:
    return None if given is None else rule(**given.model_dump())


def _expectation(
    stale: Stale | None, expect: Expect | Literal[False] | None, zone: tzinfo | None
) -> Expectation | None:
    if stale is None or expect is False:
        return None
    due = expect or stale.expect
    if due is None:
        return None
    return Expectation(every=due.every, cron=due.cron, zone=due.zone or zone, auto=due.auto, grace=due.grace)


def _merged(common: Alerts, own: EntryAlerts | None, kind: str) -> Any:
    below, above = getattr(common, kind), getattr(own, kind, None)
    if own is None or kind not in own.model_fields_set:
        return below
    if above is None or below is None:
        return above
    given = {name: getattr(above, name) for name in above.model_fields_set}
    return below.model_copy(update=given)
