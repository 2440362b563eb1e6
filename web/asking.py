"""What callers may ask with: parameters, each with its bounds, and the words of a time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator

from domain.build import Outcome, Status, Verdict
from domain.duration import parse_duration
from domain.window import Window
from metrics.windows import rolling
from store import pipelines
from store.browsing import Place, Wanted
from store.engine import Session
from store.pipelines import Known
from web.problems import Fault, ProblemError

MOST: Final = 1000
"""Items of one page."""

LARGEST_ID: Final = 2**31 - 1
LARGEST_BUILD: Final = 2**53
LONGEST: Final = 500  # characters
LONGEST_SPAN: Final = timedelta(days=3660)
MOST_LABELS: Final = 10

_CURSOR = re.compile(r"^(r|[0-9]{1,19})-([0-9]{1,16})$")
_LABEL = "label."


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character")
    return text


Text = Annotated[str, AfterValidator(_storable)]
Limit = Annotated[int, Query(ge=1, le=MOST, description="At most so many.")]
Span = Annotated[str, Query(max_length=20, description="A span up to now, like 24h or 7d.")]
Offset = Annotated[int, Query(ge=0, le=10_000, description="So many are left out first. Further back: `cursor`.")]
Days = Annotated[int, Query(ge=1, le=365, description="So many days back.")]
Cursor = Annotated[str | None, Query(max_length=40, description="`next` of the page before.", pattern=_CURSOR.pattern)]
NumberCursor = Annotated[
    str | None, Query(max_length=12, pattern="^[0-9]{1,10}$", description="`next` of the page before.")
]
PipelineId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="`id` of a pipeline.")]
BuildId = Annotated[int, Path(ge=1, le=LARGEST_BUILD, description="`id` of a build.")]
AlertId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="`id` of an alert.")]
SilenceId = Annotated[int, Path(ge=1, le=LARGEST_ID, description="`id` of a silence.")]
PathText = Annotated[Text, Path(max_length=LONGEST)]
Glob = Annotated[
    Text | None, Query(max_length=LONGEST, description="Full name or name of pipelines; `*` stands for anything.")
]
Name = Annotated[Text | None, Query(max_length=LONGEST)]
Since = Annotated[
    str | None,
    Query(max_length=40, description="The first moment: `2026-11-20T10:00:00Z`, `2026-11-20`, or a span like `7d`."),
]
Until = Annotated[str | None, Query(max_length=40, description="The moment after the last one, in the same words.")]


def bad(name: str, problem: str, *, where: str = "query") -> ProblemError:
    """A parameter cannot be used."""
    return ProblemError(422, f"{where}.{name}: {problem}", [Fault(f"{where}.{name}", problem)])


def not_found(what: str) -> ProblemError:
    """There is no such thing."""
    return ProblemError(404, f"{what} is not known here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What builds are asked for, as it stands in the address."""

    provider: str | None = None
    pipeline: str | None = None
    pipeline_id: int | None = None
    branch: str | None = None
    status: Sequence[Status] = ()
    outcome: Sequence[Outcome] = ()
    verdict: Sequence[Verdict] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    bucket: str | None = None
    q: str | None = None
    since: str | None = None
    until: str | None = None

    def wanted(self, session: Session, now: datetime) -> Wanted:
        """What the store is asked for. Raises ProblemError for times that nobody understands."""
        since, until = span(self.since, self.until, now)
        return Wanted(
            pipelines=self._pipelines(session),
            branch=self.branch,
            statuses=frozenset(self.status),
            outcomes=frozenset(self.outcome),
            verdicts=frozenset(self.verdict),
            labels=self.labels,
            bucket=self.bucket,
            text=self.q or None,
            since=since,
            until=until,
        )

    def _pipelines(self, session: Session) -> list[int] | None:
        if self.pipeline is None and self.provider is None:
            return None if self.pipeline_id is None else [self.pipeline_id]
        return [
            each.id
            for each in pipelines.all(session, self.provider)
            if (self.pipeline is None or named_like(each, self.pipeline)) and self.pipeline_id in {None, each.id}
        ]


def filters(
    request: Request,
    *,
    provider: Annotated[Text | None, Query(max_length=LONGEST, description="Name of a connection.")] = None,
    pipeline: Glob = None,
    pipeline_id: Annotated[int | None, Query(ge=1, le=LARGEST_ID, description="`id` of a pipeline.")] = None,
    branch: Annotated[Text | None, Query(max_length=LONGEST, description="Its whole name.")] = None,
    status: Annotated[list[Status] | None, Query(max_length=10, description="May be given several times.")] = None,
    outcome: Annotated[list[Outcome] | None, Query(max_length=10, description="May be given several times.")] = None,
    verdict: Annotated[list[Verdict] | None, Query(max_length=10, description="May be given several times.")] = None,
    bucket: Annotated[
        Text | None, Query(max_length=LONGEST, description="What they failed of; empty: nobody knows.")
    ] = None,
    q: Annotated[
        Text | None,
        Query(max_length=LONGEST, description="Text in names, titles, people and causes; a commit, or a number."),
    ] = None,
    since: Since = None,
    until: Until = None,
) -> Filters:
    """A dependency: the filters of a list of builds. Labels are `label.NAME=VALUE`."""
    return Filters(
        provider=provider,
        pipeline=pipeline,
        pipeline_id=pipeline_id,
        branch=branch,
        status=status or (),
        outcome=outcome or (),
        verdict=verdict or (),
        labels=labels_in(request),
        bucket=bucket,
        q=q,
        since=since,
        until=until,
    )


