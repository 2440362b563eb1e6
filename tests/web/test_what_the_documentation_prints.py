"""What docs/web.md tells people to copy works as it stands there."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import SecretStr
from ruamel.yaml import YAML

from store.engine import Database
from tests.support.pushes import ADDRESS, SECRET, Desk, desk
from web.intake.bodies import BuildEvent
from web.intake.webhooks import signature_of

PAGE = (Path(__file__).parents[2] / "docs" / "web.md").read_text(encoding="utf-8")
SHOWN = "http://127.0.0.1:8080"  # where the page says that the server listens


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


class Curl(NamedTuple):
    url: str
    method: str
    headers: dict[str, str]
    body: str


def curl(line: str) -> Curl:
    url, method, headers, body = "", "", {}, ""
    words = iter(shlex.split(line)[1:])
    for word in words:
        if word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word in {"-d", "--data-binary"}:
            body = next(words)
        elif word == "-X":
            method = next(words)
        elif word != "-fsS":
            url = word
    return Curl(url, method or ("POST" if body else "GET"), headers, body)


def pushes() -> Iterator[Curl]:
    """Every line of curl for pushing, with what the shell would put into it."""
    told = next(block for block in blocks("json") if "request_id" in block)
    for block in blocks("sh"):
        before = re.search(r"^body='(.*)'$", block, re.MULTILINE)
        for line in re.split(r"^(?=curl )", block, flags=re.MULTILINE)[1:]:
            found = curl(line.replace("\\\n", ""))
            body = before[1] if before and found.body == "$body" else told if found.body == "@runs.json" else found.body
            signature = signature_of(SecretStr(SECRET), body.encode()).removeprefix("sha256=")
            headers = {name: value.replace("$sign", signature) for name, value in found.headers.items()}
            if found.method == "POST":
                yield found._replace(body=body, headers=headers)


@pytest.fixture
def at(database: Database, tmp_path: Path) -> Desk:
    return desk(database, tmp_path, simulate=True)


def test_every_address_for_pushing_has_a_line_of_curl_that_works(at: Desk) -> None:
    asked = set()
    for each in pushes():
        assert each.url.startswith(SHOWN)
        path = each.url.removeprefix(SHOWN)
        answer = at.client.post(ADDRESS + path, content=each.body, headers=each.headers)
        assert answer.status_code in {200, 202}, (each, answer.text)
        asked.add(path.partition("?")[0])
    assert asked == set(re.findall(r"`POST (/[^` ]+)`", PAGE.partition("**Status**")[0]))
    assert len(asked) == 7


def test_steps_of_workflows_are_yaml_with_a_program_and_known_fields() -> None:
    steps = [step for block in blocks("yaml") for step in _steps(YAML(typ="safe").load(block))]
    assert len(steps) == 4
    for step in steps:
        assert "curl" in step["run"]
        assert "BUILDWATCH_URL" in step["run"]


def _steps(loaded: Any) -> list[dict[str, Any]]:
    return [each for each in loaded if "run" in each] if isinstance(loaded, list) else []


def test_what_jq_makes_in_a_step_is_taken(at: Desk) -> None:
    programs = re.findall(r"jq -n --arg status \"\$STATUS\" '(\{.*?\})'", PAGE, re.DOTALL)
    assert len(programs) == 2
    context = {"github.run_attempt": "2", "github.run_number": "7", "github.run_id": "99"}
    for path, program in zip(("/api/events/run", "/ingest/github"), programs, strict=True):
        text = re.sub(r"\$\{\{ (.*?) \}\}", lambda found: context.get(found[1], "https://x.example"), program)
        text = re.sub(r"\benv\.(\w+)", r'"\1"', text).replace("$status", '"failure"')
        text = re.sub(r"([{,]\s*)(\w+):", r'\1"\2":', text)
        body = json.loads(text)
        answer = at.post(path, body)
        assert answer.status_code == 200, (body, answer.text)
        assert at.builds()[-1].attempt == 2


def test_the_stage_of_a_jenkinsfile_names_fields_that_are_read() -> None:
    (stage,) = blocks("groovy")
    fields = re.search(r"toJson\(\[(.*?)\]\)", stage, re.DOTALL)
    assert fields is not None
    names = re.findall(r"(\w+): ", fields[1])
    assert set(names) <= BuildEvent.model_fields.keys()
    assert {"pipeline", "status"} <= set(names)
