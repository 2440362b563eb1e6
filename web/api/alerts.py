"""What fires, and what people do about it: acknowledge, silence."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from domain.alert import AlertKind, AlertState, Severity
from domain.duration import parse_duration
from domain.globs import matches
from web.access.scopes import Admin, Caller
from web.answers import NOT_MODIFIED, Revalidated, following_page, told
from web.asking import (
    LONGEST,
    LONGEST_SPAN,
    MOST_LABELS,
    AlertId,
    Glob,
    Limit,
    Name,
    NumberCursor,
    SilenceId,
    Text,
    bad,
)
from web.problems import Fault, ProblemError, answers
from web.reading import alerts
from web.reading.alerts import AlertPage, AlertShape, SilencePage, SilenceShape
from web.site import Silencing, Site

T = TypeVar("T")

_MOST_BUILDS = 2**53
_BY = "Who; default: who is calling. A person who has logged in is that person, and a token is named behind it."


def _usable(pattern: str) -> str:
    try:
        matches(pattern, "")
    except re.error as error:
        raise ValueError(f"is not a pattern: {error}") from error
    return pattern


Pattern = Annotated[Text, Field(min_length=1, max_length=LONGEST), AfterValidator(_usable)]


class Acknowledging(BaseModel):
    """Somebody knows, and looks after it."""

    model_config = ConfigDict(extra="forbid")

    reason: Text | None = Field(default=None, max_length=LONGEST, description="Shown in the messages.")
    by: Text | None = Field(default=None, max_length=LONGEST, description=_BY)


class NewSilence(BaseModel):
    """Something is to be kept quiet, until the first of the ends that are given."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    reason: Text = Field(min_length=1, max_length=LONGEST, description="Why: those who wonder will read it.")
    by: Text | None = Field(default=None, max_length=LONGEST, description=_BY)
    alert: int | None = Field(default=None, ge=1, le=2**31 - 1, description="What this alert is about ...")
    pipeline: Pattern | None = Field(default=None, description="... or what meets these: a pipeline, by name or glob,")
    branch: Pattern | None = Field(default=None, description="a branch, by name or glob,")
    provider: Text | None = Field(default=None, min_length=1, max_length=LONGEST, description="a connection,")
    labels: dict[Pattern, Pattern] = Field(
        default_factory=dict, max_length=MOST_LABELS, description="labels with their values or globs,"
    )
    kind: AlertKind | None = Field(default=None, description="a kind of alert.")
    lasting: Text | None = Field(
        default=None, alias="for", max_length=20, description="So long from now: 4h, 2d.", examples=["4h"]
    )
    until_fixed: bool = Field(default=False, description="Until nothing that it covers is broken.")
    until_new_bucket: bool = Field(default=False, description="Until something else is wrong.")
    until_build: int | None = Field(
        default=None, ge=1, le=_MOST_BUILDS, description="Until this build has passed or failed."
    )


def router_of(site: Site) -> APIRouter:
    """These routes; reading is allowed by the router that they are put into."""
    router = APIRouter(route_class=Revalidated)
    _add_alerts(router, site)
    _add_silences(router, site)
    return router


def _add_alerts(router: APIRouter, site: Site) -> None:
    @router.get("/api/alerts", tags=["alerts"], response_model=AlertPage, responses=NOT_MODIFIED)
    def list_alerts(
        request: Request,
        *,
        state: Annotated[list[AlertState] | None, Query(max_length=5, description="Default: those that fire.")] = None,
        kind: Annotated[list[AlertKind] | None, Query(max_length=20)] = None,
        severity: Annotated[list[Severity] | None, Query(max_length=5)] = None,
        provider: Name = None,
        pipeline: Glob = None,
        limit: Limit = 100,
        cursor: NumberCursor = None,
    ) -> Response:
        """Alerts, newest first, with every message about them."""
        found = site.database.read(
            lambda session: alerts.page(
                session,
                limit=limit,
                before=_number(cursor),
                states=state or [AlertState.FIRING],
                kinds=kind or (),
                severities=severity or (),
                provider=provider,
                pipeline=pipeline,
            )
        )
        return told(found, following=following_page(request, found["next"]))

    @router.get(
        "/api/alerts/{identity}",
        tags=["alerts"],
        response_model=AlertShape,
        responses={**NOT_MODIFIED, **answers(404)},
    )
    def one_alert(identity: AlertId) -> Response:
        """One alert, with every message about it."""
        return told(site.database.read(lambda session: alerts.one(session, identity)))

    @router.post("/api/alerts/{identity}/ack", tags=["alerts"], response_model=AlertShape, responses=answers(404, 409))
    def acknowledge(identity: AlertId, caller: Admin, body: Acknowledging | None = None) -> Response:
        """Somebody looks after an alert: no reminders, no escalation."""
        said = body or Acknowledging()
        return _done(identity, lambda: site.acknowledge(identity, _who(caller, said.by), said.reason))

    @router.delete(
        "/api/alerts/{identity}/ack", tags=["alerts"], response_model=AlertShape, responses=answers(404, 409)
    )
    def unacknowledge(identity: AlertId, _: Admin) -> Response:
        """Nobody looks after it any more."""
        return _done(identity, lambda: site.unacknowledge(identity))

    def _done(identity: int, act: Callable[[], None]) -> Response:
        site.database.read(lambda session: alerts.one(session, identity))
        _conflicts(act, "path.identity")
        return told(site.database.read(lambda session: alerts.one(session, identity)))


