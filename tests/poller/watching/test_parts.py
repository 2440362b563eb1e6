"""Parts of a provider that fail by themselves: a repository among healthy ones, a job of a Jenkins server."""

from datetime import timedelta

from poller.watching.health import Health
from poller.watching.parts import Part, forget, most_of, recall, remember
from providers._base import ProviderError, Refused, Target, Trouble, Unavailable
from store.engine import Database
from store.providers import ProviderHealth
from tests.support.builders import NOON, minutes
from tests.support.hands import Hands

WEB = Target(provider="github", key="acme/web", every=timedelta(seconds=60))
API = Target(provider="github", key="acme/api", every=timedelta(seconds=60))
JOBS = Target(provider="nsp", key="jobs", every=timedelta(seconds=60))


def refused() -> ProviderError:
    return Refused(Trouble.AUTH, "403 for token x-secret")


def part(key: str = "acme/web", failures: int = 3, target: str | None = None) -> Part:
    return Part(
        name="github",
        key=key,
        target=target or key,
        failing_since=NOON,
        failures=failures,
        trouble="auth",
        text="403",
    )


def test_a_target_that_fails_again_and_again_while_another_answers_fails_by_itself() -> None:
    hands = Hands()
    ours = Health(hands.clock(), ProviderHealth(name="github"), redact=lambda text: text.replace("x-secret", "***"))
    for _ in range(3):
        ours.failed(WEB, refused())
        ours.succeeded(API)
        hands.pass_by(60)
    (found,) = ours.parts
    assert (found.key, found.failures, found.failing_since, found.trouble) == ("acme/web", 3, NOON, "auth")
    assert found.text == "403 for token ***"
    assert ours.facts.failing_since is None
    ours.failed(WEB, refused())
    assert ours.facts.failing_since is None, "it says nothing about the provider any more"
    assert ours.worth_a_look()
    ours.succeeded(WEB)
    assert ours.parts == ()
    assert ours.worth_a_look()


def test_while_nothing_answers_it_is_the_provider_and_nothing_counts_for_its_parts() -> None:
    hands = Hands()
    ours = Health(hands.clock(), ProviderHealth(name="github"))
    for _ in range(5):
        ours.failed(WEB, refused())
        ours.failed(API, refused())
        hands.pass_by(60)
    assert ours.facts.failures == 5
    assert {(each.key, each.failures) for each in ours.parts} == {("acme/web", 0), ("acme/api", 0)}
    ours.succeeded(API)
    assert ours.facts.failing_since is None
    (left,) = ours.parts
    assert (left.key, left.failures, left.failing_since) == ("acme/web", 1, hands.wall - timedelta(seconds=60))


def test_a_part_is_counted_over_the_runs_of_cron_in_whatever_order_its_polls_come() -> None:
    for order in ("failure first", "success first"):
        hands, facts, known = Hands(), ProviderHealth(name="github"), list[Part]()
        for _ in range(4):
            ours = Health(hands.clock(), facts, parts=known)
            if order == "failure first":
                ours.failed(WEB, refused())
            ours.succeeded(API)
            if order == "success first":
                ours.failed(WEB, refused())
            facts, known = ours.facts, list(ours.parts)
            hands.pass_by(300)
        assert [each.failures for each in known] == [4 if order == "failure first" else 3]
        assert facts.failures <= 1


def test_a_server_with_one_target_that_is_down_is_down_for_cron_too() -> None:
    hands, facts, known = Hands(), ProviderHealth(name="nsp"), list[Part]()
    for _ in range(3):
        ours = Health(hands.clock(), facts, parts=known)
        ours.failed(JOBS, Unavailable(Trouble.CONNECTION, "refused"))
        facts, known = ours.facts, list(ours.parts)
        hands.pass_by(300)
    assert (facts.failures, facts.failing_since) == (3, NOON)
    assert [each.failures for each in known] == [0]


def test_a_wait_that_holds_for_the_whole_provider_is_no_trouble_of_a_part() -> None:
    ours = Health(Hands().clock(), ProviderHealth(name="github"))
    ours.failed(WEB, Unavailable(Trouble.RATE_LIMIT, "wait", retry_after=1.0, provider_wide=True))
    ours.failed(Target(provider="github", key="*", every=WEB.every), refused())
    assert ours.parts == ()


def test_pipelines_that_one_poll_could_not_read_are_parts_until_one_reads_them() -> None:
    hands = Hands()
    ours = Health(hands.clock(), ProviderHealth(name="nsp"))
    broken = {"team/a": Unavailable(Trouble.SERVER_ERROR, "500")}
    for _ in range(3):
        ours.succeeded(JOBS, broken)
        hands.pass_by(60)
    assert [(each.key, each.target, each.failures) for each in ours.parts] == [("team/a", "jobs", 3)]
    ours.succeeded(JOBS)
    assert ours.parts, "nobody knows yet what this poll could not read"
    ours.succeeded(JOBS, {})
    assert ours.parts == ()


def test_what_failed_before_a_restart_still_does(database: Database) -> None:
    database.transact(lambda session: remember(session, "github", [part()], minutes(1)))
    database.transact(lambda session: remember(session, "github", [part()], minutes(2)))
    known = database.read(lambda session: recall(session, "github"))
    assert known == [part()]
    assert database.read(lambda session: recall(session, "nsp")) == []
    ours = Health(Hands().clock(), ProviderHealth(name="github"), parts=known)
    ours.failed(WEB, refused())
    ours.succeeded(API)
    assert [(each.failures, each.failing_since) for each in ours.parts] == [(4, NOON)]
    database.transact(lambda session: forget(session, ["github"]))
    assert database.read(lambda session: recall(session, "github")) == [part()]
    database.transact(lambda session: forget(session, ["nsp"]))
    assert database.read(lambda session: recall(session, "github")) == []


def test_when_more_than_half_fails_it_is_the_provider() -> None:
    repositories = [part(f"acme/{number}") for number in range(3)]
    assert most_of(repositories, targets=5, pipelines=50)
    assert not most_of(repositories, targets=6, pipelines=50)
    assert not most_of(repositories[:1], targets=1, pipelines=1), (
        "of one, all means: the provider itself does not answer"
    )
    jobs = [part(f"team/{number}", target="jobs") for number in range(3)]
    assert most_of(jobs, targets=1, pipelines=5)
    assert not most_of(jobs, targets=1, pipelines=6)
