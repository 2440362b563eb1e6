"""Settings, entries, targets, discovery and the probe."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from providers._base import ProviderPlugin, Refused, Target, Trouble, Unavailable
from providers.github import PLUGIN, GitHubEntry, GitHubSettings
from tests.support.github_api import GitHubApi, failing, not_found, ok
from tests.support.github_provider import LATER, provider


def entry(**values: Any) -> GitHubEntry:
    return GitHubEntry(provider="gh", **{"repo": "acme/web", **values})


def test_the_module_registers_itself() -> None:
    assert isinstance(PLUGIN, ProviderPlugin)
    assert PLUGIN.settings(kind="github").poll_every == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("api_url", "web_url"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://api.github.com/", "https://github.com"),
        ("https://ghe.example.com/api/v3", "https://ghe.example.com"),
        ("http://127.0.0.1:8901", "http://127.0.0.1:8901"),
        ("http://127.0.0.1:8901/gh/api/v3/", "http://127.0.0.1:8901/gh"),
    ],
)
def test_the_web_url_follows_from_the_api_url(api_url: str, web_url: str) -> None:
    assert GitHubSettings(kind="github", api_url=api_url).web_url == web_url


@pytest.mark.parametrize(
    "changes",
    [
        {"api_url": "ghe.example.com"},
        {"api_url": "https://bot:pw@ghe.example.com"},
        {"api_url": "https://ghe.example.com/?x=1"},
        {"app_id": 1},
        {"app_id": 1, "private_key": "k"},
        {"app_id": 1, "private_key": "k", "installation_id": 2, "token": "t"},
        {"kind": "gitlab"},
        {"tokn": "x"},
    ],
)
def test_settings_that_cannot_work_are_refused_without_showing_secrets(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        GitHubSettings(**{"kind": "github", **changes})
    assert "pw" not in str(caught.value)


def test_secrets_are_never_shown() -> None:
    settings = GitHubSettings(kind="github", token="ghp_s3cret", proxy="http://u:s3cret@proxy:3128")
    assert "s3cret" not in f"{settings!r} {settings} {settings.model_dump()}"


@pytest.mark.parametrize("repo", ["web", "acme/", "*/web", "acme/web/x", "acme/we b", "https://github.com/acme/web"])
def test_a_repository_is_owner_and_name(repo: str) -> None:
    with pytest.raises(ValidationError):
        entry(repo=repo)


@pytest.mark.parametrize(
    ("values", "key", "expected"),
    [
        ({}, "acme/web/.github/workflows/ci.yml", True),
        ({}, "Acme/WEB/.github/workflows/ci.yml", True),
        ({}, "acme/web/dynamic/github-code-scanning/codeql", True),
        ({}, "acme/web", False),
        ({}, "acme/website/.github/workflows/ci.yml", False),
        ({"repo": "acme/*"}, "acme/web/.github/workflows/ci.yml", True),
        ({"repo": "acme/w?b"}, "acme/web/.github/workflows/ci.yml", True),
        ({"repo": "acme/svc-*"}, "acme/web/.github/workflows/ci.yml", False),
        ({"repo": "acme/*"}, "other/web/.github/workflows/ci.yml", False),
        ({"workflow": "ci.yml"}, "acme/web/.github/workflows/ci.yml", True),
        ({"workflow": "ci.yml"}, "acme/web/.github/workflows/cd.yml", False),
        ({"workflow": "*.yml"}, "acme/web/.github/workflows/ci.yml", True),
        ({"workflow": ".github/workflows/ci.yml"}, "acme/web/.github/workflows/ci.yml", True),
        ({"workflow": "/.github/workflows/ci.*"}, "acme/web/.github/workflows/ci.yml", True),
        ({"workflow": "dynamic/*"}, "acme/web/dynamic/github-code-scanning/codeql", True),
        ({"workflow": "codeql"}, "acme/web/dynamic/github-code-scanning/codeql", True),
    ],
)
def test_an_entry_chooses_by_repository_and_workflow(values: dict[str, Any], key: str, *, expected: bool) -> None:
    assert entry(**values).matches(key) is expected


# ---- targets


def keys(targets: Any) -> list[tuple[str, float]]:
    return [(target.key, target.every.total_seconds()) for target in targets]


def repositories(*names: str, **changes: Any) -> Callable[[], tuple[int, dict[str, str], str]]:
    return lambda: ok([{"full_name": name, "default_branch": "main", **changes} for name in names])


def test_named_repositories_are_targets_without_a_request(api: GitHubApi) -> None:
    github = provider(
        {"repo": "acme/web", "poll_every": "5m"},
        {"repo": "Acme/Web", "workflow": "ci.yml", "poll_every": "90s"},
        {"repo": "acme/api"},
    )
    assert keys(github.targets()) == [("acme/web", 90), ("acme/api", 60)]
    assert api.asked == []


def test_without_a_token_all_repositories_together_stay_below_60_requests_an_hour(api: GitHubApi) -> None:
    entries = ({"repo": "acme/web"}, {"repo": "acme/api", "poll_every": "1h"})
    assert keys(provider(*entries, token=None).targets()) == [("acme/web", 180), ("acme/api", 3600)]
    assert keys(provider(*entries, token=None, api_url="http://127.0.0.1:1").targets())[0] == ("acme/web", 60)
    assert api.asked == []


def test_a_glob_becomes_the_repositories_of_the_organisation_once_each(api: GitHubApi) -> None:
    api.others["/orgs/acme/repos"] = repositories("acme/web", "acme/svc-a", "acme/svc-b")
    github = provider({"repo": "acme/svc-*"}, {"repo": "acme/*", "poll_every": "5m"})
    assert keys(github.targets()) == [("acme/svc-a", 60), ("acme/svc-b", 60), ("acme/web", 300)]
    assert [(each.path, each.query["sort"]) for each in api.asked] == [("/orgs/acme/repos", "pushed")]


@pytest.mark.parametrize("flag", ["archived", "disabled"])
def test_archived_and_disabled_repositories_are_left_out(api: GitHubApi, flag: str) -> None:
    api.others["/orgs/acme/repos"] = repositories("acme/web", **{flag: True})
    assert provider({"repo": "acme/*"}).targets() == ()


def test_a_person_has_repositories_too(api: GitHubApi) -> None:
    api.others["/users/acme/repos"] = repositories("acme/web")
    assert keys(provider({"repo": "acme/*"}).targets()) == [("acme/web", 60)]


def test_long_lists_of_repositories_are_followed_to_their_end(api: GitHubApi) -> None:
    def pages() -> tuple[int, dict[str, str], str]:
        first = len([each for each in api.asked if each.path == "/orgs/acme/repos"]) == 0
        link = {"Link": '<https://x.example/?per_page=100&sort=pushed&page=2>; rel="next"'} if first else {}
        return ok([{"full_name": "acme/web" if first else "acme/api"}, {"full_name": None}, "odd"], link)

    api.others["/orgs/acme/repos"] = pages
    assert keys(provider({"repo": "acme/*"}).targets()) == [("acme/web", 60), ("acme/api", 60)]
    assert [each.query.get("page") for each in api.asked] == [None, "2"]


def test_a_next_page_that_is_this_page_is_suspicious(api: GitHubApi) -> None:
    link = {"Link": '<https://x.example/?per_page=100&sort=pushed>; rel="next"'}
    api.others["/users/acme/repos"] = lambda: ok([], link)
    target = Target(provider="gh", key="acme/*", every=timedelta(seconds=60))
    with pytest.raises(Unavailable) as caught:
        list(provider({"repo": "acme/*"}).poll(target, {}, LATER))
    assert caught.value.trouble is Trouble.SUSPICIOUS


def test_an_organisation_that_cannot_be_listed_for_once_keeps_its_repositories(api: GitHubApi) -> None:
    api.others["/orgs/acme/repos"] = repositories("acme/web", "acme/api")
    github = provider({"repo": "acme/*"})
    before = github.targets()
    api.others["/orgs/acme/repos"] = failing(500)
    assert github.targets() == before
    api.others["/orgs/acme/repos"] = repositories("acme/api")
    assert keys(github.targets()) == [("acme/api", 60)]


def test_a_glob_that_cannot_be_listed_stops_nobody_and_its_poll_tells_why(api: GitHubApi) -> None:
    api.others["/orgs/acme/repos"] = failing(500)
    github = provider({"repo": "acme/*"}, {"repo": "other/web"})
    targets = github.targets()
    assert keys(targets) == [("acme/*", 60), ("other/web", 60)]
    with pytest.raises(Unavailable):
        github.poll(targets[0], {}, LATER)
    api.others["/orgs/acme/repos"] = repositories("acme/web")
    assert list(github.poll(targets[0], {}, LATER)) == []


# ---- discovery and probe


def test_discovery_shows_every_active_workflow_with_an_entry_to_paste(api: GitHubApi) -> None:
    api.others["/users/acme/repos"] = repositories("acme/web")
    api.others["/user/repos"] = repositories("acme/web", "me/tool", default_branch="trunk")
    api.workflows = [
        {"name": "CI", "path": ".github/workflows/ci.yml", "state": "active"},
        {"name": "Old", "path": ".github/workflows/old.yml", "state": "disabled_manually"},
        {"name": "CodeQL", "path": "dynamic/github-code-scanning/codeql", "state": "active"},
    ]
    api.others["/repos/me/tool/actions/workflows"] = lambda: ok({"workflows": api.workflows[:1]})
    found = list(provider({"repo": "acme/web", "workflow": "ci.yml"}).discover())
    assert [(dict(each.entry), each.watched) for each in found] == [
        ({"provider": "gh", "repo": "acme/web", "workflow": "ci.yml"}, True),
        ({"provider": "gh", "repo": "acme/web", "workflow": "dynamic/github-code-scanning/codeql"}, False),
        ({"provider": "gh", "repo": "me/tool", "workflow": "ci.yml"}, False),
    ]
    assert found[0].pipeline.name == "acme/web CI"
    assert found[2].pipeline.default_branch == "trunk"
    assert all(GitHubEntry(**each.entry).matches(each.pipeline.key) for each in found)


def test_discovery_without_a_token_looks_at_the_owners_in_config_yaml(api: GitHubApi) -> None:
    api.others["/orgs/acme/repos"] = repositories("acme/web")
    api.others["/repos/acme/web/actions/workflows"] = not_found
    assert list(provider(token=None).discover()) == []
    assert [each.path for each in api.asked] == ["/orgs/acme/repos", "/repos/acme/web/actions/workflows"]


def test_the_probe_tells_about_quota_token_and_clock(api: GitHubApi) -> None:
    soon = datetime.now(UTC) + timedelta(days=3)
    headers = {
        "Date": "Fri, 20 Nov 2026 18:00:00 GMT",
        "X-OAuth-Scopes": "repo",
        "GitHub-Authentication-Token-Expiration": f"{soon:%Y-%m-%d %H:%M:%S} UTC",
        "X-GitHub-Enterprise-Version": "3.14.0",
    }
    quota = {"core": {"limit": 5000, "remaining": 4990, "reset": 1763650000}}
    api.others["/rate_limit"] = lambda: ok({"resources": quota}, headers)
    api.others["/user"] = lambda: ok({"login": "ada"})
    found = provider().probe()
    assert (found.identity, found.scopes, found.version) == ("ada", "repo", "3.14.0")
    assert (found.quota_limit, found.quota_remaining) == (5000, 4990)
    assert found.quota_resets_at == datetime(2025, 11, 20, 14, 46, 40, tzinfo=UTC)
    assert found.clock_skew is not None
    assert found.token_expires_at == soon.replace(microsecond=0)
    assert found.warnings == (f"the token expires on {soon:%Y-%m-%d}",)


def test_the_probe_understands_an_expiry_with_an_offset(api: GitHubApi) -> None:
    header = {"GitHub-Authentication-Token-Expiration": "2099-01-01 02:00:00 +0200"}
    api.others["/rate_limit"] = lambda: ok({}, header)
    api.others["/user"] = lambda: ok({"login": "ada"})
    assert provider().probe().token_expires_at == datetime(2099, 1, 1, tzinfo=UTC)


def test_a_server_without_limits_has_no_quota(api: GitHubApi) -> None:
    api.others["/rate_limit"] = not_found
    api.others["/user"] = failing(403, {}, "Resource not accessible by integration")
    found = provider().probe()
    assert (found.identity, found.quota_limit, found.token_expires_at) == (None, None, None)


def test_the_probe_refuses_a_bad_token(api: GitHubApi) -> None:
    api.others["/rate_limit"] = failing(401)
    api.others["/user"] = failing(401)
    with pytest.raises(Refused):
        provider().probe()


def test_the_probe_warns_of_what_is_dangerous(api: GitHubApi) -> None:
    assert provider(token=None).probe().warnings == ("no token: 60 requests an hour, public repositories only",)
    with responses.RequestsMock() as mock:
        mock.get("http://ghe.example.com/rate_limit", status=404)
        mock.get("http://ghe.example.com/user", json={"login": 7})
        found = provider(api_url="http://ghe.example.com", verify=False).probe()
    assert [each.partition(":")[0] for each in found.warnings] == [
        "the token travels unencrypted to ghe.example.com",
        "verify",
    ]
    assert api.asked


def test_verify_false_is_warned_of_when_the_provider_is_made(api: GitHubApi, caplog: pytest.LogCaptureFixture) -> None:
    provider()
    assert caplog.records == []
    github = provider(verify=False)
    github.poll(Target(provider="gh", key="acme/web", every=timedelta(seconds=60)), {}, LATER)
    assert [(each.name, each.levelname, each.getMessage()) for each in caplog.records] == [
        (
            "providers.github",
            "WARNING",
            "verify: false: anybody on the way can read the token and answer as GitHub provider=gh",
        )
    ]
    assert api.asked == []


def test_an_app_sees_what_it_is_installed_on(api: GitHubApi) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    expires = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    api.others["/app/installations/9/access_tokens"] = lambda: ok({"token": "ghs_1", "expires_at": expires})
    names = [{"full_name": "acme/web"}, {"full_name": "other/x"}]
    api.others["/installation/repositories"] = lambda: ok({"repositories": names})
    api.others["/app"] = lambda: ok({"slug": "buildwatch-bot"})
    api.others["/repos/other/x/actions/workflows"] = not_found
    api.workflows = [{"name": "CI", "path": ".github/workflows/ci.yml", "state": "active"}]
    github = provider({"repo": "acme/*"}, token=None, app_id=7, private_key=pem, installation_id=9)
    assert keys(github.targets()) == [("acme/web", 60)]
    assert [each.pipeline.key for each in github.discover()] == ["acme/web/.github/workflows/ci.yml"]
    assert github.probe().identity == "app buildwatch-bot"
    github.close()
