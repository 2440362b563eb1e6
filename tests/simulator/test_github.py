import base64
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from simulator.github import GithubServer
from simulator.github_quota import App, Identity
from simulator.world import World
from tests.support.still_clock import StillClock

TOKEN = {"Authorization": "Bearer github-token"}
Ask = Callable[..., requests.Response]


@pytest.fixture
def ask(github: GithubServer, http: requests.Session) -> Ask:
    def get(path: str, **query: object) -> requests.Response:
        return http.get(f"{github.url}/{path}", params=query, headers=TOKEN, allow_redirects=False)

    return get


def _runs(ask: Ask, **query: object) -> list[Any]:
    found: list[Any] = ask("repos/acme/web/actions/runs", **query).json()["workflow_runs"]
    return found


def test_a_run_goes_from_queued_over_running_to_completed(world: World, ask: Ask, clock: StillClock) -> None:
    run = world.github.repo("acme/web").run("failure", started_ago=-5, duration=10, queued_for=5)
    seen = []
    for _ in range(3):
        found = ask(f"repos/acme/web/actions/runs/{run.id}").json()
        seen.append((found["status"], found["conclusion"], found["updated_at"]))
        clock.advance(7.5)
    assert seen == [
        ("queued", None, "2026-11-21T10:00:00Z"),
        ("in_progress", None, "2026-11-21T10:00:05Z"),
        ("completed", "failure", "2026-11-21T10:00:15Z"),
    ]


def test_a_run_carries_all_the_fields_of_a_real_one(world: World, ask: Ask) -> None:
    world.github.repo("acme/web").run(pull_requests=[3])
    run = _runs(ask)[0]
    assert len(run) == 35
    assert {"id", "node_id", "path", "display_title", "check_suite_id", "head_commit", "triggering_actor"} <= run.keys()
    assert (run["name"], run["path"], run["run_attempt"]) == ("CI", ".github/workflows/ci.yml", 1)
    assert run["repository"]["full_name"] == run["head_repository"]["full_name"] == "acme/web"
    assert {"issue_events_url", "git_refs_url", "blobs_url", "archive_url", "contents_url"} <= run["repository"].keys()
    assert "default_branch" not in run["repository"]
    assert run["pull_requests"][0]["number"] == 3
    assert _runs(ask, exclude_pull_requests="true")[0]["pull_requests"] == []


def test_runs_come_newest_first_in_pages_with_links_by_repository_id(
    world: World, ask: Ask, github: GithubServer, http: requests.Session
) -> None:
    repo = world.github.repo("acme/web")
    for age in range(250):
        repo.run(started_ago=age * 60 + 30)
    first = ask("repos/acme/web/actions/runs", per_page=200)
    assert (first.json()["total_count"], len(first.json()["workflow_runs"])) == (250, 100)
    times = [run["created_at"] for run in first.json()["workflow_runs"]]
    assert times == sorted(times, reverse=True)
    base = f"{github.url}/repositories/{repo.id}/actions/runs?per_page=200&page="
    assert first.headers["Link"] == f'<{base}2>; rel="next", <{base}3>; rel="last"'
    last = http.get(first.links["last"]["url"], headers=TOKEN)
    assert len(last.json()["workflow_runs"]) == 50
    assert set(last.links) == {"prev", "first"}
    assert ask("repos/acme/web/actions/runs", page=10).json()["workflow_runs"] == []


def test_links_may_point_at_another_host(world: World, ask: Ask, github: GithubServer) -> None:
    github.link_base = "https://api.github.com"
    for _ in range(2):
        world.github.repo("acme/web").run()
    assert ask("repos/acme/web/actions/runs", per_page=1).links["next"]["url"].startswith("https://api.github.com/repo")


def test_a_rerun_keeps_its_id_and_goes_back_to_running(world: World, ask: Ask, clock: StillClock) -> None:
    run = world.github.repo("acme/web").run("failure", started_ago=100, duration=30)
    clock.advance(5 * 86400)
    run.rerun("success", started_ago=0, duration=30, actor="lena")
    found = _runs(ask)[0]
    assert (found["id"], found["run_number"], found["run_attempt"]) == (run.id, 1, 2)
    assert (found["status"], found["conclusion"]) == ("in_progress", None)
    assert (found["created_at"], found["run_started_at"]) == ("2026-11-21T09:58:18Z", "2026-11-26T10:00:00Z")
    assert (found["actor"]["login"], found["triggering_actor"]["login"]) == ("ada", "lena")
    assert found["previous_attempt_url"].endswith(f"/runs/{run.id}/attempts/1")
    assert ask(f"repos/acme/web/actions/runs/{run.id}/attempts/1").json()["conclusion"] == "failure"
    assert ask(f"repos/acme/web/actions/runs/{run.id}/attempts/3").status_code == 404
    clock.advance(30)
    assert _runs(ask)[0]["conclusion"] == "success"


