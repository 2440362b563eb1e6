"""The bodies in which builds are pushed, one for each kind of client, and what they tell."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from domain.build import Status
from domain.text import EXCERPT_LIMIT, TITLE_LIMIT, clean, clean_url
from parsers.secrets import redacted
from web.api.seed_shapes import REPO, SOURCE
from web.intake.pushing import Telling
from web.words import moment, standing_of

REGRESSION = "regression"  # what the pipelines of /ingest/json are called
_LONGEST = timedelta(days=36)
_RUN_PAGE = re.compile(r"/actions/runs/(?P<run>[0-9]{1,20})(?:/attempts/(?P<attempt>[1-9][0-9]{0,3}))?(?:[/?#]|$)")
_MOST_LABELS = 30
_MOST_MEASUREMENTS = 100

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Word = Annotated[str, Field(max_length=1000)]
Text = Annotated[str, Field(max_length=100_000)]
Id = Annotated[str | int, Field(description="An id of its own: sending it again updates this very build.")]
Seconds = Annotated[float, Field(ge=0, le=_LONGEST.total_seconds(), allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Moment = Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]


def context_of(now: datetime, zone: tzinfo = UTC) -> Mapping[str, Any]:
    """What reading a body needs: the time, and the zone that times without an offset are in."""
    return {"now": now, "zone": zone}


_ANY_TIME = context_of(datetime(9000, 1, 1, tzinfo=UTC))  # read again by somebody who knows the time


class Body(BaseModel):
    """What all bodies share. Keys that nobody knows are left alone, as the systems did that these were made for."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    status: Annotated[str, Field(min_length=1, max_length=64)]
    started_at: Moment | None = Field(default=None, description="Default: computed from the others, else now.")
    branch: Word | None = None
    url: Annotated[str, Field(max_length=2000)] | None = Field(
        default=None, description="http or https, else left out."
    )
    run_id: Id | None = None
    attempt: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Of the run_id, or of the run of GitHub that the url shows."
    )
    title: Word | None = None
    labels: Annotated[dict[Name, Word], Field(max_length=_MOST_LABELS)] = Field(default_factory=dict)
    measurements: Annotated[dict[Name, Number], Field(max_length=_MOST_MEASUREMENTS)] = Field(
        default_factory=dict, description="Figures of this build, by name."
    )

    @field_validator("status")
    @classmethod
    def _known(cls, value: str) -> str:
        standing_of(value)
        return value

    @field_validator("started_at", "finished_at", "completed_at", "ended_at", check_fields=False)
    @classmethod
    def _a_time(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            _moment(value, info.context)
        return value


class RunEvent(Body):
    """One run, as `POST /api/events/run` takes it."""

    pipeline: Name = Field(examples=["web"])
    finished_at: Moment | None = Field(default=None, description="Default: from duration_sec, else now.")
    duration_sec: Seconds | None = None
    commit: Word | None = None
    triggered_by: Word | None = None
    reason: Word | None = Field(default=None, description="Why it failed, in a few words that other builds share.")
    subreason: Word | None = None
    logs: Text | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "pipeline": "web",
                "status": "success",
                "started_at": "2025-08-25T20:28:03Z",
                "finished_at": "2025-08-25T20:28:10Z",
                "duration_sec": 7,
                "branch": "main",
                "commit": "5184f9c0d2",
                "triggered_by": "octocat",
            }
        }
    )

    @model_validator(mode="after")
    def _in_order(self, info: ValidationInfo) -> "RunEvent":
        _ordered("finished_at", self.started_at, self.finished_at, info.context)
        return self

    def telling(self, context: Mapping[str, Any]) -> Telling:
        """What it tells."""
        return Telling(
            pipeline=clean(self.pipeline),
            finished_at=_moment(self.finished_at, context),
            duration=_span(self.duration_sec),
            commit=_text(self.commit),
            actor=_text(self.triggered_by),
            bucket=_text(self.reason),
            reason=_text(self.subreason, TITLE_LIMIT),
            log_excerpt=_log(self.logs),
            **_shared(self, context),
        )


class BuildEvent(Body):
    """One build, as `POST /ingest/github` and `POST /ingest/jenkins` take it."""

    pipeline: Name = Field(description="Name of the workflow or of the job.", examples=["build-and-test"])
    repo: Annotated[str, Field(max_length=255)] | None = None
    completed_at: Moment | None = Field(default=None, description="Default: from duration_seconds, else now.")
    duration_seconds: Seconds | None = None
    logs: Text | None = None
    commit: Word | None = None
    actor: Word | None = None
    run_number: Annotated[int, Field(ge=0, lt=2**31)] | None = Field(
        default=None, description="GitHub's number of a run, or Jenkins' of a build."
    )
    reason: Word | None = Field(default=None, description="Why it failed, in a few words that other builds share.")
    subreason: Word | None = None

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "pipeline": "build-and-test",
                "repo": "org/repository",
                "branch": "main",
                "status": "success",
                "started_at": "2025-08-24T10:30:00Z",
                "completed_at": "2025-08-24T10:35:30Z",
                "duration_seconds": 330,
                "url": "https://github.com/org/repo/actions/runs/12345",
                "logs": "Build completed successfully",
            }
        }
    )

    @model_validator(mode="after")
    def _in_order(self, info: ValidationInfo) -> "BuildEvent":
        _ordered("completed_at", self.started_at, self.completed_at, info.context)
        return self

    def telling(self, context: Mapping[str, Any], *, source: str) -> Telling:
        """What it tells, when no server that is polled knows it better. `source` is github or jenkins.

        The page of a run of GitHub says which run it is, and perhaps which attempt.
        """
        shared = _shared(self, context)
        page = _RUN_PAGE.search(shared["url"] or "")
        if page is not None and shared["external_id"] is None:
            shared["external_id"] = page["run"]
            shared["attempt"] = self.attempt or (int(page["attempt"]) if page["attempt"] else None)
        shared["labels"] = {SOURCE: source, **({REPO: clean(self.repo)} if self.repo else {}), **shared["labels"]}
        name = clean(self.pipeline)
        return Telling(
            pipeline=clean(f"{self.repo}/{name}", 1000) if self.repo else name,
            name=name,
            finished_at=_moment(self.completed_at, context),
            duration=_span(self.duration_seconds),
            commit=_text(self.commit),
            actor=_text(self.actor),
            bucket=_text(self.reason),
            reason=_text(self.subreason, TITLE_LIMIT),
            log_excerpt=_log(self.logs),
            **shared,
        )


