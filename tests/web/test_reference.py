"""The description of the API, for programs and for people."""

import re

from fastapi.testclient import TestClient


def test_every_operation_is_described_with_its_scope_and_its_errors(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["info"]["title"] == "buildwatch"
    public = {
        f"{method} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "security" not in operation
    }
    assert public == {"get /login", "post /login", "get /health", "get /api/health", "post /webhooks/github"}
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["tags"]
            assert "application/problem+json" in operation["responses"]["default"]["content"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_reference_leads_somewhere(client: TestClient) -> None:
    text = client.get("/openapi.json").text
    document = client.get("/openapi.json").json()
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert names <= document["components"]["schemas"].keys()


def test_people_read_it_without_a_script_and_from_here_alone(client: TestClient) -> None:
    answer = client.get("/docs", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', answer.text)
    assert "curl -X POST" in answer.text
    assert "/api/events/run" in answer.text
    document = client.get("/openapi.json").json()
    shown = answer.text.count("<details")
    assert shown == sum(len(methods) for methods in document["paths"].values())
    assert len(answer.content) < 600_000
    assert client.get("/assets/plain.css").status_code == 200
