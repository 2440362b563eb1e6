from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr, ValidationError

from providers._base import ProviderError, Trouble
from providers._jenkins import tree as _jenkins_tree
from providers.jenkins import JenkinsSettings
from tests.support.jenkins_api import BASE, MULTIBRANCH, ORGANIZATION, START, WORKFLOW, JenkinsApi, a_jenkins, run
from tests.support.jenkins_provider import NOON, Watcher, provider

PAST = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def api() -> Iterator[JenkinsApi]:
    with a_jenkins() as server:
        yield server


def multibranch(api: JenkinsApi) -> None:
    api.branch("org/web", "main", run(1), run(2, "FAILURE"))
    api.branch("org/web", "feature%2Fx", run(1))
    api.branch("org/web", "PR-7", run(1, "FAILURE"))
    api.folders["org"] = ORGANIZATION


def test_a_multibranch_project_is_one_pipeline_and_its_jobs_are_branches_j10(api: JenkinsApi) -> None:
    multibranch(api)
    watcher = Watcher(provider("org/*"))
    watcher.poll()
    (pipeline,) = watcher.pipelines.values()
    assert (pipeline.key, pipeline.branched, pipeline.default_branch) == ("org/web", True, "main")
    assert pipeline.url == f"{BASE}job/org/job/web/"
    found = {build.external_id.partition("@")[0]: build for build in watcher.builds.values()}
    assert set(found) == {"main#1", "main#2", "feature/x#1", "PR-7#1"}
    assert found["feature/x#1"].branch == found["feature/x#1"].stream == "feature/x"
    assert found["feature/x#1"].url == f"{BASE}job/org/job/web/job/feature%252Fx/1/"
    assert found["PR-7#1"].is_pull_request
    assert found["PR-7#1"].stream is None
    assert len(api.take()) == 2


def test_the_branch_that_jenkins_calls_primary_is_the_default_one(api: JenkinsApi) -> None:
    api.branch("web", "main", run(1))
    api.branch("web", "develop", run(1), primary=True)
    watcher = Watcher(provider("web"))
    watcher.poll()
    assert watcher.pipelines["web"].default_branch == "develop"
    api.jobs["web/main"].add(run(2))
    after_restart = Watcher(provider("web"), cursors=watcher.cursors)
    after_restart.poll()
    assert after_restart.pipelines["web"].default_branch == "develop"


def test_the_only_branch_is_the_default_one(api: JenkinsApi) -> None:
    api.branch("web", "trunk", run(1))
    api.branch("web", "PR-1", run(1))
    api.branch("two", "a", run(1))
    api.branch("two", "b", run(1))
    watcher = Watcher(provider("*"))
    watcher.poll()
    assert watcher.pipelines["web"].default_branch == "trunk"
    assert watcher.pipelines["two"].default_branch is None


def test_an_entry_may_name_one_branch(api: JenkinsApi) -> None:
    multibranch(api)
    watcher = Watcher(provider({"job": "org/web/feature/x", "name": "Web x", "labels": {"team": "web"}}))
    watcher.poll()
    assert {build.branch for build in watcher.builds.values()} == {"feature/x"}
    pipeline = watcher.pipelines["org/web"]
    assert (pipeline.name, pipeline.default_branch, pipeline.labels) == ("Web x", "feature/x", {"team": "web"})
    assert pipeline.branched


def test_a_branch_that_is_deleted_is_no_missing_pipeline(api: JenkinsApi) -> None:
    multibranch(api)
    watcher = Watcher(provider("org/web"))
    watcher.poll()
    del api.jobs["org/web/feature%2Fx"]
    for _ in range(5):
        watcher.poll()
    assert (watcher.missing, watcher.error) == ([], None)
    api.branch("org/web", "feature%2Fx", run(1, "FAILURE", timestamp=START + 9_000_000))
    watcher.poll()
    again = watcher.builds["org/web", f"feature/x#1@{START + 9_000_000}"]
    assert again.generation == 1


