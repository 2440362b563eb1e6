"""Details over what real GitHub servers answered."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import responses

from domain.build import Build, Outcome, Pipeline, Status
from domain.details import Details
from providers._base import Refused, Trouble, Wanted
from providers._github.runs import to_build
from tests.support.github_api import BASE
from tests.support.github_provider import provider

DATA = Path(__file__).parents[3] / "shared" / "data" / "github"
RECORDED = DATA / "hub4j" / "GHWorkflowRunTest"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason="recorded CI data (../shared/data) is not on this machine")


def build_of(repository: str, run: Mapping[str, Any]) -> Build:
    """A run as polls would have told it."""
    path = str(run.get("path", ".github/workflows/ci.yml")).partition("@")[0]
    return to_build(run, Pipeline(provider="gh", key=f"{repository}/{path}", name=repository))


def finished(repository: str, run: int) -> Build:
    pipeline = Pipeline(provider="gh", key=f"{repository}/.github/workflows/ci.yml", name=repository)
    return Build(
        pipeline=pipeline,
        external_id=str(run),
        number=1,
        status=Status.FINISHED,
        outcome=Outcome.FAILURE,
        raw_outcome="failure",
    )


def examined(build: Build, jobs: Any) -> Details:
    """Details where GitHub answers with these jobs and has neither logs nor annotations."""
    repository = "/".join(build.pipeline.key.split("/")[:2])
    run = f"{BASE}/repos/{repository}/actions/runs/{build.external_id}"
    github = provider()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(f"{run}/attempts/{build.attempt}/jobs", json=jobs)
        mock.get(url=_anything(f"{BASE}/repos/{repository}/check-runs/"), json=[])
        mock.get(url=_anything(f"{BASE}/repos/{repository}/actions/jobs/"), status=410)
        found = github.details(build, Wanted())
    github.close()
    return found


def _anything(start: str) -> Any:
    import re  # noqa: PLC0415

    return re.compile(re.escape(start) + ".*")


def tenstorrent(run: int) -> Details:
    folder = DATA / "tenstorrent"
    described = json.loads((folder / f"{run}_workflow.json").read_bytes())
    jobs = json.loads((folder / f"{run}_workflow_jobs.json").read_bytes())
    return examined(build_of("tenstorrent/tt-metal", described), jobs)


@pytest.mark.parametrize(
    ("run", "jobs"),
    [(11236784732, 2), (12007373278, 8), (12890516473, 7), (14468030535, 5), (14492364249, 1)],
)
def test_runs_that_passed_have_their_stages_and_nothing_to_explain(run: int, jobs: int) -> None:
    found = tenstorrent(run)
    assert len(found.stages) == jobs
    assert {each.outcome for each in found.stages} == {Outcome.SUCCESS}
    assert all(each.duration is not None and each.url and each.step is None for each in found.stages)
    assert (found.failing_stage, found.reason, found.logs, found.notes) == (None, None, (), ())


def test_the_job_that_failed_first_is_named_with_its_step_and_machine() -> None:
    found = tenstorrent(12083382635)
    assert len(found.stages) == 21
    assert found.failing_stage == "build-and-test / run-tests (p150, ON, perf): Run perf tests"
    assert dict(found.labels) == {"runner": "tt-beta-ubuntu-2204-p150b-viommu-large-stable"}
    unhappy = {each.name: (each.outcome, each.step) for each in found.stages if each.outcome is not Outcome.SUCCESS}
    assert unhappy == {
        "build-and-test / run-ttrt-tests (n150, ON, perf)": (Outcome.CANCELLED, "ttrt read tests"),
        "build-and-test / run-tests (p150, ON, perf)": (Outcome.FAILURE, "Run perf tests"),
        "build-and-test / run-tests (n300, ON, perf)": (Outcome.FAILURE, "Run perf tests"),
    }
    assert len([note for note in found.notes if note.endswith("gone (410)")]) == 3


def test_the_second_attempt_of_a_run_is_asked_for_its_own_jobs() -> None:
    found = tenstorrent(12084081698)
    assert found.failing_stage == "test / tests (n150, run): Run ONNX tests"
    assert dict(found.labels) == {"runner": "torch-n150-2"}


def test_jobs_of_old_servers_and_edited_ones_are_read() -> None:
    jobs: dict[int, list[Any]] = defaultdict(list)
    for line in (DATA / "devlake_jobs.jsonl").read_text().splitlines():
        row = json.loads(line)
        jobs[row["data"]["run_id"]].append(row["data"])
    for run, listed in jobs.items():
        found = examined(finished("panjf2000/ants", run), {"jobs": listed})
        assert len(found.stages) == len({each["id"] for each in listed})
    cancelled = examined(
        replace(finished("panjf2000/ants", 577324554), outcome=Outcome.CANCELLED), {"jobs": jobs[577324554]}
    )
    assert str(cancelled.failing_stage).endswith(": Run unit tests for server")


def exchange(name: str) -> tuple[str, dict[str, Any]]:
    """The URL that was asked and the answer, of a recorded exchange."""
    (file,) = RECORDED.glob(f"{name}*.json")
    found = json.loads(file.read_bytes())
    return str(found["request"]["url"]), found["response"]


def test_a_log_is_read_where_the_recorded_redirect_leads() -> None:
    asked, redirect = exchange("testJobs__9")
    target = redirect["headers"]["Location"]
    job = {"id": 2270858576, "name": "job2", "conclusion": "failure"}
    github = provider()
    with responses.RequestsMock() as mock:
        mock.get(f"{BASE}/repos/hub4j-test-org/GHWorkflowRunTest/actions/runs/719643947/attempts/1/jobs",
                 json={"jobs": [job]})  # fmt: skip
        mock.get(BASE + asked, status=302, headers={"Location": target})
        mock.get(target, body=b"\xef\xbb\xbf2021-04-05T15:42:30.5Z ##[error]no\n")
        mock.get(f"{BASE}/repos/hub4j-test-org/GHWorkflowRunTest/check-runs/2270858576/annotations", json=[])
        found = github.details(finished("hub4j-test-org/GHWorkflowRunTest", 719643947), Wanted())
        for call in mock.calls:
            at_home = str(call.request.url).startswith(BASE)
            assert ("Authorization" in call.request.headers) == at_home
    github.close()
    assert [log.text for log in found.logs] == ["2021-04-05T15:42:30.5Z ##[error]no\n"]


def test_artifacts_are_listed_and_read_where_the_recorded_redirects_lead() -> None:
    listed_at, listed = exchange("testArtifacts__6")
    zip_at, redirect = exchange("testArtifacts__8")
    (file,) = RECORDED.glob("testArtifacts_blob*")
    blob = "https://productionresultssa17.blob.core.windows.net" + json.loads(file.read_bytes())["request"]["url"]
    build = finished("hub4j-test-org/GHWorkflowRunTest", 7892624040)
    github = provider()
    with responses.RequestsMock() as mock:
        mock.get(BASE + listed_at, json=listed["json"])
        mock.get(BASE + zip_at, status=302, headers={"Location": redirect["headers"]["Location"]})
        mock.get(redirect["headers"]["Location"], status=302, headers={"Location": blob})
        mock.get(blob, body=b"PK\x05\x06" + bytes(18), content_type="zip")
        first, second = sorted(github.artifacts(build), key=lambda each: each.name)
        assert (first.name, first.size, second.name, second.key) == ("artifact1", 10, "artifact2", "1242831517")
        assert github.read_artifact(build, second, 1000) == b"PK\x05\x06" + bytes(18)
        assert "Authorization" not in mock.calls[-1].request.headers
        gone_at, _ = exchange("testArtifacts__7")
        mock.get(BASE + gone_at, status=404)
        with pytest.raises(Refused) as caught:
            github.read_artifact(build, first, 1000)
        assert caught.value.trouble is Trouble.NOT_FOUND
    github.close()
