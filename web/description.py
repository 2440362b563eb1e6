"""The OpenAPI document: what FastAPI knows of the routes, and what all of them have in common."""

import threading
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts

from web.access.scopes import scope_of
from web.problems import MEDIA_TYPE, REFERENCE, FieldProblem, Problem
from web.settings import Scope

DESCRIPTION = """
Builds of Jenkins, GitHub Actions and everything that is pushed here: read, measured, fed and followed.

Errors are `application/problem+json` and name the fields that cannot be used. Times are UTC, ISO 8601 with `Z`.
Lists have a cursor: `next` in the body, or the header `Link` where the body is an array. What can be asked with GET can
be asked with HEAD, and answers that can be revalidated have an `ETag`. A WebSocket pushes at `/ws` and `/ws/metrics`.
Each operation names the scope that it needs: `read`, `ingest` or `admin`, each of which includes the ones before it.
"""
TAGS = {
    "builds": "Builds, runs, executions: the same thing under the names of several clients.",
    "metrics": "Rates, durations and any other figure, over windows.",
    "analysis": "Trends, baselines, outliers.",
    "ingest": "Builds that are pushed. They are stored and judged like those that are polled.",
    "webhooks": "What GitHub and Jenkins send by themselves.",
    "alerts": "What fires, and what people do about it.",
    "feeds": "Prometheus, CCTray, badges, Atom.",
    "export": "CSV and JSON, as a stream.",
    "dashboard": "Pages for people.",
    "service": "Whether it works.",
    "access": "Logging in and out.",
}
PAGES = frozenset({"dashboard", "access"})
"""Tags of what people look at: what goes wrong there is told on a page."""

_WORDS = {
    "401": "Unauthorized",
    "403": "Forbidden",
    "404": "There is no such thing",
    "409": "It cannot be done now",
    "415": "Not sent as JSON",
}


def describe(app: FastAPI) -> None:
    """Have the application describe itself so, in `app.openapi()`."""
    making = threading.Lock()

    def openapi() -> dict[str, Any]:
        with making:
            if app.openapi_schema is None:
                app.openapi_schema = _document(app)
            return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION.strip(),
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for model in (FieldProblem, Problem):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of `web.auth.tokens`."},
        "session": {"type": "apiKey", "in": "cookie", "name": "buildwatch_session", "description": "People log in."},
    }
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                _complete(operation, scope_of(route.dependant))
    return document


def _complete(operation: dict[str, Any], scope: Scope | None) -> None:
    responses = operation["responses"]
    statuses = {"422"} if "422" in responses else set()
    if "application/json" in operation.get("requestBody", {}).get("content", {}):
        statuses |= {"415"}
    if PAGES.intersection(operation.get("tags", ())):
        statuses |= {"404", "409"}
    if scope is not None:
        operation["security"] = [{"token": []}, {"session": []}]
        operation["description"] = f"{operation.get('description', '')}\n\nNeeds the scope `{scope}`.".strip()
        statuses |= {"401", "403"}
    for status in sorted(statuses):
        if status == "422" or status not in responses:
            responses[status] = _problem(_WORDS.get(status, "Cannot be used"))
    responses.setdefault("default", _problem("Any other error"))
    for status, response in responses.items():
        if status.startswith("3"):
            response.pop("content", None)  # all that these say is in the headers
        elif not status.startswith("2") and PAGES.intersection(operation.get("tags", ())):
            response["content"].setdefault("text/html", {"schema": {"type": "string"}})


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE}}}}
