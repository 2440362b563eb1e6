"""The description of the API: for programs at /openapi.json, for people at /docs, without a script."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.requests import Request

from web.access.scopes import Reader
from web.answers import Revalidated
from web.plain_pages import page
from web.site import Site

METHODS = ("get", "post", "put", "patch", "delete")
DEEPEST = 6  # levels of an example


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter, or a field of a body."""

    name: str
    place: str
    kind: str
    required: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that can be asked."""

    anchor: str
    method: str
    path: str
    title: str
    text: str
    parameters: tuple[Parameter, ...]
    body: str | None  # an example, as JSON
    answers: tuple[tuple[str, str, str | None], ...]  # status, what it means, an example
    curl: str


def router_of(site: Site, document: Callable[[], Mapping[str, Any]]) -> APIRouter:
    """The two addresses. `document` is asked for at the first request: making it takes a moment."""
    router = APIRouter(include_in_schema=False, route_class=Revalidated)

    @router.get("/openapi.json")
    def openapi(_: Reader) -> Response:
        """For programs."""
        return JSONResponse(document())

    @router.get("/docs", response_class=HTMLResponse)
    def docs(request: Request, _: Reader) -> Response:
        """For people."""
        found = document()
        base = (site.settings().url or str(request.base_url)).rstrip("/")
        groups = [(tag, operations) for tag in found["tags"] if (operations := _of(found, tag["name"], base))]
        return HTMLResponse(page(request, "docs.html", info=found["info"], groups=groups))

    return router


def _of(document: Mapping[str, Any], tag: str, base: str) -> list[Operation]:
    return [
        _operation(document, path, method, given, base)
        for path, methods in document["paths"].items()
        for method, given in methods.items()
        if method in METHODS and (given.get("tags") or ["service"])[0] == tag
    ]


def _operation(document: Mapping[str, Any], path: str, method: str, given: Mapping[str, Any], base: str) -> Operation:
    body = _schema_of(given.get("requestBody"))
    example = None if body is None else json.dumps(_example(document, body), indent=2, ensure_ascii=False)
    return Operation(
        anchor=str(given["operationId"]),
        method=method.upper(),
        path=path,
        title=str(given.get("summary", "")),
        text=str(given.get("description", "")),
        parameters=tuple(_parameters(document, given)),
        body=example,
        answers=tuple(_answers(document, given)),
        curl=_curl(method.upper(), base + path, example, needs_token="security" in given),
    )


def _parameters(document: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Parameter]:
    for each in given.get("parameters", ()):
        schema = each.get("schema", {})
        yield Parameter(
            name=each["name"],
            place=each["in"],
            kind=_kind(schema),
            required=each.get("required", False),
            text=each.get("description") or schema.get("description", ""),
        )
    body = _schema_of(given.get("requestBody"))
    schema = _resolved(document, body) if body is not None else {}
    for name, field in schema.get("properties", {}).items():
        yield Parameter(
            name=name,
            place="body",
            kind=_kind(field),
            required=name in schema.get("required", ()),
            text=field.get("description", ""),
        )


def _answers(document: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    for status, answer in given["responses"].items():
        schema = _schema_of(answer) if status.startswith("2") else None
        shown = None if not schema else json.dumps(_example(document, schema), indent=2, ensure_ascii=False)
        yield status, str(answer.get("description", "")), shown


def _schema_of(content: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if content is None:
        return None
    for media in content.get("content", {}).values():
        if media.get("schema"):
            found: Mapping[str, Any] = media["schema"]
            return found
    return None


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that a reference leads to; of alternatives the first that is not null."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _resolved(document, document["components"]["schemas"].get(name, {}))
    for key in ("anyOf", "oneOf", "allOf"):
        for each in schema.get(key, ()):
            if each.get("type") != "null":
                return _resolved(document, each)
    return schema


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    parts = [each for key in ("anyOf", "oneOf", "allOf") for each in schema.get(key, ())]
    if parts:
        return " or ".join(dict.fromkeys(map(_kind, parts)))
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    default = f", default {json.dumps(schema['default'])}" if schema.get("default") is not None else ""
    return str(schema.get("format") or schema.get("type", "anything")) + default


PLAIN = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None}
FORMATS = {"date-time": "2026-11-21T10:00:00Z", "date": "2026-11-21", "uri": "https://ci.example.com/"}


def _example(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 0) -> Any:
    found = _resolved(document, schema)
    given = schema.get("examples") or found.get("examples") or found.get("enum")
    if given or depth > DEEPEST:
        return given[0] if given else None
    if found.get("type") == "array":
        return [_example(document, found.get("items", {}), depth + 1)]
    if found.get("type") == "object" or "properties" in found:
        return {name: _example(document, each, depth + 1) for name, each in found.get("properties", {}).items()}
    return FORMATS.get(found.get("format", ""), PLAIN.get(str(found.get("type"))))


def _curl(method: str, url: str, body: str | None, *, needs_token: bool) -> str:
    """The request as a line for a shell."""
    parts = ["curl" if method == "GET" else f"curl -X {method}", f"'{url}'"]
    if needs_token:
        parts.append('-H "Authorization: Bearer $TOKEN"')
    if body is not None:
        compact = json.dumps(json.loads(body), ensure_ascii=False).replace("'", "'\\''")
        parts += ["-H 'Content-Type: application/json'", f"-d '{compact}'"]
    return " ".join(parts)
