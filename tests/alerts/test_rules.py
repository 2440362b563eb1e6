from datetime import timedelta

import pytest

from alerts.rules import DEFAULT_RULES, FailureRule, RateBelowRule


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert DEFAULT_RULES.failure == FailureRule(after=1, resolve_after=1)
    assert DEFAULT_RULES.success_rate_drop is not None
    assert DEFAULT_RULES.success_rate_drop.sensitivity == "medium"
    assert DEFAULT_RULES.success_rate_below is None
    assert DEFAULT_RULES.provider_unreachable is not None
    assert DEFAULT_RULES.provider_unreachable.lasting == timedelta(minutes=10)
    assert DEFAULT_RULES.pipeline_missing


@pytest.mark.parametrize("values", [{"after": 0}, {"resolve_after": 0}])
def test_thresholds_that_cannot_be_met_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        FailureRule(**values)


@pytest.mark.parametrize("values", [{"percent": 0}, {"percent": 101}, {"confidence": 0.5}, {"confidence": 1.0}])
def test_lines_that_cannot_be_crossed_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="success_rate_below"):
        RateBelowRule(**({"percent": 90.0, "window": "daily"} | values))  # type: ignore[arg-type]
