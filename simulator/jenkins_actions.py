"""What plug-ins of the simulated Jenkins attach to a build: causes, parameters, revisions, test totals."""

from collections.abc import Mapping, Sequence

from simulator.jenkins_kinds import MATRIX, MULTIJOB
from simulator.jenkins_tests import all_tests, totals
from simulator.jenkins_world import Build
from simulator.moments import milliseconds
from simulator.tree import Bean, Record


def actions_of(build: Build) -> list[Bean]:
    """Causes, parameters, revisions, interruptions, test totals; plug-ins without exports leave `{}`."""
    out: list[Bean] = [
        Record("hudson.model.CauseAction", {"causes": records(build.causes)}, visibility=2),
        Record(None, {}),
    ]
    if build.parameters:
        given = [_parameter(name, value) for name, value in build.parameters.items()]
        out.append(Record("hudson.model.ParametersAction", {"parameters": given}, visibility=2))
    if build.waited_for is not None:
        out.append(_waited(build, build.waited_for))
    out += [_revision(*revision) for revision in build.other_revisions]
    if build.commit is not None:
        out.append(_revision(build.job.remote, build.commit, build.branch or ""))
    if build.interruptions and build.finished():
        causes = records(build.interruptions)
        out.append(Record("jenkins.model.InterruptedBuildAction", {"causes": causes}, visibility=2))
    if build.finished() and (tests := all_tests(build)):
        values = {**totals(tests), "urlName": "testReport"}
        out.append(Record(_test_action(build.job.class_name), values, visibility=2))
    return [*out, Record(None, {}), Record("org.jenkinsci.plugins.displayurlapi.actions.RunDisplayAction", {})]


def records(values: Sequence[Mapping[str, object]]) -> list[Bean]:
    """Causes, each in its class."""
    return [Record(str(v["_class"]), {k: x for k, x in v.items() if k != "_class"}, visibility=3) for v in values]


def _parameter(name: str, value: object) -> Bean:
    """A password's value is not exported at all."""
    kind = "Boolean" if isinstance(value, bool) else "String"
    values: Mapping[str, object] = {"name": name} if value is ... else {"name": name, "value": value}
    return Record(f"hudson.model.{'Password' if value is ... else kind}ParameterValue", values, visibility=3)


def _waited(build: Build, what_for: str) -> Bean:
    """How long it was in the queue, as the metrics plug-in tells."""
    spent = milliseconds(build.started_at) - milliseconds(build.queued_at)
    values = {
        "blockedDurationMillis": spent if what_for == "blocked" else 0,
        "buildableDurationMillis": spent if what_for == "executor" else 0,
        "queuingDurationMillis": spent,
        "waitingDurationMillis": 0,
    }
    return Record("jenkins.metrics.impl.TimeInQueueAction", values, visibility=2)


def _revision(remote: str, commit: str, branch: str) -> Bean:
    names = [Record(None, {"SHA1": commit, "name": name}, visibility=999) for name in branch.split(",")]
    last = Record(None, {"SHA1": commit, "branch": names}, visibility=999)
    built = {"buildNumber": 1, "buildResult": None, "marked": last, "revision": last}
    by_branch = {branch: Record("hudson.plugins.git.util.Build", built, visibility=999)}
    values = {"buildsByBranchName": by_branch, "lastBuiltRevision": last, "remoteUrls": [remote], "scmName": ""}
    return Record("hudson.plugins.git.util.BuildData", values, visibility=999)


def _test_action(kind: str) -> str:
    aggregated = kind in (MATRIX, MULTIJOB)
    return f"hudson.tasks.{'test.AggregatedTestResultAction' if aggregated else 'junit.TestResultAction'}"
