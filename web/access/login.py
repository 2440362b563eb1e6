"""Logging in and out, for people."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from web.access.origins import client_of, is_https
from web.access.recognition import Recognition
from web.access.scopes import Anybody, Reader
from web.access.sessions import COOKIE, LASTING
from web.plain_pages import login_page
from web.problems import ProblemError, answers
from web.site import Site

LONGEST = 1_000  # characters

Text = Annotated[str, Form(max_length=LONGEST)]


def router_of(site: Site, recognition: Recognition) -> APIRouter:
    """The form, and what it does."""
    router = APIRouter(tags=["access"])

    @router.get("/login", response_class=HTMLResponse)
    def show_form(
        request: Request, caller: Anybody, after: Annotated[str, Query(alias="next", max_length=LONGEST)] = "/"
    ) -> Response:
        """The form for people to log in."""
        if caller is not None:
            return RedirectResponse(local(after), 303)
        return login_page(request, after=local(after))

    @router.post("/login", response_class=HTMLResponse, responses={303: {"description": "Logged in."}, **answers(429)})
    def log_in(
        request: Request,
        _: Anybody,
        name: Text,
        password: Text,
        after: Annotated[str, Form(alias="next", max_length=LONGEST)] = "/",
    ) -> Response:
        """Begin a session: a name and password, or the name of a token and the token."""
        settings = site.settings()
        try:
            who = recognition.log_in(name, password, settings, client_of(request, settings))
        except ProblemError as error:
            page = login_page(request, after=local(after), name=name, complaint=error.detail, status=error.status_code)
            page.headers.update(error.headers or {})
            return page
        if who is None:
            complaint = "This name and this password do not belong together."
            return login_page(request, after=local(after), name=name, complaint=complaint, status=401)
        answer = RedirectResponse(local(after), 303, headers={"Cache-Control": "no-store"})
        answer.set_cookie(
            COOKIE,
            recognition.sessions.begin(who),
            max_age=int(LASTING.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=is_https(request, settings),
        )
        return answer

    @router.post("/logout", status_code=303, responses=answers(401, 403, 503))
    def log_out(request: Request, caller: Reader) -> Response:
        """End the session."""
        cookie = request.cookies.get(COOKIE)
        if cookie and caller.csrf is not None:
            recognition.sessions.end(cookie)
        answer = RedirectResponse("/", 303, headers={"Clear-Site-Data": '"cache"'})
        answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return answer

    return router


def local(path: str) -> str:
    """The path when it leads to a page of ours, else the front page."""
    parts = urlsplit(path.replace("\\", "/")) if path.isprintable() else urlsplit("//elsewhere")
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return path if is_ours else "/"
