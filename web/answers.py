"""Answers with JSON, and that what a caller has already is not sent again."""

import re
from collections.abc import Callable, Collection, Coroutine
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.responses import StreamingResponse
from typing_extensions import override

from web.problems import Fault, ProblemError

JSON = "application/json"
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "What `If-None-Match` names is still true."}}
_NEVER: Final = re.compile(r";\s*q=0(?:\.0*)?\s*(?:;|$)")
REVALIDATE = "private, no-cache"  # may be kept, and has to be asked for again: builds change at any moment


def acceptable(*media_types: str) -> Any:
    """A dependency: who wants none of these media types gets a 406 that names the header."""

    async def wanted(request: Request) -> None:
        accepted = request.headers.getlist("accept")
        if accepted and not any(_takes(header, media_type) for header in accepted for media_type in media_types):
            said = f"this address answers with {' or '.join(media_types)}"
            raise ProblemError(406, said, [Fault("header.accept", said)])

    return Depends(wanted)


TELLS_JSON = acceptable(JSON)


def _takes(header: str, media_type: str) -> bool:
    """Whether an Accept header has room for a media type; one that nobody can read is no reason to refuse."""
    given = [each.strip() for each in header.lower().split(",") if each.strip()]
    fitting = {media_type, f"{media_type.partition('/')[0]}/*", "*/*"}
    return not given or any(each.partition(";")[0].strip() in fitting and not _NEVER.search(each) for each in given)


def told(value: Any, *, following: str | None = None) -> Response:
    """The value as JSON; `following` is the address of the next page."""
    headers = {} if following is None else {"Link": f'<{following}>; rel="next"'}
    return Response(orjson.dumps(value), media_type=JSON, headers=headers)


def following_page(request: Request, cursor: str | None, *, without: Collection[str] = ()) -> str | None:
    """The address of the page behind a cursor: the one that was asked for, with that cursor and without some."""
    if cursor is None:
        return None
    left_out = {"cursor", *without}
    others = [(name, value) for name, value in request.query_params.multi_items() if name not in left_out]
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
                kept = {
                    name: value
                    for name, value in response.headers.items()
                    if name in {"link", "vary", "cross-origin-resource-policy"}
                }
                response = Response(status_code=304, headers=kept)
            response.headers["ETag"] = tag
            response.headers["Cache-Control"] = REVALIDATE
            return response

        return answer


def names(headers: list[str], tag: str) -> bool:
    """Whether If-None-Match has this tag. Strong and weak are the same here: RFC 9110, 13.1.2."""
    given = [each.strip().removeprefix("W/") for header in headers for each in header.split(",")]
    return "*" in given or tag.removeprefix("W/") in given
