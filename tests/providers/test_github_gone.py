"""Whether a branch was deleted, as GitHub says it."""

import json

import pytest

from providers._base import Refused, TellsGone, Unavailable
from tests.support.github_api import Answer, GitHubApi, failing, not_found, ok
from tests.support.github_provider import provider

CI = "acme/web/.github/workflows/ci.yml"
BRANCH = "/repos/acme/web/branches/feature%2Fx"
TAG = "/repos/acme/web/git/ref/tags/feature%2Fx"


def no_branch() -> Answer:
    return 404, {}, json.dumps({"message": "Branch not found"})


def test_a_branch_is_there_or_gone(api: GitHubApi) -> None:
    github = provider()
    assert isinstance(github, TellsGone)
    api.others[BRANCH] = lambda: ok({"name": "feature/x"})
    assert not github.is_gone(CI, "feature/x")
    api.others[BRANCH] = no_branch
    assert github.is_gone(CI, "feature/x")
    assert [each.path for each in api.asked] == [BRANCH, BRANCH, TAG]


def test_a_tag_of_that_name_is_there(api: GitHubApi) -> None:
    api.others |= {BRANCH: no_branch, TAG: lambda: ok({"ref": "refs/tags/feature/x"})}
    assert not provider().is_gone(CI, "feature/x")


def test_a_branch_with_another_name_now_is_gone(api: GitHubApi) -> None:
    api.others[BRANCH] = lambda: ok({"name": "feature/y"})
    assert provider().is_gone(CI, "feature/x")


def test_a_repository_that_we_may_not_see_says_nothing_about_its_branches(api: GitHubApi) -> None:
    api.others[BRANCH] = not_found
    assert not provider().is_gone(CI, "feature/x")
    api.others[BRANCH] = lambda: (404, {}, "<html>")
    assert not provider().is_gone(CI, "feature/x")
    api.others[BRANCH] = lambda: (404, {}, "[]")
    assert not provider().is_gone(CI, "feature/x")


def test_what_cannot_be_asked_raises(api: GitHubApi) -> None:
    api.others[BRANCH] = failing(403)
    with pytest.raises(Refused):
        provider().is_gone(CI, "feature/x")


def test_when_few_requests_are_left_they_are_for_polling(api: GitHubApi) -> None:
    few = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "20", "X-RateLimit-Reset": "9999999999"}
    api.others[BRANCH] = lambda: ok({"name": "feature/x"}, few)
    github = provider()
    github.is_gone(CI, "feature/x")
    with pytest.raises(Unavailable, match="for polling"):
        github.is_gone(CI, "feature/x")
