"""Answers with JSON, and that what a caller has already is not sent again."""

from collections.abc import Callable, Coroutine
from hashlib import blake2b
from typing import Any
from urllib.parse import urlencode

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.responses import StreamingResponse
from typing_extensions import override

JSON = "application/json"
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "What `If-None-Match` names is still true."}}
REVALIDATE = "private, no-cache"  # may be kept, and has to be asked for again: builds change at any moment


def told(value: Any, *, following: str | None = None) -> Response:
    """The value as JSON; `following` is the address of the next page."""
    headers = {} if following is None else {"Link": f'<{following}>; rel="next"'}
    return Response(orjson.dumps(value), media_type=JSON, headers=headers)


def following_page(request: Request, cursor: str | None) -> str | None:
    """The address of the page behind a cursor: the one that was asked for, with that cursor."""
    if cursor is None:
        return None
    others = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return f"{request.url.path}?{urlencode([*others, ('cursor', cursor)])}"


class Revalidated(APIRoute):
    """A route whose answers to GET have an ETag over their content, and whose repeats are a 304.

    The tag is weak: what is on the way may compress the body.
    """

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            response = await handle(request)
            if request.method != "GET" or response.status_code != 200 or isinstance(response, StreamingResponse):  # noqa: PLR2004
                return response
            tag = f'W/"{blake2b(bytes(response.body), digest_size=12).hexdigest()}"'
            if names(request.headers.getlist("if-none-match"), tag):
                kept = {name: value for name, value in response.headers.items() if name in {"link", "vary"}}
                response = Response(status_code=304, headers=kept)
            response.headers["ETag"] = tag
            response.headers["Cache-Control"] = REVALIDATE
            return response

        return answer


def names(headers: list[str], tag: str) -> bool:
    """Whether If-None-Match has this tag. Strong and weak are the same here: RFC 9110, 13.1.2."""
    given = [each.strip().removeprefix("W/") for header in headers for each in header.split(",")]
    return "*" in given or tag.removeprefix("W/") in given