def _add_silences(router: APIRouter, site: Site) -> None:
    @router.get("/api/silences", tags=["alerts"], response_model=SilencePage, responses=NOT_MODIFIED)
    def list_silences(
        request: Request,
        *,
        all: Annotated[bool, Query(description="Also those that are over.")] = False,  # noqa: A002
        limit: Limit = 100,
        cursor: NumberCursor = None,
    ) -> Response:
        """Silences that hold, or all of them, newest first."""
        before = _number(cursor)
        found = site.database.read(lambda session: alerts.silence_page(session, all=all, limit=limit, before=before))
        return told(found, following=following_page(request, found["next"]))

    @router.post(
        "/api/silences",
        tags=["alerts"],
        status_code=201,
        response_model=SilenceShape,
        responses=answers(404, 409),
    )
    def silence(body: NewSilence, caller: Admin) -> Response:
        """Tell nobody about an alert, or about a pipeline. Nothing is lost: what fires at the end is told then."""
        wanted = _wanted(body, caller)
        if body.alert is not None:
            alert = body.alert
            site.database.read(lambda session: alerts.one(session, alert))
        identity = _conflicts(lambda: site.silence(wanted), "body")
        response = told(site.database.read(lambda session: alerts.one_silence(session, identity)))
        response.status_code = 201
        response.headers["Location"] = f"/api/silences/{identity}"
        return response

    @router.get(
        "/api/silences/{identity}",
        tags=["alerts"],
        response_model=SilenceShape,
        responses={**NOT_MODIFIED, **answers(404)},
    )
    def one_silence(identity: SilenceId) -> Response:
        """One silence, also one that is over."""
        return told(site.database.read(lambda session: alerts.one_silence(session, identity)))

    @router.delete(
        "/api/silences/{identity}", tags=["alerts"], response_model=SilenceShape, responses=answers(404, 409)
    )
    def unsilence(identity: SilenceId, caller: Admin) -> Response:
        """End a silence now: what still fires is told."""
        site.database.read(lambda session: alerts.one_silence(session, identity))
        _conflicts(lambda: site.unsilence(identity, _who(caller)), "path.identity")
        return told(site.database.read(lambda session: alerts.one_silence(session, identity)))


def _who(caller: Caller, by: str | None = None) -> str:
    """Who is recorded: nobody who is known goes by another name alone."""
    if not caller.name or not by:
        return caller.name or by or "the API"
    return caller.name if caller.is_person else f"{by} ({caller.name})"


def _number(cursor: str | None) -> int | None:
    return None if cursor is None else min(int(cursor), 2**31 - 1)


def _wanted(body: NewSilence, caller: Caller) -> Silencing:
    """What the site is asked for. Raises ProblemError naming the field."""
    conditions = (body.pipeline, body.branch, body.provider, body.labels, body.kind)
    if (body.alert is not None) is any(conditions):
        raise bad("alert", "give an alert, or a pipeline (or other conditions), and not both", where="body")
    if not (body.lasting or body.until_fixed or body.until_new_bucket or body.until_build):
        raise bad("for", "a silence needs an end: for, until_fixed, until_new_bucket or until_build", where="body")
    return Silencing(
        reason=body.reason,
        by=_who(caller, body.by),
        alert=body.alert,
        pipeline=body.pipeline,
        branch=body.branch,
        provider=body.provider,
        labels=body.labels,
        kind=body.kind,
        lasting=_lasting(body.lasting),
        until_fixed=body.until_fixed,
        until_new_bucket=body.until_new_bucket,
        until_build=body.until_build,
    )


def _lasting(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        found = parse_duration(text)
    except (ValueError, OverflowError):
        found = timedelta(0)
    if not timedelta(0) < found <= LONGEST_SPAN:
        raise bad("for", "write a span like 4h or 2d", where="body")
    return found


def _conflicts(act: Callable[[], T], field: str) -> T:
    """Do it; what cannot be done now is a conflict, in the words for people."""
    try:
        return act()
    except ValueError as error:
        raise ProblemError(409, str(error), [Fault(field, str(error))]) from error
