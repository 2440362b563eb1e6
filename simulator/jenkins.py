"""A Jenkins on the loopback interface: the remote API, wfapi, test reports, logs and queue of a `JenkinsWorld`."""

import base64
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from typing_extensions import override

from simulator.jenkins_console import console_page, console_text, progressive
from simulator.jenkins_export import BuildBean, QueueItemBean, View, item_bean
from simulator.jenkins_kinds import PIPELINE
from simulator.jenkins_tests import Reports, has_report
from simulator.jenkins_wfapi import describe, describe_node, node_log
from simulator.jenkins_world import Build, Folder, Item, JenkinsWorld, Job
from simulator.server import Answer, Request, Server, html_answer, json_answer, text_answer
from simulator.tree import Bean, ByDepth, Pruner, Record, TreeSyntaxError, export, parse

STARTING = "<html><head><meta http-equiv='refresh' content='5'></head><body><h1>Please wait while Jenkins is getting ready to work&hellip;</h1></body></html>"  # noqa: E501
NOT_FOUND = "<html><head><title>Error 404 Not Found</title></head><body><h2>HTTP ERROR 404 Not Found</h2></body></html>"
LOGIN = "<!DOCTYPE html><html><head><title>Sign in [Jenkins]</title></head><body><form action='j_spring_security_check'></form></body></html>"  # noqa: E501
_WRONG = "\0"  # nobody is called so
_REMEMBERED = timedelta(minutes=5)  # how long a queue item is kept after its build started


