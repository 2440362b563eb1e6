from datetime import timedelta

import pytest

from poller.watching.health import Health
from providers._base import ProviderError, Refused, Target, Trouble, Unavailable
from store.providers import ProviderHealth
from tests.support.hands import Hands

JENKINS = Target(provider="ci", key="jobs", every=timedelta(seconds=60))
WEB = Target(provider="github", key="acme/web", every=timedelta(seconds=60))
API = Target(provider="github", key="acme/api", every=timedelta(seconds=60))


def health(hands: Hands) -> Health:
    return Health(hands.clock(), ProviderHealth(name="ci"))


def down(trouble: Trouble = Trouble.CONNECTION, **more: float) -> Unavailable:
    return Unavailable(trouble, "ci.example.com: connection refused", **more)  # type: ignore[arg-type]


def test_the_first_failures_keep_the_pace_and_then_it_slows_down() -> None:
    hands = Hands()
    ours = health(hands)
    waits = []
    for _ in range(12):
        ours.failed(JENKINS, down())
        waited = 0
        while not ours.may_poll(JENKINS):
            hands.pass_by(30)
            waited += 30
        waits.append(waited)
        hands.pass_by(60)
    assert waits[:3] == [0, 0, 0]
    assert waits[3] <= 120
    assert waits == sorted(waits)
    assert waits[-1] == 600  # ten intervals


def test_refused_credentials_are_tried_every_quarter_of_an_hour_at_last() -> None:
    hands = Hands()
    ours = health(hands)
    for _ in range(20):
        ours.failed(JENKINS, Refused(Trouble.AUTH, "401"))
    hands.pass_by(899)
    assert not ours.may_poll(JENKINS)
    hands.pass_by(1)
    assert ours.may_poll(JENKINS)


def test_a_rate_limit_holds_the_whole_provider_and_is_written_down() -> None:
    hands = Hands()
    ours = health(hands)
    ours.failed(WEB, down(Trouble.RATE_LIMIT, retry_after=30.0, provider_wide=True))
    assert not ours.may_poll(API)
    assert ours.facts.trouble == "rate limit"
    hands.pass_by(30)
    assert ours.may_poll(API)


def test_holding_back_by_ourselves_is_no_failure() -> None:
    hands = Hands()
    ours = health(hands)
    assert not ours.failed(WEB, down(Trouble.PACED, retry_after=5.0))
    assert ours.facts.failing_since is None
    assert not ours.may_poll(WEB)
    assert ours.may_poll(API)


def test_one_good_poll_ends_an_outage() -> None:
    hands = Hands()
    ours = health(hands)
    assert ours.failed(WEB, down())
    assert not ours.failed(WEB, down()), "the same trouble is worth one line in the log"
    assert ours.facts.failures == 2
    since = ours.facts.failing_since
    hands.pass_by(60)
    ours.failed(API, down(Trouble.TIMEOUT))
    assert (ours.facts.failing_since, ours.facts.trouble) == (since, "timeout")
    assert ours.succeeded(API)
    assert ours.facts.failing_since is None
    assert ours.facts.last_ok_at == hands.wall
    assert not ours.succeeded(API)


def test_failures_count_on_over_a_restart_and_over_the_runs_of_cron() -> None:
    hands = Hands()
    facts = ProviderHealth(name="ci")
    for _ in range(3):
        ours = Health(hands.clock(), facts)
        ours.failed(JENKINS, down())
        facts = ours.facts
    assert facts.failures == 3
    ours = Health(hands.clock(), facts)
    ours.succeeded(JENKINS)
    ours.failed(JENKINS, down())
    assert ours.facts.failures == 1


def test_a_target_that_fails_among_healthy_ones_is_logged_once() -> None:
    ours = health(Hands())
    assert ours.succeeded(API)
    assert [ours.failed(WEB, down()) or ours.succeeded(API) for _ in range(3)] == [True, False, False]
    assert ours.failed(WEB, down(Trouble.TIMEOUT))
    assert ours.succeeded(WEB)


@pytest.mark.parametrize("error", [None, down()])
def test_a_look_is_due_while_it_fails_and_once_afterwards(error: ProviderError | None) -> None:
    ours = health(Hands())
    assert ours.worth_a_look()  # an alert of an earlier run may be over
    assert not ours.worth_a_look()
    if error is not None:
        ours.failed(WEB, error)
        assert ours.worth_a_look()
        assert ours.worth_a_look()
    ours.succeeded(WEB)
    assert ours.worth_a_look()
    assert not ours.worth_a_look()