def test_rerunning_failed_jobs_carries_the_good_ones_with_their_times(
    world: World, ask: Ask, clock: StillClock
) -> None:
    run = world.github.repo("acme/web").run("failure", started_ago=60, duration=30)
    clock.advance(3600)
    run.rerun("success", failed_only=True)
    jobs = ask(f"repos/acme/web/actions/runs/{run.id}/attempts/2/jobs").json()["jobs"]
    assert [(job["name"], job["started_at"]) for job in jobs] == [
        ("build", "2026-11-21T09:59:00Z"),
        ("test", "2026-11-21T10:59:30Z"),
    ]
    everything = ask(f"repos/acme/web/actions/runs/{run.id}/jobs", filter="all").json()
    assert everything["total_count"] == 4
    assert ask(f"repos/acme/web/actions/runs/{run.id}/jobs").json()["total_count"] == 2


def test_a_run_that_was_started_ends_when_it_is_finished(world: World, ask: Ask, clock: StillClock) -> None:
    run = world.github.repo("acme/web").start()
    assert _runs(ask)[0]["status"] == "in_progress"
    jobs = ask(f"repos/acme/web/actions/runs/{run.id}/jobs").json()["jobs"]
    assert (jobs[0]["status"], jobs[0]["completed_at"], jobs[0]["conclusion"]) == ("in_progress", None, None)
    clock.advance(9)
    run.finish("timed_out")
    job = ask(f"repos/acme/web/actions/runs/{run.id}/jobs").json()["jobs"][1]
    assert (job["conclusion"], job["steps"][2]["conclusion"]) == ("timed_out", "cancelled")


def test_jobs_tell_the_step_that_failed(world: World, ask: Ask) -> None:
    jobs = [world.github.job("deploy", "failure", failing_step="Helm install")]
    run = world.github.repo("acme/web").run("failure", jobs=jobs, duration=50)
    job = ask(f"repos/acme/web/actions/runs/{run.id}/jobs").json()["jobs"][0]
    assert [(s["name"], s["conclusion"]) for s in job["steps"]] == [
        ("Set up job", "success"),
        ("Checkout", "success"),
        ("Run make deploy", "success"),
        ("Helm install", "failure"),
        ("Complete job", "skipped"),
    ]
    assert ask(f"repos/acme/web/actions/jobs/{job['id']}").json()["check_run_url"].endswith(f"/check-runs/{job['id']}")
    notes = ask(f"repos/acme/web/check-runs/{job['id']}/annotations").json()
    assert notes[0]["message"] == "Process completed with exit code 2."
    run.finish("failure")
    assert run.attempts[0].jobs == jobs


def test_a_broken_file_has_no_jobs_and_is_called_by_its_path(world: World, ask: Ask) -> None:
    run = world.github.repo("acme/web").run("startup_failure")
    assert _runs(ask)[0]["name"] == ".github/workflows/ci.yml"
    assert ask(f"repos/acme/web/actions/runs/{run.id}/jobs").json()["jobs"] == []


def test_skipped_jobs_have_no_steps(world: World, ask: Ask) -> None:
    run = world.github.repo("acme/web").run("skipped")
    assert ask(f"repos/acme/web/actions/runs/{run.id}/jobs").json()["jobs"][0]["steps"] == []


def test_forks_are_told_by_their_repository_not_by_the_branch(world: World, ask: Ask) -> None:
    repo = world.github.repo("acme/web")
    repo.run(event="pull_request", head_repository="stranger/web")
    repo.run(event="pull_request", head_repository=None, branch=None, started_ago=40)
    fork, deleted = _runs(ask)
    assert fork["head_branch"] == "main"
    assert (fork["head_repository"]["fork"], fork["head_repository"]["id"] != repo.id) == (True, True)
    assert (deleted["head_repository"], deleted["head_branch"]) == (None, None)


def test_fields_can_be_replaced_or_absent(world: World, ask: Ask) -> None:
    world.github.repo("acme/web").run(extra={"conclusion": "brand_new"}, without={"run_attempt", "run_started_at"})
    run = _runs(ask)[0]
    assert run["conclusion"] == "brand_new"
    assert "run_attempt" not in run


