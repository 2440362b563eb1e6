import pytest

from alerts.policies.routing import Match, Route, Subject, destinations, explain, watched
from domain.alert import AlertKind, Severity
from domain.globs import matches
from tests.support.builders import build, pipeline


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("main", "main", True),
        ("main", "Main", False),
        ("main", "main2", False),
        ("release/*", "release/25.3", True),
        ("release/*", "release/25.3/rc1", False),
        ("release/**", "release/25.3/rc1", True),
        ("*", "a/b", False),
        ("**", "a/b", True),
        ("**/nightly", "nightly", True),
        ("**/nightly", "a/b/nightly", True),
        ("**/nightly", "a/b/knightly", False),
        ("v?.[0-9]", "v1.2", True),
        ("v[!12]", "v3", True),
        ("v[!12]", "v1", False),
        ("a[!b]c", "a/c", False),
        ("v[", "v[", True),
        ("a+(b)|c", "a+(b)|c", True),
        ("[]]", "]", True),
        ("[a&&b~~|]", "|", True),
        ("x*", "x\ny", True),
        ("", "", True),
    ],
)
def test_patterns_are_those_of_ci_files(pattern: str, text: str, expected: bool) -> None:  # noqa: FBT001
    assert matches(pattern, text) is expected


def test_by_default_only_the_default_branch_alerts() -> None:
    assert watched(build(), (), "main")
    assert not watched(build(branch="feature/x"), (), "main")
    assert watched(build(branch="trunk"), (), "trunk")
    assert not watched(build(branch="main"), (), "trunk")


@pytest.mark.parametrize(("branch", "expected"), [("main", True), ("master", True), ("develop", False), (None, False)])
def test_an_unknown_default_branch_is_main_or_master(branch: str | None, expected: bool) -> None:  # noqa: FBT001
    assert watched(build(branch=branch), (), None) is expected


def test_globs_take_the_place_of_the_default_branch() -> None:
    assert watched(build(branch="release/1"), ("main", "release/*"), "main")
    assert watched(build(branch="main"), ("main", "release/*"), "main")
    assert not watched(build(branch="main"), ("release/*",), "main")


@pytest.mark.parametrize("trigger", ["schedule", "merge_group", "TimerTriggerCause"])
def test_schedules_and_merge_queues_alert_on_any_branch(trigger: str) -> None:
    assert watched(build(branch="gh-readonly-queue/main/pr-7", trigger=trigger), (), "main")
    assert not watched(build(branch="develop", trigger=trigger), ("main",), "main")


@pytest.mark.parametrize("branches", [(), ("main",), ("**",)])
def test_pull_requests_and_forks_never_alert_whatever_their_branch_is_called(branches: tuple[str, ...]) -> None:
    assert not watched(build(branch="main", is_fork=True), branches, "main")
    assert not watched(build(branch="main", is_pull_request=True), branches, "main")


def test_a_plain_job_is_one_stream() -> None:
    plain = pipeline(branched=False)
    assert watched(build(pipeline=plain, branch=None), (), None)
    assert watched(build(pipeline=plain, branch="feature/x"), (), None)
    assert watched(build(pipeline=plain, branch=None), ("main",), None)
    assert not watched(build(pipeline=plain, branch="feature/x"), ("main",), None)
    assert watched(build(pipeline=plain, branch="main"), ("main",), None)


SUBJECT = Subject(
    provider="github",
    pipeline="acme/web/.github/workflows/ci.yml",
    name="Build and test",
    branch="release/25.3",
    labels={"team": "payments"},
    kind=AlertKind.FAILURE,
    severity=Severity.CRITICAL,
    bucket="helm",
)


@pytest.mark.parametrize(
    ("match", "obstacle"),
    [
        (Match(), None),
        (Match(provider="github"), None),
        (Match(provider="nsp"), "provider is github, not nsp"),
        (Match(pipeline="acme/web/.github/workflows/*.yml"), None),
        (Match(pipeline="acme/*"), None),
        (Match(pipeline="Build*"), None),
        (Match(pipeline="other/*"), "pipeline is acme/web/.github/workflows/ci.yml, not other/*"),
        (Match(branch="release/*"), None),
        (Match(branch="main"), "branch is release/25.3, not main"),
        (Match(labels={"team": "pay*"}), None),
        (Match(labels={"team": "search"}), "label team is payments, not search"),
        (Match(labels={"team": "payments", "cloud": "a"}), "there is no label cloud, a is asked for"),
        (Match(kind="failure", severity="critical", bucket="helm"), None),
        (Match(kind="success_rate_drop"), "kind is failure, not success_rate_drop"),
        (Match(severity="info"), "severity is critical, not info"),
        (Match(bucket="network"), "bucket is helm, not network"),
    ],
)
def test_all_conditions_that_are_given_must_hold(match: Match, obstacle: str | None) -> None:
    assert match.obstacle(SUBJECT) == obstacle


def test_a_provider_has_neither_pipeline_nor_branch_nor_labels() -> None:
    provider = Subject(provider="nsp", kind=AlertKind.PROVIDER_UNREACHABLE, severity=Severity.CRITICAL)
    assert Match(pipeline="**").obstacle(provider) == "there is no pipeline, ** is asked for"
    assert Match(branch="**").obstacle(provider) == "there is no branch, ** is asked for"
    assert Match(labels={"team": "*"}).obstacle(provider) == "there is no label team, * is asked for"
    assert Match(kind="provider_unreachable").obstacle(provider) is None


MAIL = Route(match=Match(labels={"team": "payments"}), to=("mail",), then_continue=True)
SLACK = Route(to=("ci-slack",))


def test_the_first_route_that_matches_wins_unless_it_says_continue() -> None:
    assert destinations([MAIL, SLACK], SUBJECT) == ("mail", "ci-slack")
    assert destinations([SLACK, MAIL], SUBJECT) == ("ci-slack",)
    assert destinations([Route(match=Match(provider="nsp"), to=("ops",)), SLACK], SUBJECT) == ("ci-slack",)


def test_each_channel_is_named_once_and_none_when_nothing_matches() -> None:
    assert destinations([Route(to=("a", "b"), then_continue=True), Route(to=("b", "c"))], SUBJECT) == ("a", "b", "c")
    assert destinations([Route(match=Match(provider="nsp"), to=("ops",))], SUBJECT) == ()
    assert destinations([], SUBJECT) == ()


def test_the_path_is_told_in_words() -> None:
    ops = Route(match=Match(provider="nsp"), to=("ops",))
    assert explain([ops, MAIL, SLACK], SUBJECT) == [
        "route 1 does not match: provider is github, not nsp",
        "route 2 matches: to mail, and on (continue: true)",
        "route 3 has no conditions: to ci-slack",
        "goes to mail, ci-slack",
    ]
    assert explain([ops], SUBJECT)[-1] == "goes nowhere: no route matches"