def test_a_renamed_project_carries_all_its_branches_along(api: JenkinsApi) -> None:
    multibranch(api)
    api.job("other", run(1))
    watcher = Watcher(provider("**"))
    watcher.poll()
    for name in ("main", "feature%2Fx", "PR-7"):
        api.jobs[f"org/site/{name}"] = api.jobs.pop(f"org/web/{name}")
    api.folders["org/site"] = MULTIBRANCH
    del api.folders["org/web"]
    for _ in range(5):
        watcher.poll()
    assert watcher.renamed == {"org/web": "org/site"}
    assert watcher.missing == []
    assert {key for key, _ in watcher.builds} == {"org/site", "other"}


def test_three_hundred_branches_are_all_read_j23(api: JenkinsApi) -> None:
    for number in range(300):
        api.branch("web", f"b{number}", run(1))
    watcher = Watcher(provider("web"))
    pages = watcher.poll()
    assert len(watcher.builds) == 300
    assert len(pages) == 3
    assert len(api.take()) == 4


def test_names_with_anything_in_them_are_asked_for_correctly_j9(api: JenkinsApi) -> None:
    api.branch("a b/ü", "feature%2Fx+y", run(1))
    job = api.jobs["a b/ü/feature%2Fx+y"]
    watcher = Watcher(provider("a b/ü/feature/x+y"))
    watcher.poll()
    job.add(run(2, "FAILURE"))
    api.take()
    watcher.poll()
    assert api.take()[1][0] == "job/a%20b/job/%C3%BC/job/feature%252Fx+y/"
    (build,) = (build for build in watcher.builds.values() if build.number == 2)
    assert build.url == f"{BASE}job/a%20b/job/%C3%BC/job/feature%252Fx+y/2/"
    assert build.branch == "feature/x+y"


def test_labels_follow_from_entry_job_name_and_parameters(api: JenkinsApi) -> None:
    parameters = {"_class": "hudson.model.ParametersAction", "parameters": [{"name": "CLOUD", "value": "gcp"}]}
    api.job("nsp/SCHEDULER7", run(1, actions=[parameters]))
    labels_from = {"cloud": "parameters.CLOUD", "scheduler": {"job_name": r"(?P<value>SCHEDULER\d+)"}}
    watcher = Watcher(provider({"job": "nsp/*", "labels": {"release": "25.3"}, "labels_from": labels_from}))
    watcher.poll()
    assert watcher.pipelines["nsp/SCHEDULER7"].labels == {"release": "25.3"}
    assert watcher.of("nsp/SCHEDULER7")[1].labels == {"cloud": "gcp", "scheduler": "SCHEDULER7"}


def test_a_thousand_jobs_of_fifty_builds_take_at_most_25_requests(api: JenkinsApi) -> None:
    for number in range(200):
        api.job(f"f{number % 10}/j{number}", *(run(each) for each in range(1, 51)))
    watcher = Watcher(provider("**"))
    pages = watcher.poll()
    assert len(watcher.builds) == 10_000
    assert len(api.take()) == 3
    assert max(len(page.builds) for page in pages) <= 5000


def test_scattered_jobs_do_not_make_the_server_load_the_others(api: JenkinsApi) -> None:
    for number in range(60):
        api.job(f"j{number}", run(1))
    watcher = Watcher(provider("j1", "j30", "j59"))
    watcher.poll()
    assert [tree.rpartition("{")[2] for _, tree in api.take()[1:]] == ["1,2}", "30,31}", "59,60}"]
    assert set(watcher.pipelines) == {"j1", "j30", "j59"}


def test_folders_deeper_than_the_heartbeat_cost_one_request_each(api: JenkinsApi) -> None:
    api.job("1/2/3/4/5/6/deep", run(1))
    api.job("1/2/3/4/5/elsewhere/x", run(1))
    watcher = Watcher(provider("**/6/*"))
    watcher.poll()
    assert set(watcher.pipelines) == {"1/2/3/4/5/6/deep"}
    api.take()
    watcher.poll()
    assert [path for path, _ in api.take()] == ["", "job/1/job/2/job/3/job/4/job/5/"]


def test_more_jobs_than_a_heartbeat_shows_are_asked_for(api: JenkinsApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jenkins_tree, "PAGE_OF_JOBS", 3)
    monkeypatch.setattr(_jenkins_tree.nested, "__defaults__", (3, 0))
    for number in range(7):
        api.job(f"j{number}", run(1))
        api.job(f"folder/j{number}", run(1))
    client = provider()._client
    found = _jenkins_tree.read_jobs(client, depth=3, reaches_into=lambda _: True)
    assert sorted(job.full_name for job in found.jobs()) == sorted(api.jobs)


