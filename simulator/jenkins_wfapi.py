"""`wfapi` of the simulated Jenkins: the stages of a pipeline build, their steps, and what these wrote.

Stages are numbered 6, 11, 16 in the flow; the step that ends a stage has the number after the next.
"""

from datetime import datetime
from html import escape
from itertools import accumulate

from simulator.jenkins_details import Stage
from simulator.jenkins_world import Build
from simulator.moments import milliseconds

LONGEST_LOG = 10 * 1024  # bytes of a step's log in one answer

_EXCEPTION = "hudson.AbortException"


def describe(build: Build, path: str, now: datetime) -> dict[str, object]:
    """`wfapi/describe`. `path` is where it was asked for."""
    start = milliseconds(build.started_at)
    total = _length(build, now)
    below = path.removesuffix("/wfapi/describe")
    starts = accumulate((_lasts(build, stage, total) for stage in build.stages), initial=start)
    return {
        "_links": {"self": {"href": path}},
        "id": str(build.number),
        "name": build.display_name or f"#{build.number}",
        "status": _word(build),
        "startTimeMillis": start,
        "endTimeMillis": start + total,
        "durationMillis": total,
        "queueDurationMillis": milliseconds(build.started_at) - milliseconds(build.queued_at),
        "pauseDurationMillis": 0,
        "stages": [
            _node(below, _stage_node(index), stage.name, stage, start=at, lasts=_lasts(build, stage, total))
            for index, (stage, at) in enumerate(zip(build.stages, starts, strict=False))
        ],
    }


def describe_node(build: Build, node: str, path: str, now: datetime) -> dict[str, object] | None:
    """`execution/node/ID/wfapi/describe` of a stage or of a step; None when there is no such node."""
    below, start = path.partition("/execution/")[0], milliseconds(build.started_at)
    for index, stage in enumerate(build.stages):
        lasts = _lasts(build, stage, _length(build, now))
        step = _step(below, index, stage, start, lasts)
        if node == _stage_node(index):
            shown = {**_node(below, node, stage.name, stage, start=start, lasts=lasts), "stageFlowNodes": [step]}
            return shown if stage.status != "NOT_EXECUTED" else {**shown, "stageFlowNodes": []}
        if node == _step_node(index):
            return step
    return None


def node_log(build: Build, node: str, path: str) -> dict[str, object] | None:
    """`execution/node/ID/wfapi/log`: the end of it, as HTML; None when there is no such node."""
    for index, stage in enumerate(build.stages):
        if node in (_stage_node(index), _step_node(index)):
            written = (stage.log or "").encode() if node == _step_node(index) else b""
            shown = written[-LONGEST_LOG:].decode("utf-8", "replace")
            console = path.replace("/wfapi/log", "/log")
            answer = {"nodeId": node, "nodeStatus": stage.status, "length": len(shown), "consoleUrl": console}
            text = {"text": escape(shown, quote=False)} if shown else {}
            return {**answer, "hasMore": len(written) > LONGEST_LOG, **text}
    return None


def _stage_node(index: int) -> str:
    return str(6 + index * 5)


def _step_node(index: int) -> str:
    return str(8 + index * 5)


def _length(build: Build, now: datetime) -> int:
    ends = build.ends_at if build.finished() and build.ends_at else now
    return milliseconds(ends) - milliseconds(build.started_at)


def _lasts(build: Build, stage: Stage, total: int) -> int:
    return int(stage.lasts * 1000) if stage.lasts is not None else total // max(len(build.stages), 1)


def _word(build: Build) -> str:
    if not build.finished():
        return "IN_PROGRESS"
    return {"FAILURE": "FAILED", "NOT_BUILT": "NOT_EXECUTED"}.get(build.result or "", build.result or "NOT_EXECUTED")


def _node(below: str, node: str, name: str, stage: Stage, *, start: int, lasts: int) -> dict[str, object]:
    error = {"error": {"message": stage.error, "type": _EXCEPTION}} if stage.error else {}
    return {
        "_links": {"self": {"href": f"{below}/execution/node/{node}/wfapi/describe"}},
        "id": node,
        "name": name,
        "execNode": "",
        "status": stage.status,
        **error,
        "startTimeMillis": start,
        "durationMillis": lasts,
        "pauseDurationMillis": 0,
    }


def _step(below: str, index: int, stage: Stage, start: int, lasts: int) -> dict[str, object]:
    node = _step_node(index)
    shown = _node(below, node, stage.step, stage, start=start, lasts=lasts)
    links = {"self": {"href": f"{below}/execution/node/{node}/wfapi/describe"}}
    if stage.log:
        links |= {name: {"href": f"{below}/execution/node/{node}/{path}"} for name, path in _LOG_LINKS}
    told = {"parameterDescription": stage.script} if stage.script else {}
    return {**shown, "_links": links, **told, "execNode": stage.runner, "parentNodes": [str(7 + index * 5)]}


_LOG_LINKS = (("log", "wfapi/log"), ("console", "log"))
