"""A message leads to the run, its log, what changed, and the last good build."""

from dataclasses import replace

import pytest

from alerts.writing.links import compare_url, log_url
from domain.build import Build, Outcome
from tests.support.builders import build

REPOSITORY = "https://github.example.com/acme/web"
GOOD, BAD = "0" * 40, "1" * 40


def _run(number: int, commit: str | None, url: str | None = f"{REPOSITORY}/actions/runs/7") -> Build:
    return build(number, Outcome.FAILURE, commit=commit, url=url)


def test_github_compares_the_last_good_commit_with_the_first_bad_one() -> None:
    assert compare_url(_run(1, GOOD), _run(2, BAD)) == f"{REPOSITORY}/compare/{GOOD}...{BAD}"
    again = _run(2, BAD, f"{REPOSITORY}/actions/runs/7/attempts/2")
    assert compare_url(_run(1, GOOD), again) == f"{REPOSITORY}/compare/{GOOD}...{BAD}"


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (_run(1, GOOD), _run(2, GOOD)),
        (_run(1, None), _run(2, BAD)),
        (_run(1, "HEAD~1/../.."), _run(2, BAD)),
        (_run(1, GOOD), _run(2, BAD, "https://ci.example.com/job/web/2/")),
        (_run(1, GOOD), _run(2, BAD, None)),
    ],
)
def test_without_two_commits_of_a_known_repository_nothing_is_compared(good: Build, bad: Build) -> None:
    assert compare_url(good, bad) is None


def test_jenkins_has_a_page_for_the_log_and_github_has_not() -> None:
    jenkins = replace(_run(1, GOOD), url="https://ci.example.com/job/team/job/web/812/")
    assert log_url(jenkins) == "https://ci.example.com/job/team/job/web/812/console"
    assert log_url(_run(1, GOOD)) is None
    assert log_url(_run(1, GOOD, None)) is None
