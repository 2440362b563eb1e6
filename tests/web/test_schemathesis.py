"""Every operation of the API, with any input: no 5xx, and nothing that the OpenAPI document does not describe."""

from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from datetime import timedelta
from typing import Any
from unittest import SkipTest

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.case import Case
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.python.asgi import get_client
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from domain.alert import Scope
from domain.build import Build, Outcome
from domain.text import clean
from providers._base import Page
from store import alerts, builds, tests
from store.engine import Session, open_database
from tests.support.builders import NOON, alert, build, pipeline
from tests.support.hostile import HOSTILE
from tests.support.reports import report
from tests.support.site import premises, site_over
from web.app import make_app
from web.description import TAGS
from web.site import Silencing, Site

ADDRESS = "http://127.0.0.1:8080"
EXAMPLES = 3  # of each operation and kind; besides those at the bounds of every parameter
CONFIG: dict[str, Any] = {"base-url": ADDRESS, "phases": {"coverage": {"unexpected-methods": []}}}
MODES = [HypothesisTestMode.EXAMPLES, HypothesisTestMode.COVERAGE, HypothesisTestMode.FUZZING]
SETTINGS = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LARGEST = {"maxItems": 20, "maxLength": 200}
SPELLED = frozenset({200, 201, 202, 204, 303, 304, 404, 406, 409, 415, 422})
"""Has to be said of each operation that answers so."""


def made(number: int, name: str) -> Build:
    """A build of which everything is called like that."""
    its = pipeline(name, labels={"release": name, "module": name, "cloud": name})
    return build(
        number,
        Outcome.FAILURE if number % 2 else Outcome.SUCCESS,
        pipeline=its,
        branch=name,
        title=name,
        actor=name,
        bucket=name if number % 2 else None,
        reason=name if number % 2 else None,
        failing_stage=name,
        log_excerpt=name,
        labels={name: name},
        started_at=NOON - number * timedelta(minutes=9),
        measurements={name: 1.5},
    )


def fill(site: Site) -> None:
    """Hostile names wherever a name can be."""
    names = [clean(name) or "x" for name in HOSTILE]
    some = [made(number, name) for number, name in enumerate(names, 1)]
    site.ingest(Page(builds=some), "ci")

    def more(session: Session) -> None:
        for identity, name in zip(builds.get(session, range(1, 20)), names, strict=False):
            tests.record(session, identity, report({f"{name}/{name}": "F", "plain": "P"}))
        for name in names[:5]:
            alerts.save(session, alert(summary=name, scope=Scope(provider="ci", pipeline=name, branch=name)))

    site.database.transact(more)
    site.silence(Silencing(reason=names[5], by=names[6], pipeline="**/" + names[7], until_fixed=True))


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The application over a store of hostile names."""
    folder = tmp_path_factory.mktemp("api")
    database = open_database(f"sqlite:///{folder}/buildwatch.db")
    site = site_over(database, premises(folder, simulate=True))
    fill(site)
    yield make_app(site)
    database.close()


def bounded(part: Any) -> Any:
    """The same document with shorter texts and lists: ten thousand items say no more than twenty."""
    if isinstance(part, list):
        return [bounded(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        name: min(value, LARGEST[name]) if name in LARGEST and isinstance(value, int) else bounded(value)
        for name, value in part.items()
    }


def wrong_answers(app: FastAPI, document: dict[str, Any], *, tag: str) -> dict[str, str]:
    """What the operations of a tag answered that the document does not describe: examples, bounds, anything."""
    schema = schemathesis.openapi.from_dict(bounded(document), config=SchemathesisConfig.from_dict(CONFIG)).include(
        tag=tag
    )
    schema.app = app
    config = HypothesisTestConfig(project=schema.config, modes=MODES, settings=SETTINGS)
    wrong: dict[str, str] = {}
    with get_client(app) as client:

        def ask(case: Case) -> None:
            response = case.call(session=client)
            described = document["paths"][case.operation.path][case.operation.method]["responses"]
            asked = f"{case.operation.label} {response.status_code}"
            if response.status_code in SPELLED and str(response.status_code) not in described:
                wrong.setdefault(asked, "only described as any other error")
            try:
                case.validate_response(response, checks=CHECKS)
            except FailureGroup as group:
                wrong.setdefault(asked, str(group.exceptions[0]))

        for found in schema.get_all_operations():
            with suppress(Unsatisfiable, SkipTest):  # there is nothing wrong to send where nothing is taken
                create_test(operation=found.ok(), test_func=ask, config=config)()
    return wrong


@pytest.mark.timeout(400)
@pytest.mark.parametrize("tag", TAGS)
def test_every_operation_answers_as_it_is_described(app: FastAPI, tag: str) -> None:
    assert wrong_answers(app, app.openapi(), tag=tag) == {}


def test_an_answer_that_is_not_described_is_found(app: FastAPI) -> None:
    document = deepcopy(app.openapi())
    described = document["paths"]["/api/health"]["get"]["responses"]
    described["200"]["content"]["application/json"]["schema"] = {"type": "integer"}
    del document["paths"]["/health"]["get"]["responses"]["200"]
    assert wrong_answers(app, document, tag="service").keys() >= {"GET /api/health 200", "GET /health 200"}