def test_updated_at_moves_long_after_the_end(world: World, ask: Ask, clock: StillClock) -> None:
    run = world.github.repo("acme/web").run("success")
    run.touch(clock.advance(400 * 86400))
    assert _runs(ask)[0]["updated_at"] == "2027-12-26T10:00:00Z"


def test_deleted_runs_and_unknown_things_are_not_found(world: World, ask: Ask) -> None:
    repo = world.github.repo("acme/web")
    run = repo.run()
    run.delete()
    for path in (
        f"actions/runs/{run.id}",
        "actions/jobs/1",
        "actions/workflows/none.yml",
        "actions/workflows/ci.yml/x",
        "nonsense",
        "check-runs/1/annotations",
    ):
        assert ask(f"repos/acme/web/{path}").status_code == 404
    assert ask("repos/acme/none").json()["message"] == "Not Found"
    assert ask("repositories/1").status_code == 404
    assert ask("nonsense").status_code == 404
    repo.delete()
    assert ask("repos/acme/web").status_code == 404


def test_workflows_are_found_by_id_and_by_file(world: World, ask: Ask) -> None:
    repo = world.github.repo("acme/web")
    repo.run(workflow="ci.yml")
    nightly = repo.run(workflow="nightly-build.yml").workflow
    found = ask("repos/acme/web/actions/workflows").json()
    assert [(w["name"], w["state"]) for w in found["workflows"]] == [("CI", "active"), ("Nightly build", "active")]
    assert ask("repos/acme/web/actions/workflows/nightly-build.yml").json()["id"] == nightly.id
    assert ask(f"repos/acme/web/actions/workflows/{nightly.id}/runs").json()["total_count"] == 1


FILTERS = [
    ({"branch": "dev"}, [2]),
    ({"event": "schedule"}, [2]),
    ({"status": "failure"}, [1]),
    ({"status": "completed"}, [2, 1]),
    ({"status": "in_progress"}, [3]),
    ({"actor": "lena"}, [1]),
    ({"status": "startup_failure"}, []),
    ({"created": "2026-11-21T09:00:00Z..2026-11-21T09:31:00Z"}, [2]),
    ({"created": ">=2026-11-21T09:00:00Z"}, [3, 2]),
    ({"created": ">2026-11-21"}, []),
    ({"created": "<2026-11-21T09:00:00+00:00"}, [1]),
    ({"created": "<=2026-11-21"}, [3, 2, 1]),
    ({"created": "2026-11-21"}, [3, 2]),
    ({"created": "*..2026-11-20"}, [1]),
]


@pytest.mark.parametrize(("query", "numbers"), FILTERS)
def test_lists_can_be_filtered(world: World, ask: Ask, query: dict[str, str], numbers: list[int]) -> None:
    repo = world.github.repo("acme/web")
    repo.run("failure", started_ago=timedelta(days=1), actor="lena")
    repo.run("success", started_ago=1800, branch="dev", event="schedule")
    repo.start()
    assert [run["run_number"] for run in _runs(ask, **query)] == numbers


def test_filtered_lists_lag_behind(world: World, ask: Ask, github: GithubServer, clock: StillClock) -> None:
    github.index_lag = timedelta(minutes=22)
    world.github.repo("acme/web").run("failure")
    assert _runs(ask, status="failure") == []
    assert len(_runs(ask)) == 1
    clock.advance(23 * 60)
    assert len(_runs(ask, status="failure")) == 1


def test_filtered_lists_end_at_a_thousand(world: World, ask: Ask) -> None:
    world.github.repo("acme/web").run()
    assert ask("repos/acme/web/actions/runs", branch="main", per_page=100, page=10).status_code == 200
    assert ask("repos/acme/web/actions/runs", branch="main", per_page=100, page=11).status_code == 422
    assert ask("repos/acme/web/actions/runs", per_page=100, page=11).status_code == 200


