"""How far a build came: the stages of a pipeline, the configurations of a matrix, the jobs of a multijob."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote

from domain.build import Outcome
from domain.details import Stage
from domain.text import clean, clean_url
from providers._jenkins.asking import Asker, place_in
from providers._jenkins.build import OUTCOMES

MOST_STAGES: Final = 200
_STEPS_ASKED: Final = 100  # of a failed stage
_STAGES_ASKED: Final = 3  # a stage around others fails with them, and has no step of its own
_NAMES_SHOWN: Final = 3
_REASON_LIMIT: Final = 300

_WORST_FIRST: Final = ("FAILURE", "ABORTED", "UNSTABLE")
_STOPPED: Final = frozenset({"ABORTED", "IN_PROGRESS", "PAUSED_PENDING_INPUT"})
_OUTCOMES: Final = {
    "SUCCESS": Outcome.SUCCESS,
    "FAILED": Outcome.FAILURE,
    "UNSTABLE": Outcome.UNSTABLE,
    "ABORTED": Outcome.CANCELLED,
    "SKIPPED": Outcome.SKIPPED,
}
# What Jenkins says when something else went wrong, and nothing about what.
_EMPTY_WORDS: Final = ("script returned exit code", "Build marked as a failure, final stage will fail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a pipeline that failed."""

    node: str  # its number in the build
    name: str
    reason: str | None = None
    runner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The stages of a build, and where it went wrong."""

    stages: tuple[Stage, ...] = ()
    failing: int | None = None  # the place of the failing one in `stages`
    nodes: tuple[tuple[int, str], ...] = ()  # of it and of others that failed: places, and numbers in the build
    reason: str | None = None
    runner: str | None = None

    @property
    def failing_stage(self) -> str | None:
        """The name of the failing one."""
        return None if self.failing is None else self.stages[self.failing].name


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A build that another build is made of: a configuration of a matrix, a job of a multijob."""

    name: str
    number: int
    place: str | None  # below the server's URL
    result: str | None
    runner: str | None = None
    duration: timedelta | None = None
    phase: str | None = None
    is_job: bool = False  # which may be made of parts itself


def read_course(ask: Asker, *, cancelled: bool) -> Course:
    """The stages of a pipeline build. Raises Unread, and what an answer that is none of wfapi's makes fail."""
    raw = ask.json("wfapi/describe")
    listed = [each for each in raw.get("stages") or () if isinstance(each, dict)][:MOST_STAGES]
    words = [str(each.get("status")) for each in listed]
    at = _failing(words, cancelled=cancelled)
    course = Course(stages=tuple(_stage(each) for each in listed), failing=at)
    if at is None:
        return course
    alike = [place for place, word in enumerate(words) if word == words[at] and place >= at][:_STAGES_ASKED]
    nodes = tuple((place, node) for place in alike if (node := _node(listed[place])) is not None)
    return replace(course, nodes=nodes, reason=_reason(listed[at]), runner=_runner(listed[at]))


def _failing(words: Sequence[str], *, cancelled: bool) -> int | None:
    """The first that failed; what runs when the build is stopped is where it was stopped."""
    ranked = [{"FAILED"}, _STOPPED, {"UNSTABLE"}] if cancelled else [{"FAILED"}, {"UNSTABLE"}, _STOPPED]
    for wanted in ranked:
        for place, word in enumerate(words):
            if word in wanted:
                return place
    return None


def failed_step(ask: Asker, node: str) -> Step | None:
    """The first step of a stage that failed, as far as Jenkins tells. Raises as `read_course`."""
    raw = ask.json(f"execution/node/{node}/wfapi/describe")
    steps = [each for each in raw.get("stageFlowNodes") or () if isinstance(each, dict)][:_STEPS_ASKED]
    for words in ({"FAILED"}, {"UNSTABLE"}, _STOPPED):
        for each in steps:
            own = _node(each)
            if each.get("status") in words and own is not None:
                name = clean(str(each.get("name") or ""), 100)
                said = each.get("parameterDescription")
                if isinstance(said, str) and said.strip():
                    name = f"{name}: {clean(said.strip().splitlines()[0], 100)}" if name else clean(said, 100)
                return Step(node=own, name=name, reason=_reason(each), runner=_runner(each))
    return None


