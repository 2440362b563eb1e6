import pytest
from pydantic import ValidationError

from providers._jenkins.names import JobGlob, branch_reported, decoded, is_pull_request, job_of_branch, path_of
from providers.jenkins import JenkinsEntry


def entry(job: str) -> JenkinsEntry:
    return JenkinsEntry(provider="ci", job=job)


def test_a_path_encodes_each_name_once_more_j9() -> None:
    assert path_of("a b/ü/feature%2Fx+y") == "job/a%20b/job/%C3%BC/job/feature%252Fx+y/"
    assert path_of("it's") == "job/it%27s/"
    assert decoded("org/repo/feature%2Fx") == "org/repo/feature/x"


@pytest.mark.parametrize(
    ("glob", "name"),
    [
        ("regression/nightly", "regression/nightly"),
        ("/regression/nightly/", "regression/nightly"),
        ("org/repo/feature/x", "org/repo/feature%2Fx"),
        ("org/repo/feature%2Fx", "org/repo/feature%2Fx"),
        ("org/repo/feature/*", "org/repo/feature%2Fx"),
        ("org/repo/*", "org/repo/feature%2Fx"),
        ("org/*", "org/repo"),
        ("org/**", "org/a/b/c"),
        ("**/nightly", "nightly"),
        ("**/nightly", "a/b/nightly"),
        ("a/**/z", "a/z"),
        ("a/**/z", "a/b/c/z"),
        ("**", "anything/at/all"),
        ("release-?", "release-1"),
        ("a b/ü/feature/x+y", "a b/ü/feature%2Fx+y"),
        ("C++ (debug)", "C++ (debug)"),
        ("100%", "100%"),
    ],
)
def test_a_glob_matches(glob: str, name: str) -> None:
    assert entry(glob).matches(name)


@pytest.mark.parametrize(
    ("glob", "name"),
    [
        ("org/*", "org/a/b"),
        ("org/**", "orga/x"),
        ("*", "a/b"),
        ("*/*", "a"),
        ("**/x", "a"),
        ("nightly", "Nightly"),
        ("a.b", "axb"),
        ("release-?", "release-10"),
        ("org/repo/feature%2Fx", "org/repo/feature/x"),
    ],
)
def test_a_glob_does_not_match(glob: str, name: str) -> None:
    assert not entry(glob).matches(name)


@pytest.mark.parametrize(
    ("glob", "project", "branches"),
    [
        ("org/repo/main", "org/repo", "main"),
        ("org/repo/feature/x", "org/repo", "feature/x"),
        ("org/repo/feature%2Fx", "org/repo", "feature/x"),
        ("org/*/main", "org/web", "main"),
        ("repo/*", "repo", "*"),
        ("org/repo", "org/repo", None),
        ("*/*", "repo", None),
        ("org/**/main", "org/a/b", None),
    ],
)
def test_a_glob_may_reach_into_a_multibranch_project(glob: str, project: str, branches: str | None) -> None:
    assert JobGlob(glob).branches_in(project) == branches
    assert entry(glob).matches(project) is (branches is not None or glob == project)


@pytest.mark.parametrize(
    ("glob", "folder", "expected"),
    [("a/b/c", "a/b", True), ("a/b/c", "a/x", False), ("a/**", "a/b/c", True), ("*", "a", False), ("**/x", "q", True)],
)
def test_folders_where_nothing_can_match_are_not_entered(glob: str, folder: str, *, expected: bool) -> None:
    assert JobGlob(glob).reaches_into(folder) is expected


@pytest.mark.parametrize("job", ["", "/", "a//b"])
def test_a_job_without_a_name_is_a_configuration_error(job: str) -> None:
    with pytest.raises(ValidationError, match="empty name"):
        entry(job)


def test_an_invalid_expression_is_a_configuration_error() -> None:
    with pytest.raises(ValidationError, match="is not a regular expression"):
        JenkinsEntry(provider="ci", job="a", labels_from={"x": {"job_name": "("}})


def test_pull_requests_are_told_by_their_names() -> None:
    assert all(map(is_pull_request, ["PR-1", "MR-22", "PR-3-head", "PR-3-merge"]))
    assert not any(map(is_pull_request, ["PR", "PR-x", "main", "my-PR-1", "PR-1-fix"]))


def test_a_branch_called_like_a_remote_keeps_its_name() -> None:
    assert branch_reported("feature/origin/x") == "feature/origin/x"
    assert branch_reported("origin") == "origin"


@pytest.mark.parametrize(
    ("branch", "job"),
    [
        ("main", "main"),
        ("feature/x", "feature%2Fx"),
        ("50%#[a]?\\", "50%25%23%5Ba%5D%3F%5C"),
        ("..", "%2E."),
        ("ü +", "ü +"),
    ],
)
def test_a_branch_is_spelled_as_the_name_of_its_job(branch: str, job: str) -> None:
    assert job_of_branch(branch) == job
    assert decoded(job_of_branch(branch)) == branch
