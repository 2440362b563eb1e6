"""A Jenkins and a GitHub on loopback, each in a process of its own, so that only the client's work is measured.

Their answers look like the real ones in shape and size, and are made once. Nothing here checks anything: the faithful
servers are in simulator/. `GET /_/count` tells what was asked since the last time; `/_/...` changes the world.
"""

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import requests
from typing_extensions import override


class World(Protocol):
    """What a fake serves. `path` has no leading slash."""

    counted: Counter[str]

    def answer(self, path: str, query: dict[str, str], tag: str | None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of a GET; `tag` is its If-None-Match."""
        ...

    def change(self, count: int) -> None:
        """So many jobs or repositories get one more finished build."""
        ...


class Fake:
    """The client's side: where the fake is, and how to talk to it without being counted."""

    def __init__(self, url: str) -> None:
        self.url = url

    def change(self, count: int) -> None:
        """Let so many jobs or repositories finish one more build each."""
        requests.get(f"{self.url}/_/change?count={count}", timeout=60).raise_for_status()

    def latency(self, seconds: float) -> None:
        """How long each answer takes from now on."""
        requests.get(f"{self.url}/_/latency?seconds={seconds}", timeout=60).raise_for_status()

    def count(self) -> Counter[str]:
        """What was asked since the last call: requests, bytes, and what the world counts by itself."""
        return Counter(requests.get(f"{self.url}/_/count", timeout=60).json())


@contextmanager
def running(kind: str, size: int, builds: int) -> Iterator[Fake]:
    """A fake `jenkins` or `github` with `size` jobs or repositories of so many builds."""
    command = [sys.executable, "-m", "bench.fakes", kind, str(size), str(builds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        try:
            yield Fake(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


PARAMETERS = ("BRANCH", "CLOUD", "RELEASE", "TARGET", "LOG_LEVEL", "TIMEOUT")
BRANCHES = ("refs/remotes/origin/main", "refs/remotes/origin/release-1", "refs/remotes/origin/release-2")


class Jenkins:
    """Freestyle jobs at the top level, with `tree=` pruning and the 100 builds of `builds`.

    A whole build has 4 kB, a little less than the median of the recorded ones (`node-test-commit` and others).
    """

    def __init__(self, size: int, builds: int) -> None:
        self.counted: Counter[str] = Counter()
        self._started = int(time.time() * 1000) - 3_600_000
        self._jobs = {f"job-{number:04}": builds for number in range(size)}
        self._builds = builds
        self._next = 0
        self._bodies: dict[tuple[str, str], bytes] = {}

    def change(self, count: int) -> None:
        """The next jobs in turn."""
        names = list(self._jobs)
        changed = [names[(self._next + step) % len(names)] for step in range(count)]
        self._next += count
        for name in changed:
            self._jobs[name] += 1
        stale = {"api/json", *(f"job/{name}/api/json" for name in changed)}
        self._bodies = {key: body for key, body in self._bodies.items() if key[0] not in stale}

    def answer(self, path: str, query: dict[str, str], tag: str | None) -> tuple[int, dict[str, str], bytes]:
        """From memory when the same was asked before."""
        del tag
        tree = query.get("tree", "")
        if "builds[" in tree:
            self.counted["requests that load builds"] += 1
        key = (path, tree)
        if not re.fullmatch(r"(job/[\w-]+/(\d+/)?)?api/json", path):
            return 404, {"Content-Type": "text/html"}, b"<html>Not Found</html>"
        if key not in self._bodies:
            found = self._found(path)
            self._bodies[key] = json.dumps(pruned(found, parsed(tree)) if tree else whole(found)).encode()
        return 200, {"Content-Type": "application/json", "X-Jenkins": "2.516.3"}, self._bodies[key]

    def _found(self, path: str) -> Any:
        parts = [part for part in path.removesuffix("api/json").split("/") if part]
        if not parts:
            return {"_class": "hudson.model.Hudson", "jobs": [self._job(name) for name in self._jobs]}
        return self._job(parts[1]) if len(parts) == 2 else self._build(parts[1], int(parts[2]))

    def _job(self, name: str) -> dict[str, Any]:
        last = self._jobs[name]
        url = f"http://ci.example.com/job/{name}/"
        return Lazy(
            {
                "_class": "hudson.model.FreeStyleProject",
                "actions": [{}, {"_class": "com.cloudbees.plugins.credentials.ViewCredentialsAction"}],
                "description": "Builds and tests the module, then publishes it to the internal repository.",
                "displayName": name,
                "fullDisplayName": name,
                "fullName": name,
                "name": name,
                "url": url,
                "buildable": True,
                "color": "blue",
                "concurrentBuild": False,
                "disabled": False,
                "healthReport": [{"description": "Build stability: No recent builds failed.", "score": 100}],
                "inQueue": False,
                "keepDependencies": False,
                "nextBuildNumber": last + 1,
                "property": [{"_class": "jenkins.model.BuildDiscarderProperty"}],
                "queueItem": None,
                "scm": {"_class": "hudson.plugins.git.GitSCM"},
            },
            builds=lambda: [self._build(name, number) for number in range(last, max(last - 100, 0), -1)],
            lastBuild=lambda: self._build(name, last),
            lastCompletedBuild=lambda: self._build(name, last),
            lastFailedBuild=lambda: self._build(name, last),
            lastSuccessfulBuild=lambda: self._build(name, last),
        )

    def _build(self, name: str, number: int) -> dict[str, Any]:
        commit = f"{number:08x}{hash(name) & 0xFFFFFFFF:08x}".ljust(40, "0")
        revision = {"SHA1": commit, "branch": [{"SHA1": commit, "name": "refs/remotes/origin/main"}]}
        return {
            "_class": "hudson.model.FreeStyleBuild",
            "actions": [
                {
                    "_class": "hudson.model.CauseAction",
                    "causes": [
                        {
                            "_class": "hudson.triggers.SCMTrigger$SCMTriggerCause",
                            "shortDescription": "Started by an SCM change",
                        }
                    ],
                },
                {
                    "_class": "hudson.model.ParametersAction",
                    "parameters": [
                        {
                            "_class": "hudson.model.StringParameterValue",
                            "name": name,
                            "value": f"{name.lower()}-{number}",
                        }
                        for name in PARAMETERS
                    ],
                },
                *({} for _ in range(8)),
                {
                    "_class": "hudson.plugins.git.util.BuildData",
                    "buildsByBranchName": {
                        branch: {"_class": "hudson.plugins.git.util.Build", "buildNumber": number, "revision": revision}
                        for branch in BRANCHES
                    },
                    "lastBuiltRevision": revision,
                    "remoteUrls": ["https://git.example.com/team/project.git"],
                    "scmName": "",
                },
                {},
            ],
            "artifacts": [],
            "building": False,
            "description": None,
            "displayName": f"#{number}",
            "duration": 60_000 + number * 37,
            "estimatedDuration": 61_234,
            "executor": None,
            "fullDisplayName": f"{name} #{number}",
            "id": str(number),
            "inProgress": False,
            "keepLog": False,
            "number": number,
            "queueId": number * 7,
            "result": "FAILURE" if number % 10 == 3 else "SUCCESS",
            "timestamp": self._started - (self._builds - number) * 600_000,
            "url": f"http://ci.example.com/job/{name}/{number}/",
            "builtOn": "agent-7",
            "changeSet": {
                "_class": "hudson.plugins.git.GitChangeSetList",
                "items": [_commit(f"{commit[:39]}{each}", number) for each in range(2)],
                "kind": "git",
            },
            "culprits": [{"absoluteUrl": "http://ci.example.com/user/ada", "fullName": "Ada Lovelace"}],
        }


def _commit(commit: str, number: int) -> dict[str, Any]:
    return {
        "_class": "hudson.plugins.git.GitChangeSet",
        "affectedPaths": [f"src/module/part{each}.py" for each in range(4)],
        "commitId": commit,
        "timestamp": 1795000000000 + number,
        "author": {"absoluteUrl": "http://ci.example.com/user/ada", "fullName": "Ada Lovelace"},
        "authorEmail": "ada@example.com",
        "comment": f"Change number {number}\n\nWith a reason that takes a line of usual length.\n",
        "date": "2026-11-20 12:00:00 +0000",
        "id": commit,
        "msg": f"Change number {number}",
        "paths": [{"editType": "edit", "file": f"src/module/part{each}.py"} for each in range(4)],
    }


class Lazy(dict[str, Any]):
    """A job whose builds are only made when they are asked for."""

    def __init__(self, fields: dict[str, Any], **made: Callable[[], Any]) -> None:
        super().__init__(fields)
        self._made = made

    def field(self, name: str) -> Any:
        """The value of a field, builds with all their fields; None when there is no such field."""
        return self._made[name]() if name in self._made else self.get(name)

    def without_tree(self) -> dict[str, Any]:
        """As Jenkins shows it at depth 0: builds are references."""
        return {**self, **{name: _reference(make()) for name, make in self._made.items()}}


def _reference(value: Any) -> Any:
    if isinstance(value, list):
        return [_reference(each) for each in value]
    return {name: value[name] for name in ("_class", "number", "url")}


Tree = dict[str, tuple["Tree | None", slice]]


@cache
def parsed(tree: str) -> Tree:
    """`a,b[c]{0,5}` as names with their inner tree and range."""
    return _level(re.findall(r"[\w*]+|[\[\],]|\{\d*,?\d*\}", tree), [0])


def _level(marks: list[str], at: list[int]) -> Tree:
    fields: Tree = {}
    name = ""
    while at[0] < len(marks):
        mark = marks[at[0]]
        at[0] += 1
        if mark == "[":
            fields[name] = (_level(marks, at), slice(None))
        elif mark == "]":
            break
        elif mark.startswith("{"):
            first, _, last = mark[1:-1].partition(",")
            fields[name] = (fields[name][0], slice(int(first or 0), int(last) if last else None))
        elif mark != ",":
            name = mark
            fields[name] = (None, slice(None))
    return fields


def whole(value: Any) -> Any:
    """What there is without `tree=`."""
    return value.without_tree() if isinstance(value, Lazy) else value


def pruned(value: Any, tree: Tree) -> Any:
    """What `tree=` leaves of a value; `_class` always stays."""
    if isinstance(value, list):
        return [pruned(each, tree) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {"_class": value["_class"]} if "_class" in value else {}
    for name, (inner, cut) in tree.items():
        found = value.field(name) if isinstance(value, Lazy) else value.get(name)
        if found is None:
            continue
        found = found[cut] if isinstance(found, list) else found
        kept[name] = pruned(found, inner) if inner else found
    return kept


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


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with one write per answer: two would wait for each other (Nagle, delayed ACK)."""

    protocol_version = "HTTP/1.1"
    world: World
    delay = 0.0
    lock = threading.Lock()

    def do_GET(self) -> None:
        """Answer."""
        parts = urlsplit(self.path)
        path, query = parts.path.strip("/"), {name: values[0] for name, values in parse_qs(parts.query).items()}
        if path.startswith("_/"):
            self._send(200, {"Content-Type": "application/json"}, self._control(path[2:], query))
            return
        if Handler.delay:
            time.sleep(Handler.delay)
        with Handler.lock:
            status, headers, body = self.world.answer(path, query, self.headers.get("If-None-Match"))
            self.world.counted["requests"] += 1
            self.world.counted["bytes"] += len(body)
            self.world.counted[f"answers {status}"] += 1
        self._send(status, headers, body)

    def _control(self, what: str, query: dict[str, str]) -> bytes:
        with Handler.lock:
            if what == "change":
                self.world.change(int(query["count"]))
            elif what == "latency":
                Handler.delay = float(query["seconds"])
            elif what == "count":
                counted = json.dumps(self.world.counted).encode()
                self.world.counted.clear()
                return counted
        return b"{}"

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} Fake", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """Answers without delay."""

    daemon_threads = True
    request_queue_size = 128

    @override
    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept."""
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address


def main() -> None:
    """`python -m bench.fakes KIND SIZE BUILDS`: prints the port and serves until it is ended."""
    kind, size, builds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    Handler.world = Jenkins(size, builds) if kind == "jenkins" else GitHub(size, builds)
    server = Server(("127.0.0.1", 0), Handler)
    GitHub.base = f"http://127.0.0.1:{server.server_address[1]}"
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