def test_too_many_deep_folders_are_an_error_with_a_cure(api: JenkinsApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_jenkins_tree, "MAX_FOLDER_REQUESTS", 2)
    for number in range(5):
        api.job(f"1/2/3/4/5/{number}/deep", run(1))
        api.job(f"1/2/3/4/{number}/x/deep", run(1))
    watcher = Watcher(provider("**"))
    watcher.poll()
    assert "name the folders in config.yaml" in str(watcher.error)


def test_a_folder_that_goes_between_two_requests_is_empty(api: JenkinsApi) -> None:
    api.job("1/2/3/4/5/6/deep", run(1))
    api.job("a", run(1))
    api.fail("job/1/job/2/job/3/job/4/job/5/", 404)
    watcher = Watcher(provider("**"))
    watcher.poll()
    assert set(watcher.pipelines) == {"a"}
    api.fail("job/1/job/2/job/3/job/4/job/5/", 503)
    watcher.poll()
    assert watcher.error is not None


def test_a_heartbeat_with_nonsense_in_it_is_read_as_far_as_it_goes(api: JenkinsApi) -> None:
    api.fail(
        "",
        200,
        '{"jobs": [null, 7, {"name": 3}, {"name": "\\ud800", "nextBuildNumber": 1},'
        '{"name": "old", "nextBuildNumber": "x", "lastBuild": {"number": 3}},'
        '{"name": "f", "jobs": [{"name": "in", "fullName": "", "nextBuildNumber": 1, "lastBuild": 5}]}]}',
    )
    watcher = Watcher(provider("**"))
    watcher.poll()
    assert set(watcher.pipelines) == {"f/in"}
    assert watcher.error is None


def test_a_lone_surrogate_spoils_only_its_own_name(api: JenkinsApi) -> None:
    api.job("a", run(1, displayName="\ud800"), run(2))
    watcher = Watcher(provider("a"))
    watcher.poll()
    assert watcher.of("a")[1].title == "\ufffd"
    assert watcher.outcomes("a") == {1: "success", 2: "success"}


def test_history_is_read_in_pages_back_to_a_moment(api: JenkinsApi) -> None:
    api.job("a", *(run(number) for number in range(1, 2501)), run(2501, None))
    api.job("b", run(1))
    jenkins = provider("*")
    (target,) = jenkins.targets()
    pages = list(jenkins.backfill(target, (), PAST, {}, NOON))
    numbers = [build.number for page in pages for build in page.builds if build.pipeline.key == "a"]
    assert set(numbers) == set(range(1, 2501))
    assert [len(page.builds) for page in pages] == [999, 1000, 521, 1, 0]
    assert pages[-1].progress == 1.0
    assert pages[-1].cursors == {"backfill": None}
    recent = datetime.fromtimestamp((START + 2400 * 60_000) / 1000, UTC)
    (page, _) = jenkins.backfill(target, ["a"], recent, {}, NOON)
    assert [build.number for build in page.builds] == list(range(2500, 2399, -1))


def test_history_goes_on_where_it_stopped(api: JenkinsApi) -> None:
    for name in "abc":
        api.job(name, *(run(number) for number in range(1, 1501)))
    jenkins = provider("*")
    (target,) = jenkins.targets()
    pages = jenkins.backfill(target, (), PAST, {"gens": {"b": 2}}, NOON)
    stored = {}
    for _ in range(3):
        page = next(pages)
        stored |= {(build.pipeline.key, build.number): build for build in page.builds}
    cursor = page.cursors["backfill"]
    assert cursor is not None
    api.take()
    for page in jenkins.backfill(target, (), PAST, cursor, NOON):
        stored |= {(build.pipeline.key, build.number): build for build in page.builds}
    assert len(stored) == 4500
    assert len(api.take()) == 4
    assert stored["b", 7].generation == 2
    assert page.cursors == {"backfill": {"gens": {"b": 2}}}


