"""Builds that are pushed: `POST /api/events/run`, `/ingest/github`, `/ingest/jenkins` and `/ingest/json`."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from web.access.scopes import Ingester
from web.api.seed_shapes import RequestShape, RunShape, SeedBuild, build_of, request_of, run_of
from web.intake.bodies import Body as Pushed
from web.intake.bodies import BuildEvent, RegressionRun, RunEvent, context_of, faults_of
from web.intake.pushing import NotTakenError, Pushing, Taken, Telling
from web.intake.simulation import add_simulation
from web.intake.watched import hand_over, spot_of
from web.plain_pages import is_browser
from web.problems import Fault, ProblemError, answers
from web.site import Site
from web.words import STANDINGS

MOST = 10_000  # items of an array
REFUSED = answers(400, 401, 403, 413, 415, 422, 503)

P = TypeVar("P", bound=Pushed)


class Accepted(BaseModel):
    """Taken note of, and nothing was stored."""

    stored: bool = Field(description="Always false.")
    reason: str


class ItemProblem(BaseModel):
    """An item that was not stored."""

    index: int
    field: str
    problem: str


class IngestedRuns(BaseModel):
    """What became of an array."""

    stored: int = Field(description="Items that are in the store now, new or known.")
    changed: int = Field(description="Those of them that brought something new.")
    ids: list[int] = Field(description="Of the builds, in the order of the good items.")
    runs: list[RequestShape] = Field(description="The good items as they are stored.")
    errors: list[ItemProblem] = Field(description="The bad items: they were left out.")


def router_of(site: Site) -> APIRouter:
    """The routes."""
    router, pushing = APIRouter(tags=["ingest"]), Pushing(site)

    @router.post("/api/events/run", response_model=RunShape, responses=REFUSED)
    def event(body: RunEvent, _: Ingester) -> Response:
        """One run. What is left out is computed; the answer is the run as it is stored.

        Sent again it changes nothing. A run that was told as `running` is ended by the body that tells how it ended:
        with the same `run_id`, the same `started_at`, or else the same branch and commit.
        """
        telling = _read(body, RunEvent, site).telling(context_of(site.now()))
        return JSONResponse(run_of(_take(pushing, [telling])[0].view))

    def _source(source: str) -> Callable[[BuildEvent, Any], Response]:
        def ingest(body: BuildEvent, _: Ingester) -> Response:
            return _build(site, pushing, _read(body, BuildEvent, site), source)

        return ingest

    left: dict[int | str, dict[str, Any]] = {
        202: {"model": Accepted, "description": "The build is polled: its server has been asked for it."}
    }
    for source in ("github", "jenkins"):
        router.add_api_route(
            f"/ingest/{source}",
            _source(source),
            methods=["POST"],
            response_model=SeedBuild,
            responses={**REFUSED, **left},
            summary=f"A build of {source}",
            operation_id=f"ingest_{source}",
            description=(
                "One build. When its `url` is a page of a server that is polled here, the poll is the truth: "
                "it comes at once, and the answer is 202."
            ),
        )

    @router.post(
        "/ingest/json",
        response_model=IngestedRuns,
        responses={**REFUSED, 303: {"description": "To /details, for a browser."}},
        openapi_extra={"requestBody": _array_of(RegressionRun)},
    )
    def runs(items: Annotated[list[Any], Body(max_length=MOST)], request: Request, _: Ingester) -> Response:
        """An array of regression runs, inserted or updated by `request_id`.

        Times without an offset are in the zone of config.yaml. A bad item is reported by its index and left out, the
        others are stored; when none is good, the answer is a 422.
        """
        return _runs(site, pushing, items, request)

    add_simulation(router, site, pushing)
    return router


def _read(body: P, model: type[P], site: Site) -> P:
    """The same body, read by somebody who knows the time. Raises ProblemError."""
    try:
        return model.model_validate(body.model_dump(exclude_unset=True), context=context_of(site.now()))
    except ValidationError as error:
        raise _unusable(faults_of(error, "body")) from None


def _unusable(faults: Iterable[tuple[str, str]]) -> ProblemError:
    found = [Fault(field, text) for field, text in faults]
    few = ", ".join(dict.fromkeys(each.field for each in found[:5]))
    return ProblemError(422, f"cannot be used: {few}", found)


def _take(pushing: Pushing, tellings: list[Telling]) -> list[Taken]:
    try:
        return pushing.take(tellings)
    except NotTakenError as error:
        raise ProblemError(422, str(error), [Fault("body.pipeline", str(error))]) from None


def _build(site: Site, pushing: Pushing, body: BuildEvent, source: str) -> Response:
    spot = spot_of(site, body.url)
    telling = body.telling(context_of(site.now()), source=source)
    if spot is None:
        return JSONResponse(build_of(_take(pushing, [telling])[0].view))
    handed = hand_over(site, spot, telling, number=body.run_number)
    if handed.taken is None:
        return JSONResponse({"stored": False, "reason": handed.reason}, 202)
    return JSONResponse(build_of(handed.taken.view))


def _runs(site: Site, pushing: Pushing, items: list[Any], request: Request) -> Response:
    settings = site.settings()
    context = context_of(site.now(), settings.zone)
    told: list[tuple[int, Telling]] = []
    bad: list[tuple[int, str, str]] = []
    for index, item in enumerate(items):
        try:
            run = RegressionRun.model_validate(item, context=context)
        except ValidationError as error:
            bad += [(index, field, text) for field, text in faults_of(error, f"body.{index}")]
        else:
            told.append((index, run.telling(context, settings.log_url)))
    refused = pushing.refused({telling.pipeline for _, telling in told})
    good = [telling for _, telling in told if telling.pipeline not in refused]
    bad += [
        (index, f"body.{index}.pipeline", f'no entry of `pipelines:` takes "{telling.pipeline}"')
        for index, telling in told
        if telling.pipeline in refused
    ]
    bad.sort(key=lambda each: each[0])
    if bad and not good:
        raise _unusable((field, text) for _, field, text in bad)
    taken = _take(pushing, good)
    if is_browser(request):
        return RedirectResponse("/details", 303)
    return JSONResponse(
        {
            "stored": len(taken),
            "changed": sum(each.changed for each in taken),
            "ids": [each.view.build.id for each in taken],
            "runs": [request_of(each.view, settings.zone) for each in taken],
            "errors": [{"index": index, "field": field, "problem": text} for index, field, text in bad],
        }
    )


def _array_of(model: type[BaseModel]) -> dict[str, Any]:
    """The description of a body that is an array: its items are read one by one, so that one bad one is no harm."""
    schema = model.model_json_schema()
    schema["properties"]["status"]["examples"] = [word.upper() for word in STANDINGS][:3]
    return {
        "required": True,
        "content": {"application/json": {"schema": {"type": "array", "maxItems": MOST, "items": schema}}},
    }
