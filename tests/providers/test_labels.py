import logging
import re
from typing import Any

import pytest
from pydantic import ValidationError

from domain.build import Outcome, Pipeline
from providers._labels import Expression, LabelSource, Told, label_source, labels_of, labels_of_details
from providers.github import GitHub, GitHubEntry, GitHubSettings
from providers.jenkins import JenkinsEntry
from tests.support.builders import build

FULL = Told(
    job_name="nsp/BLR-NSP-SCHEDULER1/core",
    built_on="agent-7",
    description="release 25.3 of core",
    title="Deploy to blr-cloud4",
    branch="release/25.3",
    trigger="schedule",
    actor="ada",
    parameters={"CLOUD": "blr-cloud5", "DEBUG": True, "COUNT": 3, "RATE": 0.5, "LIST": [1], "EMPTY": "", "NONE": None},
)


def read(given: Any, told: Told = FULL) -> str | None:
    return label_source("x", given).read(told)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("job_name", "nsp/BLR-NSP-SCHEDULER1/core"),
        ("built_on", "agent-7"),
        ("builtOn", "agent-7"),
        ("description", "release 25.3 of core"),
        ("title", "Deploy to blr-cloud4"),
        ("display_name", "Deploy to blr-cloud4"),
        ("displayName", "Deploy to blr-cloud4"),
        ("branch", "release/25.3"),
        ("trigger", "schedule"),
        ("actor", "ada"),
        ("parameters.CLOUD", "blr-cloud5"),
        ("parameters.DEBUG", "true"),
        ("parameters.COUNT", "3"),
        ("parameters.RATE", "0.5"),
        ("parameters.LIST", None),
        ("parameters.EMPTY", None),
        ("parameters.NONE", None),
        ("parameters.ABSENT", None),
        ({"job_name": r"(?P<value>SCHEDULER\d+)"}, "SCHEDULER1"),
        ({"branch": r"release/([\d.]+)"}, "25.3"),
        ({"title": r"blr-\w+"}, "blr-cloud4"),
        ({"title": r"(?P<other>Deploy) to (?P<value>\S+)"}, "blr-cloud4"),
        ({"parameters.CLOUD": r"cloud(\d)"}, "5"),
        ({"trigger": "push"}, None),
        ({"actor": r"(x)?ada"}, None),
    ],
)
def test_each_source_may_be_taken_whole_or_by_an_expression(given: Any, value: str | None) -> None:
    assert read(given) == value


def test_a_build_that_tells_nothing_has_no_labels() -> None:
    sources = [label_source(name, name) for name in ("job_name", "built_on", "title", "branch", "actor")]
    assert labels_of([*sources, label_source("cloud", "parameters.CLOUD")], Told()) == {}


def test_values_are_harmless_and_short() -> None:
    value = read("title", Told(title="a\x1b[31mb\n" + "c" * 1000)) or ""
    assert value.startswith(r"a\x1b[31mb\x0acc")
    assert len(value) == 255
    assert read("title", Told(title="  ")) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("parameter.CLOUD", 'did you mean "parameters.CLOUD"?'),
        ("parameters", 'did you mean "parameters.NAME"?'),
        ("parameters.", 'did you mean "parameters.NAME"?'),
        ("jobname", 'did you mean "job_name"?'),
        ("BuiltOn", 'did you mean "builtOn"?'),
        ("weather", "use parameters.NAME, job_name"),
        ({"job_name": "("}, "is not a regular expression: missing )"),
        ({"job_name": "x" * 1001}, "more than 1000 characters"),
        ({"job_name": "a", "title": "b"}, "needs exactly one source"),
        ({}, "needs exactly one source"),
        ({"artifact": "facts.json"}, "says not where"),
        ({"artifact": " ", "path": "a"}, "says not where"),
        ({"artifact": "facts.json", "path": "a..b"}, "is no path"),
        ({"artifact": "facts.json", "path": ""}, "is no path"),
        ({"artifact": "facts.json", "pth": "a"}, 'unknown key "pth"'),
    ],
)
def test_a_source_that_cannot_be_read_says_so(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        label_source("x", given)
    for entry in (JenkinsEntry, GitHubEntry):
        with pytest.raises(ValidationError) as invalid:
            entry(provider="ci", job="a", repo="a/b", labels_from={"x": given})
        assert ("labels_from", "x") in {each["loc"] for each in invalid.value.errors()}


def test_an_expression_that_takes_too_long_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    slow = Expression(r"(a|aa)+$")
    text = "a" * 60 + "b"
    with caplog.at_level(logging.WARNING):
        assert [slow.value_in(text) for _ in range(5)] == [None] * 5
    assert [record.getMessage() for record in caplog.records] == [
        "an expression of labels_from takes too long and is not used any more expression=(a|aa)+$"
    ]
    assert slow.value_in("a") is None


def test_what_stands_in_a_file_is_left_to_the_details() -> None:
    source = label_source("cloud", {"artifact": "out/facts.json", "path": "$.cloud.name"})
    assert source == LabelSource(name="cloud", kind="artifact", artifact="out/facts.json", path="$.cloud.name")
    assert source.read(FULL) is None


def test_what_a_build_ran_on_may_be_known_from_its_details_only() -> None:
    sources = [label_source("agent", {"built_on": r"agent-\d+"}), label_source("cloud", "parameters.CLOUD")]
    assert labels_of_details(sources, {"runner": "eu-agent-7"}) == {"runner": "eu-agent-7", "agent": "agent-7"}
    assert labels_of_details(sources, {"os": "linux"}) == {"os": "linux"}


def test_the_runs_of_a_workflow_have_the_labels_of_the_first_entry_that_watches_it() -> None:
    entries = [
        GitHubEntry(provider="gh", repo="acme/web", labels_from={"release": {"branch": r"release/([\d.]+)"}}),
        GitHubEntry(provider="gh", repo="acme/*", labels_from={"who": "actor", "file": {"job_name": r"(\w+)\.yml"}}),
    ]
    github = GitHub("gh", GitHubSettings(kind="github"), entries)
    web, api, other = (
        Pipeline(provider="gh", key=f"{repo}/.github/workflows/ci.yml", name=repo)
        for repo in ("acme/web", "acme/api", "else/where")
    )
    labelled = [
        github._wanted.labelled(build(1, Outcome.SUCCESS, pipeline=each, branch="release/2.5"))
        for each in (web, api, other)
    ]
    assert [each.labels for each in labelled] == [{"release": "2.5"}, {"who": "ada", "file": "ci"}, {}]
    github.close()
