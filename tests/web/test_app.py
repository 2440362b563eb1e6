"""The application as a whole."""

from fastapi.testclient import TestClient


def test_the_api_describes_itself(client: TestClient) -> None:
    assert client.get("/openapi.json").json()["info"]["title"] == "buildwatch"
