"""Alerts on pages, and what people do with them: forms that work without a script."""

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from domain.duration import parse_duration
from store.engine import Session
from web.access.login import local
from web.access.scopes import Admin, Caller, Reader
from web.dashboard import alerts as shown
from web.dashboard.showing import Pages
from web.problems import ProblemError, answers
from web.settings import Scope
from web.site import Silencing

FIXED = "fixed"
SHOWN = 40  # of those that fire, on a page
ENDED = 50
SILENCES = 50
LASTING = {"1h": "1 hour", "4h": "4 hours", "1d": "1 day", "7d": "1 week", FIXED: "until it is fixed"}
SOMEBODY = "the dashboard"

Field = Annotated[str, Form(max_length=500)]
Number = int
PageNumber = Annotated[int, Query(ge=1, le=10**6)]


def add(router: APIRouter, pages: Pages) -> None:
    """The page and its forms."""

    @router.get("/alerts", summary="Alerts")
    def alerts(request: Request, caller: Reader, page: PageNumber = 1) -> Response:
        """What fires, what is silenced, what was wrong before."""
        return _page(pages, request, caller, page=page)

    @router.get("/alerts/{alert}", summary="An alert")
    def alert(request: Request, caller: Reader, alert: Number) -> Response:
        """What is wrong, since when, who was told, and what to do with it."""
        now = pages.site.now()
        found = pages.read(lambda session: shown.one(session, _fits(alert), now))
        if found is None:
            raise ProblemError(404, f"there is no alert {alert}: it never was, or it is older than what is kept")
        return pages.show(request, caller, "alert.html", each=found, lasting=LASTING, may_act=caller.may(Scope.ADMIN))

    _add_acknowledging(router, pages)
    _add_silencing(router, pages)


def _add_acknowledging(router: APIRouter, pages: Pages) -> None:
    site = pages.site
    refused = answers(401, 403)

    @router.post("/alerts/{alert}/acknowledge", status_code=303, responses=refused)
    def acknowledge(
        request: Request, caller: Admin, alert: Number, *, reason: Field = "", by: Field = "", back: Field = "/alerts"
    ) -> Response:
        """Somebody knows: no reminders and no escalations."""
        return _done(
            pages, request, caller, back, lambda: site.acknowledge(_fits(alert), _who(caller, by), reason or None)
        )

    @router.post("/alerts/{alert}/unacknowledge", status_code=303, responses=refused)
    def unacknowledge(request: Request, caller: Admin, alert: Number, back: Field = "/alerts") -> Response:
        """Take that back."""
        return _done(pages, request, caller, back, lambda: site.unacknowledge(_fits(alert)))


def _add_silencing(router: APIRouter, pages: Pages) -> None:
    site = pages.site
    refused = answers(401, 403)

    @router.post("/alerts/{alert}/silence", status_code=303, responses=refused)
    def silence_alert(
        request: Request,
        caller: Admin,
        alert: Number,
        *,
        lasting: Field = "4h",
        reason: Field = "",
        by: Field = "",
        back: Field = "/alerts",
    ) -> Response:
        """Keep quiet about what an alert is about."""
        return _done(
            pages,
            request,
            caller,
            back,
            lambda: site.silence(
                Silencing(
                    reason=reason,
                    by=_who(caller, by),
                    alert=_fits(alert),
                    lasting=_ends(lasting),
                    until_fixed=lasting == FIXED,
                )
            ),
        )

    @router.post("/silences", status_code=303, responses=refused)
    def silence(
        request: Request,
        caller: Admin,
        *,
        pipeline: Field = "",
        branch: Field = "",
        lasting: Field = "4h",
        reason: Field = "",
        by: Field = "",
        back: Field = "/alerts",
    ) -> Response:
        """Keep quiet about a pipeline, or all that are called so."""
        return _done(
            pages,
            request,
            caller,
            back,
            lambda: site.silence(
                Silencing(
                    reason=reason,
                    by=_who(caller, by),
                    pipeline=pipeline.strip() or None,
                    branch=branch.strip() or None,
                    lasting=_ends(lasting),
                    until_fixed=lasting == FIXED,
                )
            ),
        )

    @router.post("/silences/{silence}/end", status_code=303, responses=refused)
    def unsilence(request: Request, caller: Admin, silence: Number, back: Field = "/alerts") -> Response:
        """It is over: what fires is told."""
        return _done(pages, request, caller, back, lambda: site.unsilence(_fits(silence), _who(caller, "")))


def _page(
    pages: Pages, request: Request, caller: Caller, *, page: int = 1, status: int = 200, complaint: str | None = None
) -> Response:
    now, zone = pages.site.now(), pages.site.settings().zone

    def read(
        session: Session,
    ) -> tuple[list[shown.Shown], list[shown.Shown], list[shown.ShownSilence]]:
        return (
            shown.firing(session, pages.site.remembered, now),
            shown.ended(session, now, ENDED),
            shown.all_silences(session, now, zone, SILENCES),
        )

    firing, ended, silences = pages.read(read)
    most = max(-(-len(firing) // SHOWN), 1)
    page = min(page, most)
    return pages.show(
        request,
        caller,
        "alerts.html",
        status=status,
        fires=len(firing),
        firing=firing[(page - 1) * SHOWN :][:SHOWN],
        page=page,
        pages=most,
        ended=ended,
        silences=silences,
        complaint=complaint,
        lasting=LASTING,
        may_act=caller.may(Scope.ADMIN),
    )


def _done(pages: Pages, request: Request, caller: Caller, back: str, act: Callable[[], object]) -> Response:
    """Do it and go back to where it was asked for; what cannot be done is said in words."""
    try:
        act()
    except ValueError as error:
        return _page(pages, request, caller, status=409, complaint=str(error))
    return RedirectResponse(local(back), 303)


def _who(caller: Caller, by: str) -> str:
    """The person that is known counts, not what a form says."""
    return caller.name or by.strip() or SOMEBODY


def _ends(lasting: str) -> timedelta | None:
    """How long; None: until it is fixed."""
    if lasting == FIXED:
        return None
    try:
        return parse_duration(lasting)
    except (ValueError, OverflowError):
        raise ValueError(f"{lasting} is not a time: choose one of the list") from None


def _fits(number: int) -> int:
    """Numbers of rows are small: a larger one is of none."""
    if not 0 < number < 1 << 31:
        raise ProblemError(404, "there is no such thing")
    return number
