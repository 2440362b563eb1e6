"""From what Jenkins says about one build to a `Build`. Pure; the hot path of the first synchronization."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from domain.build import Build, Outcome, Pipeline, Status
from domain.testreport import TestReport
from domain.text import TITLE_LIMIT, clean
from providers._base import Unreadable
from providers._jenkins.names import branch_reported
from providers._jenkins.scm import Remotes, Revision
from providers._labels import BUILT_ON, PARAMETER, LabelSource, Told, labels_of

BUILD_FIELDS: Final = (
    "number,result,building,inProgress,timestamp,duration,displayName{more},actions[_class,"
    "causes[_class,shortDescription,userId,userName],lastBuiltRevision[SHA1,branch[name]],remoteUrls,"
    "failCount,skipCount,totalCount,urlName,queuingDurationMillis{more_actions}]"
)
_LABEL_FIELDS: Final = {BUILT_ON: ",builtOn", "description": ",description"}  # the others are read anyway
CONTROLLER: Final = "built-in"  # as Jenkins calls its own node, whose builds say ""
RAW_LIMIT: Final = 16 * 1024
_TOO_LARGE: Final = 2**31

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
OUTCOMES: Final = {
    "SUCCESS": Outcome.SUCCESS,
    "UNSTABLE": Outcome.UNSTABLE,
    "FAILURE": Outcome.FAILURE,
    "ABORTED": Outcome.CANCELLED,
    "NOT_BUILT": Outcome.SKIPPED,
    "NOT_BUILD": Outcome.SKIPPED,  # so spelled in answers that passed through other collectors
}
NOT_A_BUILD: Final = (AttributeError, KeyError, OverflowError, TypeError, ValueError)


def moment(milliseconds: int) -> datetime:
    """Jenkins counts in milliseconds since 1970. Raises OverflowError beyond the year 9999."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def fields_for(labels: Iterable[LabelSource]) -> str:
    """The fields of a build that a `tree=` has to name, given what labels are read off builds."""
    wanted = {source.kind for source in labels}
    more = "".join(field for kind, field in _LABEL_FIELDS.items() if kind in wanted)
    return BUILD_FIELDS.format(more=more, more_actions=",parameters[name,value]" if PARAMETER in wanted else "")


@dataclass(slots=True)
class Facts:
    """What the actions of a build, a list of anything that plugins attach, have to say."""

    trigger: str | None = None
    actor: str | None = None
    interruption: str | None = None
    timed_out: bool = False
    revisions: list[Revision] | None = None
    parameters: dict[str, Any] | None = None
    tests: TestReport | None = None
    queued_for: int | None = None