def test_an_unchanged_answer_is_a_free_304(
    world: World, ask: Ask, github: GithubServer, http: requests.Session
) -> None:
    world.github.repo("acme/web").run(started_ago=500)
    first = ask("repos/acme/web/actions/runs")
    assert re.fullmatch(r'W/"[0-9a-f]{64}"', first.headers["ETag"])
    again = http.get(first.url, headers={**TOKEN, "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert again.headers["X-RateLimit-Used"] == "1"
    world.github.repo("acme/web").run()
    assert http.get(first.url, headers={**TOKEN, "If-None-Match": first.headers["ETag"]}).status_code == 200
    assert github.points["github-token"] == 2


def test_an_etag_belongs_to_its_token(world: World, ask: Ask, github: GithubServer, http: requests.Session) -> None:
    world.github.repo("acme/web").run(started_ago=500)
    github.tokens["other"] = Identity(login="other")
    github.strong_etags = True
    first = ask("repos/acme/web/actions/runs")
    assert first.headers["ETag"].startswith('"')
    found = http.get(first.url, headers={"Authorization": "token other", "If-None-Match": first.headers["ETag"]})
    assert found.status_code == 200


def test_a_304_is_not_free_for_strangers(world: World, github: GithubServer, http: requests.Session) -> None:
    world.github.repo("acme/web").run(started_ago=500)
    first = http.get(f"{github.url}/repos/acme/web/actions/runs")
    assert first.headers["X-RateLimit-Limit"] == "60"
    again = http.get(first.url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.headers["X-RateLimit-Remaining"]) == (304, "58")


def test_the_rate_limit_ends_with_403_and_opens_again(
    world: World, ask: Ask, github: GithubServer, clock: StillClock
) -> None:
    world.github.repo("acme/web")
    github.limit = 2
    assert [ask("repos/acme/web").status_code for _ in range(3)] == [200, 200, 403]
    refused = ask("repos/acme/web")
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert refused.headers["X-RateLimit-Reset"] == "1795258800"
    assert "rate limit exceeded" in refused.json()["message"]
    told = ask("rate_limit")
    assert (told.status_code, told.json()["resources"]["core"]["remaining"]) == (200, 0)
    clock.advance(3600)
    assert ask("repos/acme/web").status_code == 200


def test_an_enterprise_server_has_a_prefix_and_no_limits(world: World, http: requests.Session) -> None:
    world.github.repo("acme/web").run()
    with GithubServer(world.github, prefix="/api/v3") as server:
        server.rate_limits = False
        found = http.get(f"{server.url}/repos/acme/web/actions/runs?per_page=1", headers=TOKEN)
        assert found.status_code == 200
        assert "X-RateLimit-Limit" not in found.headers
        assert found.json()["workflow_runs"][0]["url"].startswith(f"{server.url}/repos/acme/web/")
        assert http.get(f"{server.url}/rate_limit", headers=TOKEN).status_code == 404
        assert http.get(f"{server.origin}/repos/acme/web", headers=TOKEN).status_code == 404
        assert http.get(f"{server.url}/meta", headers=TOKEN).json() == {"installed_version": "3.18.1"}


def test_a_renamed_repository_redirects_and_keeps_its_id(
    world: World, ask: Ask, github: GithubServer, http: requests.Session
) -> None:
    repo = world.github.repo("acme/web")
    repo.run()
    repo.rename("acme/shop")
    moved = ask("repos/acme/web/actions/runs", per_page=1)
    assert moved.status_code == 301
    assert moved.headers["Location"] == f"{github.url}/repositories/{repo.id}/actions/runs?per_page=1"
    assert http.get(moved.headers["Location"], headers=TOKEN).json()["total_count"] == 1
    assert ask("repos/ACME/shop").json()["full_name"] == "acme/shop"
    assert ask(f"repositories/{repo.id}").json()["id"] == repo.id


def test_repositories_are_listed_by_owner_most_recently_pushed_first(world: World, ask: Ask) -> None:
    for name, age in (("old", 5000), ("new", 60)):
        world.github.repo(f"acme/{name}").run(started_ago=age)
    world.github.repo("ada/dotfiles").archived = True
    world.github.users.add("ada")
    assert [r["name"] for r in ask("orgs/acme/repos").json()] == ["new", "old"]
    assert ask("orgs/acme/repos", per_page=1).links["next"]["url"].endswith("/orgs/acme/repos?per_page=1&page=2")
    assert ask("users/ada/repos").json()[0]["archived"] is True
    assert ask("orgs/ada/repos").status_code == 404
    assert ask("orgs/nobody/repos").status_code == 404
    assert len(ask("user/repos").json()) == 3


def test_private_repositories_hide_from_strangers(
    world: World, ask: Ask, github: GithubServer, http: requests.Session
) -> None:
    world.github.repo("acme/secret").private = True
    assert ask("repos/acme/secret").json()["visibility"] == "private"
    assert http.get(f"{github.url}/repos/acme/secret").status_code == 404
    assert http.get(f"{github.url}/orgs/acme/repos").json() == []


def test_a_token_without_the_permission_is_refused_for_good(world: World, ask: Ask, github: GithubServer) -> None:
    world.github.repo("acme/web").run()
    github.tokens["github-token"].actions = False
    refused = ask("repos/acme/web/actions/runs")
    assert (refused.status_code, refused.headers["X-RateLimit-Remaining"]) == (403, "4999")
    assert "not accessible" in refused.json()["message"]


def test_bad_and_expired_tokens_are_401(
    world: World, github: GithubServer, http: requests.Session, clock: StillClock
) -> None:
    world.github.repo("acme/web")
    ends = clock() + timedelta(hours=1)
    github.tokens["pat"] = Identity(login="x", kind="fine_grained", expires_at=ends)
    good = http.get(f"{github.url}/user", headers={"Authorization": "Bearer pat"})
    assert good.headers["GitHub-Authentication-Token-Expiration"] == "2026-11-21 11:00:00 UTC"
    assert good.headers["X-Accepted-GitHub-Permissions"] == "actions=read"
    clock.advance(3600)
    for token in ("pat", "nonsense"):
        found = http.get(f"{github.url}/user", headers={"Authorization": f"Bearer {token}"})
        assert (found.status_code, found.json()["message"]) == (401, "Bad credentials")


def test_user_tells_who_is_asking(ask: Ask, github: GithubServer, http: requests.Session) -> None:
    found = ask("user")
    assert (found.json()["login"], found.headers["X-OAuth-Scopes"]) == ("buildwatch-bot", "repo, workflow")
    assert re.fullmatch(r"[0-9A-F]{16}", found.headers["X-GitHub-Request-Id"])
    assert http.get(f"{github.url}/user").status_code == 401
    assert http.get(github.url + "/").json()["current_user_url"]


def _job(world: World, conclusion: str = "failure") -> tuple[Any, Any]:
    run = world.github.repo("acme/web").run(conclusion)
    return run, run.attempts[0].jobs[1]


def test_logs_lie_elsewhere_for_a_minute(
    world: World, ask: Ask, github: GithubServer, http: requests.Session, clock: StillClock
) -> None:
    _, job = _job(world)
    moved = ask(f"repos/acme/web/actions/jobs/{job.id}/logs")
    assert moved.status_code == 302
    assert moved.headers["Location"].startswith(github.storage.origin)
    log = http.get(moved.headers["Location"])
    assert log.content.startswith(b"\xef\xbb\xbf2026-11-21T09:59:30.0000000Z ##[group]Run make test\n")
    assert "error TS2322" in log.text
    assert http.get(moved.headers["Location"], headers=TOKEN).status_code == 400
    clock.advance(61)
    assert http.get(moved.headers["Location"]).status_code == 403
    assert http.get(github.storage.origin).status_code == 403


def test_logs_expire_get_lost_and_wait_for_the_end(world: World, ask: Ask) -> None:
    _, job = _job(world)
    job.log_state = "expired"
    assert ask(f"repos/acme/web/actions/jobs/{job.id}/logs").status_code == 410
    job.log_state = "lost"
    assert ask(f"repos/acme/web/actions/jobs/{job.id}/logs").status_code == 404
    running = world.github.repo("acme/web").start()
    assert ask(f"repos/acme/web/actions/jobs/{running.attempts[0].jobs[0].id}/logs").status_code == 404


def test_artifacts_are_read_elsewhere_until_they_expire(
    world: World, ask: Ask, github: GithubServer, http: requests.Session
) -> None:
    run, _ = _job(world)
    made = run.artifact("junit", {"junit.xml": "<testsuites/>"})
    path = f"repos/acme/web/actions/artifacts/{made.id}"
    assert ask(path).json()["archive_download_url"].endswith(f"{path}/zip")
    moved = ask(f"{path}/zip")
    assert moved.headers["Location"].startswith(github.storage.origin)
    assert http.get(moved.headers["Location"]).content == made.content
    assert ask(f"{path}/tar").status_code == 404
    assert ask("repos/acme/web/actions/artifacts/1").status_code == 404
    made.expired = True
    assert ask(f"{path}/zip").status_code == 410


def test_a_storage_remembers_only_so_many_links(github: GithubServer, http: requests.Session) -> None:
    first = github.storage.link(b"first")
    for _ in range(1000):
        github.storage.link(b"more")
    assert http.get(first).status_code == 403


def test_commits_are_found_by_their_id(world: World, ask: Ask) -> None:
    run = world.github.repo("acme/web").run(title="Fix it")
    found = ask(f"repos/acme/web/commits/{run.sha}").json()
    assert (found["commit"]["message"], found["author"]["login"]) == ("Fix it", "ada")
    assert ask(f"repos/acme/web/commits/{'0' * 40}").status_code == 422
    assert ask(f"repos/acme/web/compare/{'0' * 40}...{run.sha}").status_code == 404


def test_artifacts_are_listed(world: World, ask: Ask) -> None:
    run, _ = _job(world)
    run.artifact("junit", {"junit.xml": "<testsuites/>"})
    found = ask(f"repos/acme/web/actions/runs/{run.id}/artifacts").json()
    assert (found["total_count"], found["artifacts"][0]["name"], found["artifacts"][0]["expired"]) == (
        1,
        "junit",
        False,
    )


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _web_token(clock: StillClock, *, alg: str = "RS256", iat: int = -60, exp: int = 540, iss: object = "77") -> str:
    now = int(clock().timestamp())
    claims = _part({"iat": now + iat, "exp": now + exp, "iss": iss})
    return f"{_part({'alg': alg, 'typ': 'JWT'})}.{claims}.c2lnbmF0dXJl"


@pytest.fixture
def app(world: World) -> Iterator[GithubServer]:
    with GithubServer(world.github, app=App(id="77", installations={5: "acme"}), tokens={}) as server:
        yield server


def test_an_app_gets_a_token_for_an_hour(
    world: World, app: GithubServer, http: requests.Session, clock: StillClock
) -> None:
    for name in ("acme/web", "other/web"):
        world.github.repo(name).private = True
    headers = {"Authorization": f"Bearer {_web_token(clock)}"}
    assert http.get(f"{app.url}/app", headers=headers).json()["slug"] == "buildwatch"
    assert http.get(f"{app.url}/app/installations", headers=headers).json()[0]["account"]["login"] == "acme"
    made = http.post(f"{app.url}/app/installations/5/access_tokens", headers=headers)
    assert (made.status_code, made.json()["expires_at"]) == (201, "2026-11-21T11:00:00Z")
    token = {"Authorization": f"Bearer {made.json()['token']}"}
    assert re.fullmatch(r"ghs_5_[\w-]+\.[\w-]+", made.json()["token"])
    listed = http.get(f"{app.url}/installation/repositories", headers=token).json()
    assert (listed["total_count"], listed["repositories"][0]["full_name"]) == (1, "acme/web")
    assert http.get(f"{app.url}/user", headers=token).status_code == 403
    clock.advance(3600)
    assert http.get(f"{app.url}/repos/acme/web", headers=token).status_code == 401
    assert http.post(f"{app.url}/app/installations/6/access_tokens", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "wrong",
    [{"alg": "HS256"}, {"iss": "78"}, {"iat": 300}, {"exp": -1}, {"exp": 3600}, {"iat": -3600}],
)
def test_a_wrong_web_token_is_refused(
    app: GithubServer, http: requests.Session, clock: StillClock, wrong: dict[str, Any]
) -> None:
    headers = {"Authorization": f"Bearer {_web_token(clock, **wrong)}"}
    assert http.post(f"{app.url}/app/installations/5/access_tokens", headers=headers).status_code == 401


def test_garbage_and_a_false_signature_are_refused(
    app: GithubServer, http: requests.Session, clock: StillClock
) -> None:
    assert http.get(f"{app.url}/app", headers={"Authorization": "Bearer a.b"}).status_code == 401
    assert http.get(f"{app.url}/app").status_code == 401
    app.app = App(id="77", verify=lambda signed, signature: signature == b"right" and bool(signed))
    assert http.get(f"{app.url}/app", headers={"Authorization": f"Bearer {_web_token(clock)}"}).status_code == 401


def test_an_unknown_installation_is_not_found(app: GithubServer, http: requests.Session, clock: StillClock) -> None:
    headers = {"Authorization": f"Bearer {_web_token(clock)}"}
    assert http.post(f"{app.url}/app/installations/6/access_tokens", headers=headers).status_code == 404


def test_installations_are_for_apps(ask: Ask) -> None:
    assert ask("installation/repositories").status_code == 403
    assert ask("app").status_code == 401


def test_an_installation_without_an_app_sees_everything(
    world: World, github: GithubServer, http: requests.Session
) -> None:
    world.github.repo("acme/web")
    token = github.issue()
    found = http.get(f"{github.url}/installation/repositories", headers={"Authorization": f"Bearer {token}"})
    assert found.json()["total_count"] == 1
