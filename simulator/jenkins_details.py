"""What the simulated Jenkins fills in when a script does not say it: causes, stages, consoles."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of a pipeline build in wfapi's words: SUCCESS, FAILED, UNSTABLE, ABORTED, NOT_EXECUTED, IN_PROGRESS."""

    name: str
    status: str = "SUCCESS"
    error: str | None = None
    step: str = "Shell Script"  # the one that ends it
    script: str | None = None  # what that step was told to do
    log: str | None = None  # what it wrote; None: nothing
    runner: str = ""  # Jenkins tells it of the step that allocates an agent alone
    lasts: float | None = None  # seconds; None: all stages are equally long


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A commit in a build's change log."""

    commit: str
    author: str
    message: str
    login: str | None = None
    email: str | None = None


INTERRUPTIONS: Mapping[str, dict[str, object]] = {
    "timeout": {
        "_class": "org.jenkinsci.plugins.workflow.steps.TimeoutStepExecution$ExceededTimeout",
        "shortDescription": "Timeout has been exceeded",
    },
    "user": {
        "_class": "jenkins.model.CauseOfInterruption$UserInterruption",
        "shortDescription": "Aborted by Ada Moreau",
        "user": {"absoluteUrl": "http://localhost:8080/user/ada", "fullName": "Ada Moreau"},
    },
    "superseded": {
        "_class": "org.jenkinsci.plugins.workflow.job.properties.DisableConcurrentBuildsJobProperty$CancelledCause",
        "shortDescription": "Superseded by a newer build",
    },
}


def cause(trigger: str, *, branch: str | None = None, upstream: str = "upstream") -> dict[str, object]:
    """Why a build began. trigger: user, timer, upstream, scm (a branch event where there is a branch)."""
    match trigger:
        case "user":
            return {"_class": "hudson.model.Cause$UserIdCause", "shortDescription": "Started by user Ada Moreau",
                    "userId": "ada", "userName": "Ada Moreau"}  # fmt: skip
        case "timer":
            timer = "hudson.triggers.TimerTrigger$TimerTriggerCause"
            return {"_class": timer, "shortDescription": "Started by timer"}
        case "upstream":
            text = f'Started by upstream project "{upstream}" build number 1'
            return {"_class": "hudson.model.Cause$UpstreamCause", "upstreamProject": upstream, "upstreamBuild": 1,
                    "upstreamUrl": "job/upstream/", "shortDescription": text}  # fmt: skip
    if branch is not None:
        return {"_class": "jenkins.branch.BranchEventCause", "shortDescription": f"Push event to branch {branch}"}
    return {"_class": "hudson.triggers.SCMTrigger$SCMTriggerCause", "shortDescription": "Started by an SCM change"}


def default_stages(result: str | None, failing: str | None = None) -> list[Stage]:
    """Checkout, Build, Test, Deploy, ended as the result says; a failure breaks in `failing` (default Test)."""
    names = ["Checkout", "Build", "Test", "Deploy"]
    word = {"FAILURE": "FAILED", "UNSTABLE": "UNSTABLE", "ABORTED": "ABORTED"}.get(result or "")
    if word is None:
        return [Stage(name=name) for name in names]
    failing = failing or "Test"
    if failing not in names:
        names.append(failing)
    at = names.index(failing)
    error = "script returned exit code 1" if word == "FAILED" else None
    done = [Stage(name=name) for name in names[:at]]
    return [
        *done,
        Stage(name=failing, status=word, error=error),
        *([Stage(name="Deploy")] if word == "UNSTABLE" else []),
    ]


def default_log(result: str | None, job: str, commit: str | None, branch: str | None, *, timed_out: bool) -> bytes:
    """A console as a build with this result prints it, a hidden console note included."""
    note = "\x1b[8mha:////4AAAAXx+LCAAAAAAAAP9b85aBtbiIQTGjNKU4P08vOT+vOD8nVc83PyU1x6OyILUoJzMv2y+/JJUBAhiZGA==\x1b[0m"
    lines = [f"{note}Started by an SCM change", f"Building in workspace /var/jenkins/workspace/{job}"]
    if commit:
        lines.append(f"Checking out Revision {commit} ({branch})")
    lines += ["+ make build", "\x1b[32mcompiled 214 files\x1b[0m in 18.4 s", "+ make test"]
    if result == "FAILURE":
        lines += ["FAIL: test_totals_match (orders.OrderTest)", "AssertionError: expected 42, got 41",
                  "make: *** [Makefile:12: test] Error 1", "ERROR: script returned exit code 1"]  # fmt: skip
    elif result == "ABORTED":
        lines += ["Cancelling nested steps due to timeout" if timed_out else "Aborted by Ada Moreau"]
    lines.append(f"Finished: {result}")
    return ("\n".join(lines) + "\n").encode()