class JenkinsServer(Server):
    """One controller over one world.

    `context` is the path prefix (`/ci`). `root_url` is what the administrator configured: `url` fields start with it,
    whatever address was asked. `users` are names with their API tokens. `anonymous`: read (sees all), empty (200 with
    no jobs) or denied (403).
    """

    def __init__(
        self,
        world: JenkinsWorld,
        *,
        context: str = "",
        root_url: str | None = None,
        users: Mapping[str, str] | None = None,
        anonymous: str = "empty",
        version: str = "2.516.3",
        **options: Any,
    ) -> None:
        super().__init__(now=world.now, lock=world.lock, **options)
        self.world = world
        self.context = context
        self.users = dict(users if users is not None else {"bot": "jenkins-token"})
        self.anonymous = anonymous
        self.version = version
        self.without: set[str] = set()  # properties that an older server does not export, e.g. inProgress
        self.pipeline_rest_api = True  # the plug-in behind wfapi
        self.progressive_text = True  # False: a proxy keeps logText away
        self.compares_tests = False  # as older junit plug-ins do: REGRESSION and FIXED
        self.artifact_storage: str | None = None  # where artifacts are sent for, as the S3 plug-in does
        self.loads: Counter[str] = Counter()
        self.mode = "up"  # up, starting (503 page), login (200 login page), login_redirect
        self._root_url = root_url
        self._session = secrets.token_hex(4)

    @property
    def url(self) -> str:
        """Where to reach it, without a slash at the end."""
        return self.origin + self.context

    @property
    def root_url(self) -> str:
        """What its `url` fields start with."""
        return (self._root_url or self.url).rstrip("/") + "/"

    def restart(self) -> None:
        """Come back with a new session."""
        self._session = secrets.token_hex(4)

    @override
    def answer(self, request: Request) -> Answer:
        """The remote API as an authenticated or anonymous client sees it."""
        found = self._answer(request)
        headers = {"X-Jenkins": self.version, "X-Content-Type-Options": "nosniff", **found.headers}
        if request.path.endswith("/api/json"):
            headers["X-Jenkins-Session"] = self._session
        return replace(found, headers=headers)

    def _answer(self, request: Request) -> Answer:  # noqa: PLR0911  (a table of modes)
        if self.mode == "starting":
            return html_answer(STARTING, status=503)
        if self.mode == "login":
            return html_answer(LOGIN)
        if self.mode == "login_redirect":
            return html_answer("", status=302, headers={"Location": f"{self.url}/login?from={request.path}"})
        if not request.path.startswith(f"{self.context}/"):
            return html_answer(NOT_FOUND, status=404)
        user = self._user(request)
        if user == _WRONG:
            page = "<html><body><h2>HTTP ERROR 401 Invalid password/token for user: bot</h2></body></html>"
            return html_answer(page, status=401, headers={"WWW-Authenticate": 'Basic realm="Jenkins"'})
        view = View(self.root_url, self.loads, anonymous=user is None and self.anonymous == "empty")
        if user is None and self.anonymous == "denied":
            return html_answer("<html><body>Authentication required</body></html>", status=403)
        prefix = len([part for part in self.context.split("/") if part])
        return self._route(request, list(request.segments[prefix:]), user, view)

    def _user(self, request: Request) -> str | None:
        """The name; None: anonymous; _WRONG: wrong name or token."""
        scheme, _, packed = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        name, _, token = base64.b64decode(packed).decode("utf-8", "replace").partition(":")
        return name if self.users.get(name) == token else _WRONG

    def _route(  # noqa: C901, PLR0911  (a table of routes)
        self, request: Request, parts: list[str], user: str | None, view: View
    ) -> Answer:
        match parts:
            case ["me", "api", "json"]:
                return self._me(request, user)
            case ["whoAmI", "api", "json"]:
                return self._export(request, lambda: _who_am_i(user))
            case ["login"]:
                return html_answer(LOGIN)
            case ["queue", "api", "json"]:
                waiting = [QueueItemBean(build, view) for build in self.world.queue()]
                return self._export(request, lambda: _record("hudson.model.Queue", discoverableItems=[], items=waiting))
            case ["queue", "item", number, "api", "json"] if number.isdigit():
                return self._queue_item(request, int(number), view)
        while parts[:1] == ["view"]:
            parts = parts[2:]
        item, rest = self._walk(parts, view)
        if item is None:
            return html_answer(NOT_FOUND, status=404)
        if item.permission == "discover":
            return html_answer("<html><body>Access Denied</body></html>", status=403)
        if rest == ["api", "json"]:
            return self._export(request, lambda: item_bean(item, view))
        if not rest:
            return html_answer(f"<html><head><title>{item.display_name or 'Dashboard'} [Jenkins]</title></head></html>")
        if isinstance(item, Job) and rest:
            build = _build(item, rest[0])
            if build is not None:
                return self._build(request, build, rest[1:], view)
        return html_answer(NOT_FOUND, status=404)

    def _walk(self, parts: list[str], view: View) -> tuple[Item | None, list[str]]:
        """Follow `job/NAME` as deep as it goes; below a matrix a configuration stands without `job`."""
        here: Item = self.world.root
        while parts[:1] == ["job"] and len(parts) > 1:
            below = here.children.get(parts[1]) if isinstance(here, Folder) and not view.anonymous else None
            if below is None or below.permission == "none":
                return None, []
            here, parts = below, parts[2:]
        if isinstance(here, Job) and parts and parts[0] in here.configurations:
            here, parts = here.configurations[parts[0]], parts[1:]
        return here, parts

    def _export(self, request: Request, bean: Callable[[], Bean]) -> Answer:
        pruner: Pruner = ByDepth(1 - int(request.query.get("depth", "0")))
        if "tree" in request.query:
            try:
                pruner = parse(request.query["tree"])
            except TreeSyntaxError as error:
                return html_answer(f"<html><body>Malformed tree expression: {error}</body></html>", status=500)
        return json_answer(export(bean(), pruner, frozenset(self.without)))

    def _me(self, request: Request, user: str | None) -> Answer:
        if user is None:
            return html_answer("<html><body>Access Denied</body></html>", status=403)
        values = {"absoluteUrl": f"{self.root_url}user/{user}", "description": None, "fullName": user, "id": user}
        return self._export(request, lambda: _record("hudson.model.User", **values, property=[]))

    def _queue_item(self, request: Request, number: int, view: View) -> Answer:
        every = (build for job in self.world.root.jobs() for build in job.builds.values())
        found = next((build for build in every if build.queue_id == number), None)
        if found is None or self.now() - found.started_at >= _REMEMBERED:
            return html_answer(NOT_FOUND, status=404)
        return self._export(request, lambda: QueueItemBean(found, view))

    def _build(  # noqa: PLR0911  (a table of routes)
        self, request: Request, build: Build, rest: list[str], view: View
    ) -> Answer:
        match rest:
            case ["api", "json"]:
                return self._export(request, lambda: BuildBean(build, view))
            case ["testReport", "api", "json"] if build.finished() and (has_report(build)):
                reports = Reports(lambda run: BuildBean(run, view), compares=self.compares_tests)
                return self._export(request, lambda: reports.of(build))
            case ["logText", "progressiveText"] if self.progressive_text:
                return progressive(build, request)
            case ["consoleText"]:
                return console_text(build)
            case ["console"]:
                return console_page(build)
            case ["artifact", *path] if "/".join(path) in build.artifacts:
                if self.artifact_storage is not None:
                    place = f"{self.artifact_storage}/{build.job.full_name}/{build.number}/{'/'.join(path)}?signature=x"
                    return html_answer("", status=302, headers={"Location": place})
                return text_answer(build.artifacts["/".join(path)])
            case [*_, "wfapi", "describe" | "log"] if self.pipeline_rest_api and build.job.class_name == PIPELINE:
                found = self._wfapi(request.path, build, rest)
                return html_answer(NOT_FOUND, status=404) if found is None else json_answer(found)
        return html_answer(NOT_FOUND, status=404)

    def _wfapi(self, path: str, build: Build, rest: list[str]) -> dict[str, object] | None:
        match rest:
            case ["wfapi", "describe"]:
                return describe(build, path, self.now())
            case ["execution", "node", node, "wfapi", "describe"]:
                return describe_node(build, node, path, self.now())
            case ["execution", "node", node, "wfapi", "log"]:
                return node_log(build, node, path)
        return None


def _record(class_name: str, **values: object) -> Bean:
    return Record(class_name, values)


def _who_am_i(user: str | None) -> Bean:
    name = user or "anonymous"
    known = user is not None
    return _record(
        "hudson.security.WhoAmI",
        anonymous=not known,
        authenticated=True,
        authorities=["authenticated"] if known else ["anonymous"],
        details=None,
        name=name,
        toString=f"Username: [{name}]",
    )


def _build(job: Job, name: str) -> Build | None:
    """By number or by permalink."""
    if name.isdigit():
        build = job.builds.get(int(name))
        return build if build is not None and build.started() else None
    wanted: dict[str, Callable[[Build], bool]] = {
        "lastBuild": lambda _: True,
        "lastCompletedBuild": Build.finished,
        "lastSuccessfulBuild": lambda b: b.finished() and b.result in ("SUCCESS", "UNSTABLE"),
        "lastFailedBuild": lambda b: b.finished() and b.result == "FAILURE",
    }
    return next((b for b in job.newest_first() if name in wanted and wanted[name](b)), None)