def test_history_that_is_too_large_is_read_in_smaller_parts(api: JenkinsApi) -> None:
    api.job("a", *(run(number) for number in range(1, 301)))
    jenkins = provider("*")
    (target,) = jenkins.targets()
    read = api.__class__._answer
    original = jenkins._client.get

    def get(path: str, tree: str) -> dict[str, object]:
        if "0,1000" in tree:
            raise ProviderError(Trouble.TOO_LARGE, "too large")
        return original(path, tree)

    jenkins._client.get = get  # type: ignore[method-assign]
    pages = list(jenkins.backfill(target, (), PAST, {}, NOON))
    assert len({build.number for page in pages for build in page.builds}) == 300
    assert read


def test_history_of_a_job_that_goes_meanwhile_is_skipped_and_trouble_is_told(api: JenkinsApi) -> None:
    api.job("a", run(1))
    api.job("b", run(1))
    jenkins = provider("*")
    (target,) = jenkins.targets()
    api.fail("job/a/", 404)
    assert [len(page.builds) for page in jenkins.backfill(target, (), PAST, {}, NOON)] == [1, 0]
    api.fail("job/b/", 503)
    with pytest.raises(ProviderError):
        list(jenkins.backfill(target, (), PAST, {}, NOON))


def test_discover_shows_jobs_and_projects_as_entries_to_paste(api: JenkinsApi) -> None:
    multibranch(api)
    api.job("folder/nightly", run(3))
    api.job("never", java_class=WORKFLOW)
    found = {each.pipeline.key: each for each in provider("folder/*").discover()}
    assert set(found) == {"org/web", "folder/nightly", "never"}
    assert found["org/web"].entry == {"provider": "ci", "job": "org/web"}
    assert found["org/web"].pipeline.branched
    assert [each.watched for each in found.values()] == [key.startswith("folder") for key in found]
    last = found["folder/nightly"].last_build_at
    assert last == datetime.fromtimestamp((START + 180_000) / 1000, UTC)
    assert found["never"].last_build_at is None


def test_probe_tells_version_identity_and_clock(api: JenkinsApi) -> None:
    api.job("a", run(1))
    api.headers["Date"] = (datetime.now(UTC) + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    found = provider().probe()
    assert (found.version, found.identity, found.warnings) == ("2.516.3", "bot", ())
    assert found.clock_skew is not None
    assert timedelta(minutes=59) < found.clock_skew < timedelta(minutes=61)


def test_probe_warns_of_what_looks_wrong(api: JenkinsApi) -> None:
    api.user = None
    del api.headers["X-Jenkins"]
    api.headers["Date"] = "someday"
    found = provider().probe()
    assert found.identity is found.clock_skew is None
    assert [warning.partition(":")[0] for warning in found.warnings] == [
        "the answer has no X-Jenkins header",
        "the server does not say who we are",
        "the server shows no jobs to this user",
    ]
    anonymous = provider(username=None, token=None).probe()
    assert "anonymous readers" in anonymous.warnings[-1]
    api.fail("me/", 403)
    with pytest.raises(ProviderError):
        provider().probe()


def test_an_anonymous_reader_can_confirm_absences(api: JenkinsApi) -> None:
    api.job("stays", run(1))
    api.job("goes", run(1))
    api.user = None
    watcher = Watcher(provider("*", username=None, token=None))
    watcher.poll()
    del api.jobs["goes"]
    for _ in range(3):
        watcher.poll()
    assert watcher.missing == ["goes"]


def test_a_restart_is_noted_in_the_log(api: JenkinsApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    api.job("a", run(1))
    watcher = Watcher(provider("a"))
    watcher.poll()
    assert caplog.messages == []
    api.headers["X-Jenkins-Session"] = "bbbb"
    watcher.poll()
    assert len(caplog.messages) == 1
    watcher.jenkins.close()
    watcher.poll()
    assert watcher.error is None


@pytest.mark.parametrize("url", ["jenkins.example.com", "ftp://x", "https://u:p@x/", "https://x/?a=b", "https://x/#y"])
def test_a_url_that_is_none_is_a_configuration_error(url: str) -> None:
    with pytest.raises(ValidationError, match="write it like"):
        JenkinsSettings(kind="jenkins", url=url)


def test_half_of_the_credentials_is_a_configuration_error() -> None:
    with pytest.raises(ValidationError, match="go together"):
        JenkinsSettings(kind="jenkins", url=BASE, username="bot")
    with pytest.raises(ValidationError, match="go together"):
        JenkinsSettings(kind="jenkins", url=BASE, token=SecretStr("x"))