def with_step(course: Course, place: int, step: Step) -> Course:
    """The course, with the step that failed in the stage at this place."""
    stages = list(course.stages)
    stages[place] = replace(stages[place], step=step.name or None)
    reason, runner = course.reason or step.reason, course.runner or step.runner
    return replace(course, stages=tuple(stages), reason=reason, runner=runner)


def _stage(raw: dict[str, Any]) -> Stage:
    lasted = raw.get("durationMillis")
    return Stage(
        name=clean(str(raw.get("name") or "")),
        outcome=_OUTCOMES.get(str(raw.get("status"))),
        duration=timedelta(milliseconds=lasted) if type(lasted) is int and 0 <= lasted < 1 << 40 else None,
    )


def _node(raw: dict[str, Any]) -> str | None:
    node = str(raw.get("id"))
    return node if node.isascii() and node.isdigit() else None


def _runner(raw: dict[str, Any]) -> str | None:
    name = raw.get("execNode")
    return clean(name) if isinstance(name, str) and name else None


def _reason(raw: dict[str, Any]) -> str | None:
    """The message of the error that ended it, unless it says no more than that it ended."""
    error = raw.get("error")
    message = error.get("message") if isinstance(error, dict) else None
    if not isinstance(message, str) or not message.strip() or message.strip().startswith(_EMPTY_WORDS):
        return None
    return clean(message.strip().splitlines()[0], _REASON_LIMIT)


def parts_of(raw: dict[str, Any], number: int) -> tuple[Part, ...]:
    """What a matrix (`runs`) or multijob (`subBuilds`) build is made of.

    A matrix lists the newest run of every configuration, so those with another number are of older builds.
    """
    runs = [_run(each) for each in raw.get("runs") or () if isinstance(each, dict) and each.get("number") == number]
    return (*runs, *_jobs(raw))


def _run(raw: dict[str, Any]) -> Part:
    place = place_in(raw.get("url"))
    return Part(
        name=clean(unquote(place.split("/")[-3])) if place else "?",
        number=raw["number"],
        place=place,
        result=raw.get("result"),
        runner=clean(raw["builtOn"]) if raw.get("builtOn") else None,
        duration=timedelta(milliseconds=raw["duration"]) if raw.get("duration") else None,
    )


def _jobs(raw: dict[str, Any]) -> Iterable[Part]:
    """A job that was tried again counts as its last try."""
    last: dict[tuple[str, str], Part] = {}
    for each in raw.get("subBuilds") or ():
        number = each.get("buildNumber") if isinstance(each, dict) else None
        if type(number) is int and number > 0:
            name, phase = str(each.get("jobAlias") or each.get("jobName") or "?"), str(each.get("phaseName") or "")
            place = place_in(each.get("url"))
            last[phase, name] = Part(
                name=clean(name),
                number=number,
                place=place,
                result=each.get("result"),
                phase=clean(phase) or None,
                is_job=True,
            )
    return last.values()


def course_of(parts: Sequence[Part], url: str) -> Course:
    """The parts as stages; `url` is the server's. What failed is told of up to three."""
    stages = tuple(
        Stage(
            name=f"{part.phase}: {part.name}" if part.phase else part.name,
            outcome=OUTCOMES.get(part.result or ""),
            duration=part.duration,
            url=clean_url(url + part.place) if part.place else None,
        )
        for part in parts[:MOST_STAGES]
    )
    failed = next(iter(failed_of(parts[:MOST_STAGES])), None)
    if failed is None:
        return Course(stages=stages)
    return Course(stages=stages, failing=list(parts).index(failed), runner=failed.runner)


def failed_of(parts: Sequence[Part]) -> list[Part]:
    """Those that ended worst, and so made the whole end badly: not the unstable ones where others failed."""
    bad = [part for part in parts if part.result not in {"SUCCESS", "NOT_BUILT", None}]
    worst = min((_rank(part) for part in bad), default=0)
    return [part for part in bad if _rank(part) == worst]


def _rank(part: Part) -> int:
    return _WORST_FIRST.index(part.result) if part.result in _WORST_FIRST else 0


def names_of(parts: Sequence[Part]) -> str | None:
    """The failed ones in words: `os=mac, os=win and 2 more`."""
    failed = [part.name for part in failed_of(parts)]
    shown = ", ".join(failed[:_NAMES_SHOWN])
    more = len(failed) - _NAMES_SHOWN
    return (f"{shown} and {more} more" if more > 0 else shown) or None
