"""What a build says of itself."""

from dataclasses import replace

import pytest

from tests.support.builders import build


@pytest.mark.parametrize(
    ("trigger", "occasion"),
    [
        ("SCMTriggerCause", "SCM"),
        ("TimerTriggerCause", "timer"),
        ("BranchEventCause", "branch event"),
        ("GitHubPushCause", "GitHub push"),
        ("UserIdCause", "a person"),
        ("UpstreamCause", "another job"),
        ("workflow_dispatch", "workflow_dispatch"),
        ("Started by hand", "Started by hand"),
        ("MergeRequestCause", "merge request"),
        ("CauseOfSCMCause", "cause of SCM"),
        (None, None),
    ],
)
def test_what_triggered_a_build_is_told_in_words(trigger: str | None, occasion: str | None) -> None:
    assert replace(build(1), trigger=trigger).occasion == occasion
