"""What the simulated Jenkins exports of its folders, jobs, builds and queue, as the real classes do.

The second value of a property is its visibility: how deep it is written without `tree=`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast
from urllib.parse import quote

from typing_extensions import override

from simulator.jenkins_actions import actions_of, records
from simulator.jenkins_details import Change
from simulator.jenkins_kinds import CONFIGURATION, FREESTYLE, MATRIX, MULTIJOB, PIPELINE
from simulator.jenkins_world import Build, Folder, Item, Job
from simulator.moments import milliseconds
from simulator.tree import Bean, Property, Record

NEWEST = 100  # `builds` ends here; `allBuilds` does not
_BUILD_CLASS = {
    FREESTYLE: "hudson.model.FreeStyleBuild",
    PIPELINE: "org.jenkinsci.plugins.workflow.job.WorkflowRun",
    MATRIX: "hudson.matrix.MatrixBuild",
    CONFIGURATION: "hudson.matrix.MatrixRun",
    MULTIJOB: "com.tikal.jenkins.plugins.multijob.MultiJobBuild",
}
_COLOR = {"SUCCESS": "blue", "UNSTABLE": "yellow", "FAILURE": "red", "ABORTED": "aborted", "NOT_BUILT": "notbuilt"}


@dataclass(slots=True)
class View:
    """How this server presents its world: the root URL that it was configured with, and what its clients cost it."""

    root_url: str
    loads: Counter[str] = field(default_factory=Counter)  # builds, allBuilds: lists read; records: builds read for them
    anonymous: bool = False  # sees no jobs

    def url(self, item: Item) -> str:
        """Where an item is, its names percent-encoded once more."""
        path = ""
        for part in item.path():
            in_matrix = isinstance(part, Job) and part.owner is not None
            path += f"{'' if in_matrix else 'job/'}{quote(part.name, safe='~!$&()*+,;=:@')}/"
        return self.root_url + path

    def build_url(self, build: Build) -> str:
        """Where a build is."""
        return f"{self.url(build.job)}{build.number}/"


class FolderBean(Bean):
    """A folder, or the whole Jenkins."""

    def __init__(self, folder: Folder, view: View) -> None:
        self.item = folder
        self.view = view
        self.class_name = folder.class_name

    def jobs(self) -> list[Bean]:
        """What the client may see of it."""
        if self.view.anonymous:
            return []
        return [item_bean(child, self.view) for child in self.item.children.values() if child.permission == "read"]

    @override
    def visible(self) -> Iterator[tuple[str, Property]]:
        yield from (_FOLDER if self.item.parent is not None else _ROOT).items()


class JobBean(Bean):
    """A job of any kind."""

    def __init__(self, job: Job, view: View) -> None:
        self.item = self.job = job
        self.view = view
        self.class_name = job.class_name

    @override
    def visible(self) -> Iterator[tuple[str, Property]]:
        yield from _JOB.items()
        if self.job.class_name == MATRIX:
            yield (
                "activeConfigurations",
                Property(lambda b: [JobBean(c, b.view) for c in b.job.configurations.values()]),
            )

    def listed(self, name: str, limit: int | None) -> list["BuildBean"]:
        """The builds for `builds` or `allBuilds`, with the records counted that a real server reads for it."""
        builds = [BuildBean(build, self.view) for build in self.job.newest_first()][:limit]
        self.view.loads[name] += 1
        self.view.loads["records"] += len(builds)
        return builds

    def first(self, wanted: Callable[[Build], bool]) -> "BuildBean | None":
        """The newest build with this property."""
        return next((BuildBean(build, self.view) for build in self.job.newest_first() if wanted(build)), None)

    def color(self) -> str:
        """The ball: the last result, blinking while it runs."""
        if not self.job.buildable:
            return "disabled"
        done = next((b for b in self.job.newest_first() if b.finished()), None)
        last = next(self.job.newest_first(), None)
        color = _COLOR.get(done.result or "", "notbuilt") if done else "notbuilt"
        return color + ("_anime" if last is not None and not last.finished() else "")


class BuildBean(Bean):
    """A build of any kind."""

    def __init__(self, build: Build, view: View) -> None:
        self.build = build
        self.view = view
        self.class_name = _BUILD_CLASS.get(build.job.class_name, "hudson.model.FreeStyleBuild")

    @override
    def visible(self) -> Iterator[tuple[str, Property]]:
        kind = self.build.job.class_name
        own = {MATRIX: _MATRIX_RUNS, MULTIJOB: _MULTIJOB_PARTS}.get(kind, {})
        for table in (_BUILD, _WORKFLOW if kind == PIPELINE else _CLASSIC, own):
            for name, prop in table.items():
                yield name, self._replaced(name, prop)

    def _replaced(self, name: str, prop: Property) -> Property:
        extra = self.build.extra
        return Property(lambda _: extra[name], prop.visibility) if name in extra else prop

    def result(self) -> str | None:
        """Null until it is decided; a step may decide early."""
        build = self.build
        return build.result if build.finished() or build.post_production else build.early_result

    def building(self) -> bool:
        """False already in post-production."""
        return not self.build.finished() and not self.build.post_production

    def duration(self) -> int:
        """Milliseconds; 0 while it runs."""
        build = self.build
        if not build.finished() or build.ends_at is None:
            return 0
        return milliseconds(build.ends_at) - milliseconds(build.started_at)

    def change_sets(self) -> list[Bean]:
        """The commits that are new in it, by checkout: those of shared libraries first."""
        every = [*self.build.other_changes, self.build.changes]
        return [self.change_set(changes) for changes in every if changes]

    def change_set(self, changes: Sequence[Change]) -> Bean:
        """Commits that are new in it."""
        items = [
            Record(
                "hudson.plugins.git.GitChangeSet",
                {
                    "affectedPaths": ["src/orders.py"],
                    "commitId": change.commit,
                    "timestamp": milliseconds(self.build.started_at),
                    "author": _user(change, self.view.root_url),
                    "authorEmail": change.email or f"{_login(change)}@example.com",
                    "comment": change.message + "\n",
                    "id": change.commit,
                    "msg": change.message.partition("\n")[0],
                },
                visibility=999,
            )
            for change in changes
        ]
        kind = "git" if self.build.commit else None
        return Record("hudson.plugins.git.GitChangeSetList", {"items": items, "kind": kind}, visibility=999)


class QueueItemBean(Bean):
    """A build that waits, or has just left the queue."""

    def __init__(self, build: Build, view: View) -> None:
        self.build = build
        self.view = view
        self.class_name = f"hudson.model.Queue${'LeftItem' if build.started() else 'BuildableItem'}"

    @override
    def visible(self) -> Iterator[tuple[str, Property]]:
        yield from _QUEUE_ITEM.items()
        if self.build.started():
            yield "cancelled", Property(lambda _: False)
            yield "executable", Property(lambda b: BuildBean(b.build, b.view))


def item_bean(item: Item, view: View) -> Bean:
    """The bean for a folder or a job."""
    return FolderBean(item, view) if isinstance(item, Folder) else JobBean(cast("Job", item), view)


def _artifacts(bean: Any) -> list[Bean]:
    paths = bean.build.artifacts
    return [
        Record(None, {"displayPath": p, "fileName": p.rpartition("/")[2], "relativePath": p}, visibility=3)
        for p in paths
    ]


def _login(change: Change) -> str:
    login = change.login or change.author.partition(" ")[0].lower()
    return login.encode(errors="replace").decode()  # it stands in a URL


def _user(change: Change, root_url: str) -> Bean:
    """Without `tree=` a user is shown without the id."""
    login = _login(change)
    shown = {"absoluteUrl": f"{root_url}user/{quote(login)}", "fullName": change.author}
    return Record(None, {**shown, "id": login}, visibility=999)


def _culprits(bean: Any) -> list[Bean]:
    by_name = {change.author: change for change in bean.build.changes}
    return [_user(change, bean.view.root_url) for change in by_name.values()]


def _estimate(job: Job) -> int:
    """`estimatedDuration`: the mean of the last builds that passed, in milliseconds; -1 when there are none."""
    passed = (b for b in job.newest_first() if b.finished() and b.result in ("SUCCESS", "UNSTABLE"))
    known = [milliseconds(b.ends_at) - milliseconds(b.started_at) for b in islice(passed, 3) if b.ends_at]
    return sum(known) // len(known) if known else -1


def _passed(build: Build) -> bool:
    return build.finished() and build.result in ("SUCCESS", "UNSTABLE")


_ROOT: Mapping[str, Property] = {
    "mode": Property(lambda _: "NORMAL"),
    "nodeDescription": Property(lambda _: "the Jenkins controller's built-in node"),
    "nodeName": Property(lambda _: ""),
    "numExecutors": Property(lambda _: 2),
    "description": Property(lambda _: None),
    "jobs": Property(lambda b: b.jobs()),
    "quietingDown": Property(lambda _: False),
    "url": Property(lambda b: b.view.root_url),
    "useCrumbs": Property(lambda _: True),
    "useSecurity": Property(lambda _: True),
}
_NAMES: Mapping[str, Property] = {
    "description": Property(lambda b: b.item.description),
    "displayName": Property(lambda b: b.item.display_name),
    "fullDisplayName": Property(lambda b: b.item.full_display_name),
    "fullName": Property(lambda b: b.item.full_name),
    "name": Property(lambda b: b.item.name, 3),
    "url": Property(lambda b: b.view.url(b.item), 3),
}
_FOLDER: Mapping[str, Property] = {**_NAMES, "jobs": Property(lambda b: b.jobs())}
_JOB: Mapping[str, Property] = {
    **_NAMES,
    "buildable": Property(lambda b: b.job.buildable),
    "builds": Property(lambda b: b.listed("builds", NEWEST)),
    "allBuilds": Property(lambda b: b.listed("allBuilds", None), -2),
    "color": Property(lambda b: b.color(), 2),
    "firstBuild": Property(lambda b: BuildBean([*b.job.newest_first()][-1], b.view) if b.job.builds else None),
    "inQueue": Property(lambda b: bool(b.job.queued())),
    "keepDependencies": Property(lambda _: False),
    "lastBuild": Property(lambda b: b.first(lambda _: True)),
    "lastCompletedBuild": Property(lambda b: b.first(Build.finished)),
    "lastFailedBuild": Property(lambda b: b.first(lambda x: x.finished() and x.result == "FAILURE")),
    "lastStableBuild": Property(lambda b: b.first(lambda x: x.finished() and x.result == "SUCCESS")),
    "lastSuccessfulBuild": Property(lambda b: b.first(_passed)),
    "lastUnstableBuild": Property(lambda b: b.first(lambda x: x.finished() and x.result == "UNSTABLE")),
    "lastUnsuccessfulBuild": Property(lambda b: b.first(lambda x: x.finished() and x.result != "SUCCESS")),
    "nextBuildNumber": Property(lambda b: b.job.following_number()),
    "queueItem": Property(lambda b: next((QueueItemBean(x, b.view) for x in b.job.queued()), None)),
    "concurrentBuild": Property(lambda _: True),
    "disabled": Property(lambda b: not b.job.buildable),
}
_BUILD: Mapping[str, Property] = {
    "actions": Property(lambda b: actions_of(b.build)),
    "artifacts": Property(_artifacts),
    "building": Property(lambda b: b.building()),
    "description": Property(lambda b: b.build.description),
    "displayName": Property(lambda b: b.build.display_name or f"#{b.build.number}"),
    "duration": Property(lambda b: b.duration()),
    "estimatedDuration": Property(lambda b: _estimate(b.build.job)),
    "executor": Property(lambda _: None),
    "fullDisplayName": Property(
        lambda b: f"{b.build.job.full_display_name} {b.build.display_name or f'#{b.build.number}'}"
    ),
    "id": Property(lambda b: str(b.build.number)),
    "inProgress": Property(lambda b: not b.build.finished()),
    "keepLog": Property(lambda _: False),
    "number": Property(lambda b: b.build.number, 2),
    "queueId": Property(lambda b: b.build.queue_id),
    "result": Property(lambda b: b.result()),
    "timestamp": Property(lambda b: milliseconds(b.build.started_at)),
    "url": Property(lambda b: b.view.build_url(b.build), 2),
    "culprits": Property(_culprits),
}
_WORKFLOW: Mapping[str, Property] = {"changeSets": Property(lambda b: b.change_sets())}
_CLASSIC: Mapping[str, Property] = {
    "builtOn": Property(lambda b: b.build.built_on),
    "changeSet": Property(
        lambda b: b.change_set([c for each in [*b.build.other_changes, b.build.changes] for c in each])
    ),
}
_MATRIX_RUNS: Mapping[str, Property] = {"runs": Property(lambda b: [_MatrixRun(run, b.view) for run in b.build.runs])}


_MULTIJOB_PARTS: Mapping[str, Property] = {
    "subBuilds": Property(lambda b: [_part(part, b.build, b.view) for part in b.build.parts])
}


def _part(build: Build, parent: Build, view: View) -> Bean:
    """A job that a multijob ran; its URL starts below the server's."""
    url = view.build_url(build).removeprefix(view.root_url)
    values = {
        "abort": False,
        "build": BuildBean(build, view),
        "buildNumber": build.number,
        "duration": "24 sec",
        "icon": f"{_COLOR.get(build.result or '', 'grey')}.gif",
        "jobAlias": "",
        "jobName": build.job.name,
        "multiJobBuild": build.job.class_name == MULTIJOB,
        "parentBuildNumber": parent.number,
        "parentJobName": parent.job.name,
        "phaseName": "Tests",
        "result": BuildBean(build, view).result(),
        "retry": False,
        "url": url,
    }
    return Record(None, values, visibility=999)


class _MatrixRun(BuildBean):
    """A run in `runs[]`: its class is plain from the type, so none is written."""

    def __init__(self, build: Build, view: View) -> None:
        super().__init__(build, view)
        self.class_name = None


_QUEUE_ITEM: Mapping[str, Property] = {
    "actions": Property(lambda b: [Record("hudson.model.CauseAction", {"causes": records(b.build.causes)})]),
    "blocked": Property(lambda _: False),
    "buildable": Property(lambda b: not b.build.started()),
    "id": Property(lambda b: b.build.queue_id),
    "inQueueSince": Property(lambda b: milliseconds(b.build.queued_at)),
    "params": Property(lambda _: ""),
    "stuck": Property(lambda _: False),
    "task": Property(lambda b: JobBean(b.build.job, b.view)),
    "url": Property(lambda b: f"queue/item/{b.build.queue_id}/"),
    "why": Property(lambda b: None if b.build.started() else "Waiting for next available executor"),
}
