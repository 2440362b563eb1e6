"""A GitHub whose answers have the shape and size of real ones. Served by bench/fakes.py."""

import json
import re
import time
from collections import Counter
from functools import cache
from typing import Any


class GitHub:
    """Repositories of `acme`, each with one workflow; ETags; what answers 200 costs a point of the rate limit."""

    base = "https://api.github.com"  # links have to lead back here, or PyGithub refuses to follow them

    def __init__(self, size: int, builds: int) -> None:
        self.counted: Counter[str] = Counter()
        self._started = int(time.time()) - 3600
        self._runs = {f"acme/repo-{number:03}": builds for number in range(size)}
        self._ids = {name: (number + 1) * 1_000_000 for number, name in enumerate(self._runs)}
        self._builds = builds
        self._next = 0
        self._bodies: dict[tuple[str, int, int], bytes] = {}

    def change(self, count: int) -> None:
        """The next repositories in turn."""
        names = list(self._runs)
        for _ in range(count):
            self._runs[names[self._next % len(names)]] += 1
            self._next += 1

    def answer(self, path: str, query: dict[str, str], tag: str | None) -> tuple[int, dict[str, str], bytes]:
        """304 when the tag is still right."""
        match = re.fullmatch(r"repos/(acme/repo-\d+)(/actions/runs)?", path)
        if match is None:
            return 404, {"Content-Type": "application/json"}, b'{"message": "Not Found"}'
        name, is_list = match[1], bool(match[2])
        newest = self._runs[name]
        value = f'W/"{name}-{newest if is_list else 0}-{query.get("per_page", 30)}"'
        headers = {"ETag": value, "Content-Type": "application/json; charset=utf-8", "X-GitHub-Media-Type": "github.v3"}
        if tag == value:
            return 304, headers, b""
        self.counted["rate limit points"] += 1
        if not is_list:
            return 200, headers, self._encoded(_repository(name, self._ids[name]))
        return 200, headers, self._list(name, int(query.get("per_page", 30)))

    def _list(self, name: str, size: int) -> bytes:
        newest = self._runs[name]
        key = (name, newest, size)
        if key not in self._bodies:
            runs = [self._run(name, number) for number in range(newest, max(newest - min(size, self._builds), 0), -1)]
            self._bodies[key] = self._encoded({"total_count": len(runs), "workflow_runs": runs})
        return self._bodies[key]

    def _encoded(self, value: Any) -> bytes:
        return json.dumps(value).replace("https://api.github.com", self.base).encode()

    def _run(self, name: str, number: int) -> dict[str, Any]:
        repository = _repository(name, self._ids[name])
        identity = self._ids[name] + number
        started = self._started - (self._builds - number) * 600
        commit = f"{identity:040x}"
        url = f"https://api.github.com/repos/{name}"
        api = f"{url}/actions/runs/{identity}"
        return {
            "id": identity,
            "name": "CI",
            "node_id": f"WFR_{identity}",
            "head_branch": "main",
            "head_sha": commit,
            "path": ".github/workflows/ci.yml",
            "display_title": f"Change number {number}",
            "run_number": number,
            "event": "push",
            "status": "completed",
            "conclusion": "failure" if number % 10 == 3 else "success",
            "workflow_id": self._ids[name],
            "check_suite_id": identity,
            "url": api,
            "html_url": f"https://github.com/{name}/actions/runs/{identity}",
            "pull_requests": [],
            "created_at": _iso(started),
            "updated_at": _iso(started + 300),
            "actor": _person("ada"),
            "run_attempt": 1,
            "referenced_workflows": [],
            "run_started_at": _iso(started),
            "triggering_actor": _person("ada"),
            **{f"{what}_url": f"{api}/{what}" for what in ("jobs", "logs", "artifacts", "cancel", "rerun")},
            "previous_attempt_url": None,
            "workflow_url": f"{url}/actions/workflows/{self._ids[name]}",
            "head_commit": {
                "id": commit,
                "tree_id": commit,
                "message": f"Change number {number}\n\nWith a reason.",
                "timestamp": _iso(started),
                "author": {"name": "Ada Lovelace", "email": "ada@example.com"},
                "committer": {"name": "GitHub", "email": "noreply@github.com"},
            },
            "repository": repository,
            "head_repository": repository,
        }


def _iso(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@cache
def _person(login: str) -> dict[str, Any]:
    api = f"https://api.github.com/users/{login}"
    links = ("followers", "following", "gists", "starred", "subscriptions", "organizations", "repos", "events")
    return {"login": login, "id": 583231, "node_id": "MDQ6VXNlcjU4MzIzMQ==", "url": api, "type": "User"} | {
        f"{each}_url": f"{api}/{each}" for each in links
    }


@cache
def _repository(name: str, identity: int) -> dict[str, Any]:
    api = f"https://api.github.com/repos/{name}"
    links = re.findall(
        r"\w+",
        "archive assignees blobs branches collaborators comments commits compare contents contributors deployments "
        "downloads events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels "
        "languages merges milestones notifications pulls releases stargazers statuses subscribers subscription tags "
        "teams trees",
    )
    return {
        "id": identity,
        "node_id": f"R_{identity}",
        "name": name.partition("/")[2],
        "full_name": name,
        "private": False,
        "owner": _person("acme"),
        "html_url": f"https://github.com/{name}",
        "description": "A repository of the organisation, with a description of a usual length.",
        "fork": False,
        "url": api,
        "default_branch": "main",
        **{f"{each}_url": f"{api}/{each}{{/sha}}" for each in links},
    }