Filtered = Annotated[Filters, Depends(filters)]
LABELS: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "label.NAME",
            "in": "query",
            "required": False,
            "schema": {"type": "string", "maxLength": LONGEST},
            "description": "Only builds whose label NAME has this value; may be given for several names.",
        }
    ]
}
"""What `openapi_extra` says of the labels: their names are the caller's."""


def labels_in(request: Request) -> dict[str, str]:
    """The labels in the address."""
    given = {
        name.removeprefix(_LABEL): value
        for name, value in request.query_params.multi_items()
        if name.startswith(_LABEL)
    }
    if len(given) > MOST_LABELS:
        raise bad("label", f"more than {MOST_LABELS} labels")
    for name, value in given.items():
        if not name or len(name) > LONGEST or len(value) > LONGEST or "\0" in name + value:
            raise bad(f"{_LABEL}{name[:40]}", f"a label has a name, at most {LONGEST} characters, and no NUL")
    return given


def span(since: str | None, until: str | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    """Both times. Raises ProblemError naming the field."""
    begin = None if since is None else moment(since, now, "since")
    end = None if until is None else moment(until, now, "until")
    if begin is not None and end is not None and end < begin:
        raise bad("until", "lies before `since`")
    return begin, end


def moment(text: str, now: datetime, name: str) -> datetime:
    """A time: ISO 8601 (UTC unless it says otherwise), or a span before now. Raises ProblemError naming the field."""
    try:
        return now - parse_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        # A plus in an address is a space.
        given = datetime.fromisoformat(text.strip().replace(" ", "+") if text.count(" ") == 1 and "T" in text else text)
        aware = given if given.tzinfo is not None else given.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad(name, "write a time like 2026-11-20T10:00:00Z, a date, or a span like 24h or 7d") from None


def window_named(text: str, now: datetime, name: str = "window") -> Window:
    """The rolling window of a word like `24h` or `7d`. Raises ProblemError naming the field."""
    try:
        lasting = parse_duration(text)
    except (ValueError, OverflowError):
        lasting = timedelta(0)
    if not timedelta(0) < lasting <= LONGEST_SPAN:
        raise bad(name, "write a span like 24h or 7d, at most ten years")
    return rolling(now, lasting)


def place_of(cursor: str | None) -> Place | None:
    """Where a page begins."""
    match = None if cursor is None else _CURSOR.fullmatch(cursor)
    if match is None:
        return None
    ended, identity = match.groups()
    return Place(None if ended == "r" else min(int(ended), 1 << 60), int(identity))


def cursor_of(place: Place | None) -> str | None:
    """What a caller gives back for the next page."""
    if place is None:
        return None
    return f"{'r' if place.finished_at is None else place.finished_at}-{place.id}"


def named_like(known: Known, pattern: str) -> bool:
    """Whether a pipeline is called so: its full name, its name, or a glob over these."""
    names = (known.pipeline.key, known.pipeline.name)
    return pattern in names or any(fnmatchcase(each, pattern) for each in names)


def pipeline_by_id(session: Session, identity: int) -> Known:
    """The pipeline with this number. Raises ProblemError."""
    found = pipelines.by_ids(session, [identity])
    if not found:
        raise not_found(f"pipeline {identity}")
    return found[0]


def pipelines_named(known: Sequence[Known], name: str) -> list[Known]:
    """Those that are called so: by full name, with or without their provider, before by name."""
    for words in (
        lambda each: f"{each.pipeline.provider}/{each.pipeline.key}",
        lambda each: each.pipeline.key,
        lambda each: each.pipeline.name,
    ):
        found = [each for each in known if words(each) == name]
        if found:
            return found
    return []


def pipeline_named(session: Session, name: str, field_name: str) -> Known:
    """The pipeline that is called so: full name before name. Raises ProblemError when there is none, or several."""
    found = pipelines_named(pipelines.all(session), name)
    if not found:
        raise not_found(f"pipeline {name!r}")
    if len(found) > 1:
        choices = ", ".join(f"{each.pipeline.provider}/{each.pipeline.key}" for each in found[:5])
        raise bad(field_name, f"{len(found)} pipelines are called so: {choices}")
    return found[0]
