"""Whatever goes wrong below becomes an answer: a problem body, or a page for a browser."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from store.errors import StoreError
from web.access.gate import away, dress
from web.access.scopes import SAFE
from web.plain_pages import answer, is_browser
from web.problems import Fault
from web.site import Site

log = logging.getLogger(__name__)

WORDS = {
    404: "there is nothing here under this address",
    405: "this address takes no such method",
}


def add_refusals(app: FastAPI, site: Site) -> None:
    """Have the application answer so."""

    async def refused(connection: HTTPConnection, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise TypeError(error)
        is_page = is_browser(connection) and connection.scope.get("method") in SAFE
        if error.status_code == HTTPStatus.UNAUTHORIZED and is_page and people_log_in(site):
            return RedirectResponse(f"/login?next={quote(_asked(connection), safe='')}", 303)
        detail = str(error.detail)
        if detail == _phrase(error):
            detail = WORDS.get(error.status_code, detail)
        faults: Sequence[Fault] = getattr(error, "faults", ())
        return answer(connection, error.status_code, detail, faults, error.headers)

    async def not_usable(connection: HTTPConnection, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise TypeError(error)
        if _is_not_json(connection, error):
            said = "send JSON, with `Content-Type: application/json`"
            return answer(connection, 415, said, [Fault("header.content-type", said)])
        faults = [fault(each) for each in error.errors()]
        few = ", ".join(dict.fromkeys(each.field for each in faults[:5]))
        return answer(connection, 422, f"cannot be used: {few}", faults)

    async def store_away(connection: HTTPConnection, error: Exception) -> Response:
        log.warning("not answered, the store is not available path=%s error=%s", connection.scope["path"], error)
        return away()

    async def broken(connection: HTTPConnection, error: Exception) -> Response:
        del error  # the server logs it
        response = answer(connection, 500, "something is wrong with buildwatch itself: its log says what")
        dress(MutableHeaders(raw=response.raw_headers))
        return response

    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, not_usable)
    app.add_exception_handler(StoreError, store_away)
    app.add_exception_handler(Exception, broken)


def fault(error: Mapping[str, Any]) -> Fault:
    """What pydantic says, with the field as a client wrote it: `body.0.started_at`, `query.limit`."""
    place = ".".join(str(part) for part in error.get("loc", ()))
    text = str(error.get("msg", "cannot be used")).removeprefix("Value error, ")
    if error.get("type") == "json_invalid":
        place, text = "body", f"is not JSON: {error.get('ctx', {}).get('error', '')}"
    return Fault(place or "body", text)


def _is_not_json(connection: HTTPConnection, error: RequestValidationError) -> bool:
    """Whether a body was left unread because of its media type: curl says that all it sends are forms."""
    sent = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
    return isinstance(error.body, bytes) and sent != "application/json" and not sent.endswith("+json")


def people_log_in(site: Site) -> bool:
    """Whether there is anybody who can."""
    access = site.settings().access
    return access is not None and bool(access.known)


def _asked(connection: HTTPConnection) -> str:
    query = connection.scope.get("query_string", b"").decode("latin-1")
    return str(connection.scope["path"]) + (f"?{query}" if query else "")


def _phrase(error: HTTPException) -> str:
    return HTTPException(error.status_code).detail
