"""`POST /api/simulate`: builds that are made up, for demonstrations."""

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, Field, StringConstraints

from domain.text import clean
from web.access.scopes import Admin
from web.intake.made_up import simulated
from web.intake.pushing import NotTakenError, Pushing
from web.problems import Fault, ProblemError, answers
from web.site import Site

MOST = 1000
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]


class Cast(BaseModel):
    """What the builds belong to."""

    pipelines: Annotated[list[Name], Field(min_length=1, max_length=100)] = Field(default=["web", "api"])


class Simulated(BaseModel):
    """What was made up."""

    created: int
    success: int
    failure: int
    ids: list[int]


def add_simulation(router: APIRouter, site: Site, pushing: Pushing) -> None:
    """Add the route, which answers only while `web.simulate` is true."""

    @router.post("/api/simulate", response_model=Simulated, responses=answers(403, 422, 503))
    def simulate(
        _: Admin,
        count: Annotated[int, Query(ge=1, le=MOST)] = 10,
        fail_rate: Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)] = 0.25,
        cast: Annotated[Cast | None, Body()] = None,
    ) -> dict[str, Any]:
        """Make builds up that ended in the last hour. They are stored and judged like all that are pushed."""
        if not site.settings().simulate:
            raise ProblemError(403, "builds are made up only with `web: {simulate: true}` in config.yaml")
        names = [clean(name) for name in (cast or Cast()).pipelines]
        tellings = simulated(site.now(), names, count=count, fail_rate=fail_rate, seed=secrets.token_hex(8))
        try:
            taken = pushing.take(tellings)
        except NotTakenError as error:
            raise ProblemError(422, str(error), [Fault("body.pipelines", str(error))]) from None
        failed = sum(each.outcome == "failure" for each in tellings)
        ids = [each.view.build.id for each in taken]
        return {"created": len(taken), "success": len(taken) - failed, "failure": failed, "ids": ids}