class BuildReader:
    """Reads the builds of one job.

    Args:
        pipeline: What the builds belong to; for a branch job its multibranch project.
        url: Of the job, on the configured server, with a slash at the end.
        branch: Of a branch job, decoded; None for a plain job, whose builds say it themselves.
        is_pull_request: Whether the branch job is one of a pull request.
        labels: What to read off each build.
        job_labels: The labels that follow from the job's name.
        remotes: What is known about the repositories that pipelines share.
    """

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        url: str | None,
        branch: str | None,
        is_pull_request: bool,
        labels: Sequence[LabelSource],
        job_labels: Mapping[str, str],
        remotes: Remotes,
    ) -> None:
        self.pipeline = pipeline
        self._url = url
        self._branch = branch
        self._is_pull_request = is_pull_request
        self._labels = labels
        self._job_labels = job_labels
        self._remotes = remotes
        self._prefix = f"{branch}#" if branch is not None else ""

    def external_id(self, number: int, timestamp: int) -> str:
        """Unique for ever: a number that is used again comes with another timestamp."""
        return f"{self._prefix}{number}@{timestamp}"

    def read_all(self, raws: Iterable[Any], generation: int) -> tuple[list[Build], list[Unreadable]]:
        """Each build for itself: one that cannot be understood never takes the others with it."""
        builds: list[Build] = []
        unreadable: list[Unreadable] = []
        for raw in raws:
            try:
                builds.append(self.read(raw, generation))
            except NOT_A_BUILD as problem:
                unreadable.append(self._quarantined(raw, problem))
        return builds, unreadable

    def read(self, raw: Mapping[str, Any], generation: int) -> Build:
        """One build. Raises ValueError, TypeError, KeyError, AttributeError or OverflowError when it is none."""
        number, timestamp = raw["number"], raw["timestamp"]
        if type(number) is not int or type(timestamp) is not int or not 0 <= number < _TOO_LARGE or timestamp < 0:
            raise ValueError(f"{number!r} is not a build number, or {timestamp!r} not a time")
        created = moment(timestamp)
        result: Any = raw.get("result")
        # A result may stand long before the end (junit step), and `building` ends before the log does.
        finished = result is not None and not raw.get("building") and not raw.get("inProgress")
        facts = facts_of(raw.get("actions") or ())
        outcome, reason = _outcome(result, facts) if finished else (None, None)
        branch, commit = self._branch, None
        if facts.revisions is not None:
            revision = self._remotes.choose(facts.revisions, self.pipeline.key)
            commit = revision.commit
            if branch is None:
                branch = revision.branch
        title = raw.get("displayName")
        return Build(
            pipeline=self.pipeline,
            external_id=f"{self._prefix}{number}@{timestamp}",
            number=number,
            generation=generation,
            status=Status.FINISHED if finished else Status.RUNNING,
            outcome=outcome,
            raw_outcome=clean(result) if finished else None,
            branch=branch,
            commit=commit,
            title=None if title is None or title == f"#{number}" else clean(title, TITLE_LIMIT) or None,
            trigger=facts.trigger,
            actor=facts.actor,
            is_pull_request=self._is_pull_request,
            queued_at=None if facts.queued_for is None else created - timedelta(milliseconds=facts.queued_for),
            started_at=created,
            finished_at=created + timedelta(milliseconds=_duration(raw)) if finished else None,
            url=f"{self._url}{number}/" if self._url else None,
            reason=reason,
            labels=self._labels_of(raw, facts, branch) if self._labels else self._job_labels,
            tests=facts.tests if finished else None,
        )

    def vanished(self, number: int, timestamp: int, generation: int, now: datetime) -> Build:
        """A build that was running when last seen and has been deleted since: nobody will ever know how it ended."""
        return Build(
            pipeline=self.pipeline,
            external_id=self.external_id(number, timestamp),
            number=number,
            generation=generation,
            status=Status.FINISHED,
            outcome=Outcome.UNKNOWN,
            raw_outcome="DELETED",
            branch=self._branch,
            is_pull_request=self._is_pull_request,
            started_at=moment(timestamp),
            finished_at=max(now, moment(timestamp)),
            url=f"{self._url}{number}/" if self._url else None,
            reason="deleted on Jenkins while it was running",
            labels=self._job_labels,
        )

    def _labels_of(self, raw: Mapping[str, Any], facts: Facts, branch: str | None) -> Mapping[str, str]:
        told = Told(
            built_on=_text(CONTROLLER if raw.get("builtOn") == "" else raw.get("builtOn")),
            description=_text(raw.get("description")),
            title=_text(raw.get("displayName")),
            branch=branch,
            trigger=facts.trigger,
            actor=facts.actor,
            parameters=facts.parameters or {},
        )
        return {**self._job_labels, **labels_of(self._labels, told)}

    def _quarantined(self, raw: Any, problem: Exception) -> Unreadable:
        number = raw.get("number") if isinstance(raw, dict) else None
        timestamp = raw.get("timestamp") if isinstance(raw, dict) else None
        try:
            shown = orjson.dumps(raw).decode()
        except (TypeError, ValueError):  # a lone surrogate, a number of a thousand digits
            shown = ascii(raw)
        return Unreadable(
            pipeline=self.pipeline.key,
            external_id=clean(f"{self._prefix}{number}@{timestamp}"),
            problem=clean(f"{type(problem).__name__}: {problem}"),
            raw=clean(shown, RAW_LIMIT, lines=True),
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _duration(raw: Mapping[str, Any]) -> int:
    return max(raw.get("duration") or 0, 0)


def _outcome(result: str, facts: Facts) -> tuple[Outcome, str | None]:
    outcome = OUTCOMES.get(result, Outcome.UNKNOWN)
    if outcome is not Outcome.CANCELLED:
        return outcome, None
    return (Outcome.TIMEOUT, "timeout") if facts.timed_out else (outcome, facts.interruption)


def facts_of(actions: Iterable[Mapping[str, Any]]) -> Facts:
    """What they say. Raises AttributeError, KeyError or TypeError when they are not what Jenkins writes."""
    facts = Facts()
    for action in actions:
        if not action:
            continue
        if "causes" in action:
            _note_causes(facts, action)
        elif "lastBuiltRevision" in action:
            _note_revision(facts, action)
        elif "parameters" in action:
            _note_parameters(facts, action["parameters"])
        elif action.get("urlName") == "testReport" and "totalCount" in action and facts.tests is None:
            failed, skipped = action.get("failCount") or 0, action.get("skipCount") or 0
            passed = max((action["totalCount"] or 0) - failed - skipped, 0)
            facts.tests = TestReport(passed=passed, failed=failed, skipped=skipped)
        elif "queuingDurationMillis" in action:  # the metrics plugin
            facts.queued_for = max(action["queuingDurationMillis"] or 0, 0)
    return facts


def _note_causes(facts: Facts, action: Mapping[str, Any]) -> None:
    """Why it was started, or why it was stopped: both are called causes."""
    stopped = "Interrupted" in (action.get("_class") or "")
    for cause in action["causes"] or ():
        if not cause:
            continue
        kind = cause.get("_class") or ""
        if stopped or "Interrupt" in kind or "imeout" in kind:
            text = clean(cause.get("shortDescription") or "")
            facts.timed_out = facts.timed_out or _means_timeout(kind, text)
            facts.interruption = facts.interruption or text or None
        elif facts.trigger is None:
            facts.trigger = clean(_short_name(kind) or _guessed(cause))
            actor = cause.get("userName") or cause.get("userId")
            facts.actor = clean(actor) if actor else None


def _means_timeout(kind: str, text: str) -> bool:
    """By the cause's class; plugins that have none of their own say it in words. A user's name proves nothing."""
    if "UserInterruption" in kind:
        return False
    return "timeout" in kind.lower() or "timed out" in text.lower() or "timeout" in text.lower()


def _short_name(java_class: str) -> str:
    return java_class.rpartition(".")[2].rpartition("$")[2]


def _guessed(cause: Mapping[str, Any]) -> str:
    """Before Jenkins 2 a cause did not name its class."""
    if "userId" in cause or "userName" in cause:
        return "UserIdCause"
    return cause.get("shortDescription") or "unknown"


def _note_revision(facts: Facts, action: Mapping[str, Any]) -> None:
    revision = action["lastBuiltRevision"]
    if not revision or not revision.get("SHA1"):
        return
    branch = None
    for reported in revision.get("branch") or ():
        branch = branch_reported(reported.get("name") or "")
        if branch is not None:
            break
    facts.revisions = facts.revisions or []
    remotes = tuple(action.get("remoteUrls") or ())
    facts.revisions.append(Revision(clean(revision["SHA1"]), clean(branch) if branch else None, remotes))


def _note_parameters(facts: Facts, parameters: Iterable[Mapping[str, Any]] | None) -> None:
    for parameter in parameters or ():
        if parameter and "name" in parameter:
            facts.parameters = facts.parameters or {}
            facts.parameters.setdefault(parameter["name"], parameter.get("value"))  # a password has no value