class RegressionRun(Body):
    """One item of the array that `POST /ingest/json` takes. Times without an offset are those of the reporting zone."""

    request_id: Annotated[str | int, Field(description="Unique: a known one is updated.")]
    scheduler: Word | None = None
    cloud: Word | None = None
    ended_at: Moment | None = None
    reason: Word | None = Field(default=None, description="Failure bucket.")
    subreason: Word | None = None
    notes: Word | None = None
    pipeline: Name | None = Field(default=None, description="Default: `regression/` and the cloud.")

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "request_id": "1761291703",
                "scheduler": "BLR-NSP-SCHEDULER1",
                "cloud": "blr-cloud4",
                "started_at": "2025-10-24T10:05:01",
                "ended_at": "2025-10-24T11:20:13",
                "status": "FAILED",
                "reason": "Stack Creation Failed",
                "subreason": "Helm install failed",
                "notes": "optional notes",
            }
        }
    )

    @field_validator("request_id")
    @classmethod
    def _not_empty(cls, value: str | int) -> str | int:
        if not str(value).strip() or len(str(value)) > 255:  # noqa: PLR2004
            raise ValueError("must have 1 to 255 characters")
        return value

    @model_validator(mode="after")
    def _in_order(self, info: ValidationInfo) -> "RegressionRun":
        _ordered("ended_at", self.started_at, self.ended_at, info.context)
        return self

    def telling(self, context: Mapping[str, Any], log_url: str | None) -> Telling:
        """What it tells; `log_url` is where its log is, with `{id}` in it."""
        shared = _shared(self, context)
        identity = clean(str(self.request_id).strip())
        own = {name: clean(value) for name, value in (("cloud", self.cloud), ("scheduler", self.scheduler)) if value}
        shared["labels"] = {**own, **shared["labels"]}
        shared["external_id"] = identity
        shared["title"] = _text(self.notes, TITLE_LIMIT) or shared["title"]
        if shared["url"] is None and log_url is not None:
            shared["url"] = clean_url(log_url.replace("{id}", quote(identity, safe="")))
        where = f"{REGRESSION}/{clean(self.cloud)}" if self.cloud else REGRESSION
        return Telling(
            pipeline=clean(self.pipeline) if self.pipeline else where,
            within=None if self.pipeline else f"{REGRESSION}/",
            finished_at=_moment(self.ended_at, context),
            just_now=False,
            bucket=_text(self.reason),
            reason=_text(self.subreason, TITLE_LIMIT),
            **shared,
        )


def _shared(body: Body, context: Mapping[str, Any]) -> dict[str, Any]:
    status, outcome = standing_of(body.status)
    return {
        "status": status,
        "outcome": outcome,
        "word": clean(body.status.strip()) if status is Status.FINISHED else None,
        "external_id": clean(str(body.run_id)) if body.run_id not in {None, ""} else None,
        "attempt": body.attempt,
        "branch": _text(body.branch),
        "title": _text(body.title, TITLE_LIMIT),
        "started_at": _moment(body.started_at, context),
        "url": clean_url(body.url),
        "labels": {clean(name): clean(value) for name, value in body.labels.items() if value},
        "measurements": {clean(name): value for name, value in body.measurements.items()},
    }


def _moment(text: str | None, context: Mapping[str, Any] | None) -> datetime | None:
    if text is None or not text.strip():
        return None
    given = context or _ANY_TIME
    return moment(text, given["zone"], given["now"])


def _ordered(name: str, started: str | None, finished: str | None, context: Mapping[str, Any] | None) -> None:
    begin, end = _moment(started, context), _moment(finished, context)
    if begin is None or end is None:
        return
    if end < begin:
        raise ValueError(f"{name} lies before started_at")
    if end - begin > _LONGEST:
        raise ValueError(f"{name} lies more than {_LONGEST.days} days behind started_at")


def _text(text: str | None, limit: int = 255) -> str | None:
    return clean(text.strip(), limit) or None if text else None


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(milliseconds=round(seconds * 1000))


def _log(text: str | None) -> str | None:
    """The end of it, without what looks like a secret."""
    if not text or not text.strip():
        return None
    return clean(redacted(text)[-EXCERPT_LIMIT:], EXCERPT_LIMIT, lines=True)


def faults_of(error: ValidationError, place: str) -> list[tuple[str, str]]:
    """Each field that cannot be used, below a place like `body.3`, and what is wrong with it."""
    return [
        (
            ".".join([place, *(str(part) for part in each["loc"])]),
            each["msg"].removeprefix("Value error, "),
        )
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
