"""How every pipeline stands, for what reads cc.xml: CCTray, CCMenu, Nevergreen, build lamps."""

from collections.abc import Iterable
from datetime import UTC
from typing import NamedTuple

from domain.build import Outcome, Verdict
from store.pipelines import Known
from store.standings import Standing
from web.feeds.markup import element

_BROKEN = frozenset({Outcome.ERROR, Outcome.TIMEOUT})


class Project(NamedTuple):
    """A pipeline in the words of CCTray."""

    name: str
    known: Known
    last: Standing | None
    builds: bool  # something of it runs now


def cctray(projects: Iterable[Project], base: str) -> str:
    """The document; `base` is our address with a slash at its end."""
    body = element("Projects", "".join(_project(each, base) for each in projects))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _project(project: Project, base: str) -> str:
    last = project.last
    # Readers want a time in any case: of what was never built, since when it is known.
    ended = (None if last is None else last.finished_at) or project.known.watched_since
    return element(
        "Project",
        name=project.name,
        activity="Building" if project.builds else "Sleeping",
        lastBuildStatus=_status(last),
        lastBuildLabel=None if last is None else str(last.number),
        lastBuildTime=ended.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        webUrl=project.known.pipeline.url or f"{base}pipelines/{project.known.id}",
    )


def _status(last: Standing | None) -> str:
    if last is None:
        return "Unknown"
    if last.verdict is Verdict.PASSED:
        return "Success"
    return "Exception" if last.outcome in _BROKEN else "Failure"
