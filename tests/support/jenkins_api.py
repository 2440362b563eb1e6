"""A small Jenkins for `responses`: jobs in folders, `tree=` with ranges, and a log of what was asked."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import requests
import responses

BASE = "https://jenkins.example.com/ci/"
ELSEWHERE = "https://configured.elsewhere.example/"  # what `url` fields start with
START = 1_711_277_551_963

FREESTYLE = "hudson.model.FreeStyleProject"
WORKFLOW = "org.jenkinsci.plugins.workflow.job.WorkflowJob"
FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
ORGANIZATION = "jenkins.branch.OrganizationFolder"
MULTIBRANCH = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"

Fault = Callable[[requests.PreparedRequest], "tuple[int, Mapping[str, str], str] | Exception | None"]
"""What a path answers instead; None: what it always does."""


def run(number: int, result: str | None = "SUCCESS", **more: Any) -> dict[str, Any]:
    """A build; without a result it runs."""
    return {
        "_class": "hudson.model.FreeStyleBuild",
        "number": number,
        "result": result,
        "building": result is None,
        "inProgress": result is None,
        "timestamp": START + number * 60_000,
        "duration": 0 if result is None else 30_415,
        "displayName": f"#{number}",
        "description": None,
        "builtOn": "",
        "actions": [],
    } | more


@dataclass
class FakeJob:
    """A job with its builds, by number."""

    builds: dict[int, dict[str, Any]] = field(default_factory=dict)
    next_number: int = 1
    java_class: str = FREESTYLE
    actions: list[dict[str, Any]] = field(default_factory=list)
    buildable: bool = True

    def add(self, *builds: dict[str, Any]) -> None:
        for build in builds:
            self.builds[build["number"]] = build
            self.next_number = max(self.next_number, build["number"] + 1)

    def finish(self, number: int, result: str, **more: Any) -> None:
        self.builds[number] |= {"result": result, "building": False, "inProgress": False, "duration": 60_000} | more

    def newest(self) -> list[dict[str, Any]]:
        return [self.builds[number] for number in sorted(self.builds, reverse=True)]


class JenkinsApi:
    """`jobs` and `folders` are by full name, as Jenkins spells it."""

    def __init__(self) -> None:
        self.jobs: dict[str, FakeJob] = {}
        self.folders: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []  # path below the base, tree
        self.faults: dict[str, Fault] = {}  # by decoded path below the base, without api/json
        self.user: str | None = "bot"
        self.headers = {"X-Jenkins": "2.516.3", "X-Jenkins-Session": "aaaa", "Content-Type": "application/json"}

    def job(self, full_name: str, *builds: dict[str, Any], java_class: str = FREESTYLE, **more: Any) -> FakeJob:
        """Add a job, and the folders it is in."""
        parts = full_name.split("/")
        for end in range(1, len(parts)):
            self.folders.setdefault("/".join(parts[:end]), FOLDER)
        found = self.jobs[full_name] = FakeJob(java_class=java_class, **more)
        found.add(*builds)
        return found

    def branch(self, project: str, name: str, *builds: dict[str, Any], primary: bool = False) -> FakeJob:
        """Add a branch job of a multibranch project, by its encoded name."""
        actions = [{}, {"_class": "jenkins.scm.api.metadata.PrimaryInstanceMetadataAction"}] if primary else [{}]
        found = self.job(f"{project}/{name}", *builds, java_class=WORKFLOW, actions=actions)
        self.folders[project] = MULTIBRANCH
        return found

    def mount(self, mock: responses.RequestsMock) -> None:
        mock.add_callback(responses.GET, re.compile(re.escape(BASE) + ".*"), callback=self._answer)

    def fail(self, path: str, status: int, body: str = "<html>Oops</html>", **headers: str) -> None:
        """From now on this path (decoded, below the base) answers so; `status` 0 breaks the connection."""
        fields = {"Content-Type": "text/html", **headers}

        def fault(_: requests.PreparedRequest) -> tuple[int, Mapping[str, str], str] | Exception:
            return (status, fields, body) if status else requests.ConnectionError("gone")

        self.faults[path] = fault

    def take(self) -> list[tuple[str, str]]:
        """What was asked since the last time."""
        asked, self.asked = self.asked, []
        return asked

    def _answer(self, request: requests.PreparedRequest) -> tuple[int, Mapping[str, str], str]:
        assert request.url
        parts = urlsplit(request.url)
        path = parts.path.removeprefix(urlsplit(BASE).path).removesuffix("api/json")
        tree = parse_qs(parts.query).get("tree", [""])[0]
        self.asked.append((path, tree))
        fault = self.faults.get(unquote(path))
        if fault is not None:
            failed = fault(request)
            if isinstance(failed, Exception):
                raise failed
            if failed is not None:
                return failed
        found = self._found(path)
        if found is None:
            return 404, {"Content-Type": "text/html"}, "<html>Not Found</html>"
        return 200, self.headers, json.dumps(pruned(found, parsed(tree)))

    def _found(self, path: str) -> Any:
        if path in {"me/", "whoAmI/"}:
            return {"id": self.user, "fullName": self.user, "name": self.user} if self.user else None
        names = [unquote(name) for name in re.findall(r"job/([^/]+)/", path)]
        rest = re.sub(r"(job/[^/]+/)*", "", path, count=1)
        name = "/".join(names)
        if rest.strip("/").isdecimal():
            return self.jobs[name].builds.get(int(rest.strip("/"))) if name in self.jobs else None
        if name in self.jobs:
            return self._job(name)
        return self._folder(name) if not name or name in self.folders else None

    def _folder(self, name: str) -> dict[str, Any]:
        inside = [full for full in [*self.folders, *self.jobs] if full.rpartition("/")[0] == name]
        own = {"_class": self.folders[name], "name": name.rpartition("/")[2], "fullName": name} if name else {}
        return own | {"jobs": [self._folder(full) if full in self.folders else self._job(full) for full in inside]}

    def _job(self, name: str) -> dict[str, Any]:
        job = self.jobs[name]
        newest = job.newest()
        return {
            "_class": job.java_class,
            "name": name.rpartition("/")[2],
            "fullName": name,
            "url": f"{ELSEWHERE}job/whatever/",
            "buildable": job.buildable,
            "actions": job.actions,
            "nextBuildNumber": job.next_number,
            "lastBuild": newest[0] if newest else None,
            "lastCompletedBuild": next((build for build in newest if not build.get("building")), None),
            "builds": newest[:100],
            "allBuilds": newest,
        }


@contextmanager
def a_jenkins() -> Iterator[JenkinsApi]:
    """A JenkinsApi where `BASE` is; every other address refuses."""
    server = JenkinsApi()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        server.mount(mock)
        yield server


def parsed(tree: str) -> dict[str, Any]:
    """`a,b[c]{0,5}` → {"a": ({}, None), "b": ({"c": …}, (0, 5))}."""
    tokens = re.findall(r"[\w*]+|[\[\],]|\{\d+,\d+\}", tree)
    assert "".join(tokens) == tree, tree

    def fields() -> dict[str, Any]:
        found: dict[str, Any] = {}
        while tokens and tokens[0] != "]":
            name = tokens.pop(0)
            if name == ",":
                continue
            inner: dict[str, Any] = {}
            span = None
            if tokens and tokens[0] == "[":
                tokens.pop(0)
                inner = fields()
                assert tokens.pop(0) == "]"
            if tokens and tokens[0].startswith("{"):
                start, stop = tokens.pop(0).strip("{}").split(",")
                span = (int(start), int(stop))
            found[name] = (inner, span)
        return found

    return fields()


def pruned(value: Any, fields: dict[str, Any]) -> Any:
    """Only what the tree names; `_class` always."""
    if isinstance(value, list):
        return [pruned(item, fields) for item in value]
    if not isinstance(value, dict):
        return value
    found = {"_class": value["_class"]} if "_class" in value else {}
    for name, inner in value.items():
        if name not in fields:
            continue
        deeper, span = fields[name]
        cut = inner[span[0] : span[1]] if span and isinstance(inner, list) else inner
        found[name] = pruned(cut, deeper) if deeper else cut
    return found
