"""Answers compared with the types that the OpenAPI document is made of."""

from typing import Any

from fastapi.testclient import TestClient
from httpx import Response
from jsonschema import Draft202012Validator

_DOCUMENT: dict[str, Any] = {}  # making it takes a second, and all applications have the same


def _document(client: TestClient) -> dict[str, Any]:
    if not _DOCUMENT:
        _DOCUMENT.update(client.get("/openapi.json").json())
    return _DOCUMENT


def checked(client: TestClient, path: str, *, status: int = 200, method: str = "GET", **how: Any) -> Response:
    """The answer to a request, after it was compared with the document: keys, types, media type, no other keys."""
    response = client.request(method, path, **how)
    assert response.status_code == status, response.text
    document = _document(client)
    operation = _operation(document, response.request.url.path, method.lower())
    described = operation["responses"].get(str(status)) or operation["responses"]["default"]
    media_type = response.headers.get("content-type", "").split(";")[0]
    if status == 304:
        assert not response.content
        return response
    assert media_type in described["content"], (media_type, described)
    if media_type.endswith("json"):
        schema = {**described["content"][media_type]["schema"], "components": document["components"]}
        Draft202012Validator(schema).validate(response.json())
    return response


def _operation(document: dict[str, Any], path: str, method: str) -> dict[str, Any]:
    """The most literal path that fits."""
    fitting = [
        template for template in document["paths"] if method in document["paths"][template] and _fits(template, path)
    ]
    template = min(fitting, key=lambda each: each.count("{"))
    operation: dict[str, Any] = document["paths"][template][method]
    return operation


def _fits(template: str, path: str) -> bool:
    parts, given = template.split("/"), path.split("/")
    return len(parts) == len(given) and all(
        part == value or part.startswith("{") for part, value in zip(parts, given, strict=True)
    )
