"""The two pages that need neither a script nor the store: logging in, and what went wrong."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader
from starlette.requests import HTTPConnection
from starlette.responses import Response

from domain.text import clean
from web.problems import LONGEST, MOST, Fault, problem, title

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def is_browser(connection: HTTPConnection) -> bool:
    """Whether the caller would rather have a page than JSON."""
    accepted = connection.headers.get("accept", "")
    return accepted.startswith("text/html") or ("text/html" in accepted and "json" not in accepted)


def page(connection: HTTPConnection, template: str, **values: Any) -> str:
    """One of the templates that stand alone, light or dark as this browser has it."""
    theme = connection.cookies.get("theme")
    return _PAGES.get_template(template).render(theme=theme if theme in {"dark", "light"} else "", **values)


def login_page(
    connection: HTTPConnection, *, after: str, name: str = "", complaint: str | None = None, status: int = 200
) -> HTMLResponse:
    """The form; `after` is the local path to go to then."""
    text = page(connection, "login.html", after=after, name=clean(name), complaint=complaint)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})


def answer(
    connection: HTTPConnection,
    status: int,
    detail: str,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """What went wrong: a page where a browser asks, else a problem body."""
    if is_browser(connection):
        told = [Fault(clean(each.field, LONGEST), clean(each.problem, LONGEST)) for each in faults[:MOST]]
        words = {"status": status, "title": title(status), "detail": clean(detail, LONGEST), "faults": told}
        return HTMLResponse(page(connection, "error.html", **words), status, headers=dict(headers or {}))
    return problem(status, detail, faults, headers)
