"""What a user would write with python-jenkins and PyGithub, and the least that can be asked: bare requests."""

from typing import Any

import orjson
import requests

from providers._jenkins.build import fields_for

HEARTBEAT = "jobs[fullName,nextBuildNumber,lastBuild[number,building,timestamp]]{0,2000}"


class PythonJenkins:
    """What its documentation leads to: every job's information, then every build's."""

    def __init__(self, url: str) -> None:
        import jenkins as python_jenkins  # noqa: PLC0415

        self._server = python_jenkins.Jenkins(url)
        self._known: dict[str, int] = {}

    def poll(self) -> int:
        """The new builds of each job."""
        found = 0
        for job in self._server.get_jobs():
            name = job["fullname"]
            last = self._server.get_job_info(name)["lastCompletedBuild"]["number"]
            for number in range(self._known.get(name, last) + 1, last + 1):
                self._server.get_build_info(name, number)
                found += 1
            self._known[name] = last
        return found

    def first(self) -> int:
        """Every build of every job."""
        found = 0
        for job in self._server.get_jobs():
            for build in self._server.get_job_info(job["fullname"])["builds"]:
                self._server.get_build_info(job["fullname"], build["number"])
                found += 1
        return found


class BareJenkins:
    """The limit: one session, the two kinds of request, the JSON parsed and no more."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._known: dict[str, int] = {}
        self._session = requests.Session()
        self._session.trust_env = False

    def poll(self) -> int:
        """The heartbeat, and one request for each job that moved."""
        found = 0
        for job in self._get("/api/json", HEARTBEAT)["jobs"]:
            name, last = job["fullName"], job["lastBuild"]["number"]
            if self._known.get(name, last) != last:
                found += len(self._get(f"/job/{name}/api/json", f"builds[{fields_for(())}]{{0,6}}")["builds"])
            self._known[name] = last
        return found

    def first(self, size: int) -> int:
        """All builds, a hundred jobs at a time."""
        found = 0
        for start in range(0, size, 100):
            tree = f"jobs[fullName,builds[{fields_for(())}]{{0,50}}]{{{start},{start + 100}}}"
            found += sum(len(job["builds"]) for job in self._get("/api/json", tree)["jobs"])
        return found

    def _get(self, path: str, tree: str) -> Any:
        answer = self._session.get(self._url + path, params={"tree": tree}, timeout=60)
        return orjson.loads(answer.content)


class BareGitHub:
    """The limit: If-None-Match with one session, the JSON of what changed parsed and no more."""

    def __init__(self, url: str, size: int) -> None:
        self._url, self._size = url, size
        self._tags: dict[int, str] = {}
        self._session = requests.Session()
        self._session.trust_env = False

    def poll(self) -> int:
        """Every repository's list of runs."""
        found = 0
        for number in range(self._size):
            headers = {"Authorization": "Bearer made-up", "If-None-Match": self._tags.get(number, "")}
            url = f"{self._url}/repos/acme/repo-{number:03}/actions/runs"
            answer = self._session.get(url, params={"per_page": "100"}, headers=headers, timeout=60)
            if answer.status_code == 200:
                self._tags[number] = answer.headers["ETag"]
                found += len(orjson.loads(answer.content)["workflow_runs"])
        return found


def pygithub(url: str, size: int) -> int:
    """What its documentation leads to: the repository, then its runs. Without its pause between requests."""
    from github import Auth, Github  # noqa: PLC0415

    client = Github(base_url=url, auth=Auth.Token("made-up"), seconds_between_requests=None, retry=None)
    found = 0
    for number in range(size):
        runs = client.get_repo(f"acme/repo-{number:03}").get_workflow_runs()
        found += sum(run.status == "completed" for run in runs.get_page(0))
    client.close()
    return found
