"""A Jenkins of freestyle jobs whose answers have the shape and size of real ones. Served by bench/fakes.py."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

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
