"""The two pages that need neither a script nor the store: logging in, and what went wrong."""

from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader
from starlette.requests import HTTPConnection

from web.problems import title

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def wants_page(connection: HTTPConnection) -> bool:
    """Whether a browser asks for something to look at."""
    return connection.scope.get("method") in {"GET", "HEAD"} and is_browser(connection)


def is_browser(connection: HTTPConnection) -> bool:
    """Whether the caller would rather have a page than JSON."""
    accepted = connection.headers.get("accept", "")
    return accepted.startswith("text/html") or ("text/html" in accepted and "json" not in accepted)


def page(template: str, **values: Any) -> str:
    """One of the templates that stand alone."""
    return _PAGES.get_template(template).render(**values)


def login_page(*, after: str, name: str = "", complaint: str | None = None, status: int = 200) -> HTMLResponse:
    """The form; `after` is the local path to go to then."""
    text = page("login.html", after=after, name=name, complaint=complaint)
    return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})


def error_page(status: int, detail: str, *, headers: dict[str, str] | None = None) -> HTMLResponse:
    """What went wrong, in words."""
    text = page("error.html", status=status, title=title(status), detail=detail)
    return HTMLResponse(text, status, headers=headers)
