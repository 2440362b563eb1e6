"""What went wrong, for machines: application/problem+json (RFC 9457), naming the fields that cannot be used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from domain.text import clean

MEDIA_TYPE = "application/problem+json"
LONGEST = 500  # characters of a text that repeats what was sent
REFERENCE = "#/components/schemas/Problem"  # put there by web.described
MOST = 100  # fields that are named in one answer


class FieldProblem(BaseModel):
    """One thing that cannot be used."""

    field: str = Field(description="Where it is: `body.0.started_at`, `query.limit`.", examples=["query.limit"])
    problem: str = Field(description="What is wrong with it, and what would be right.")


class Problem(BaseModel):
    """The body of every answer that is an error."""

    type: str = Field(default="about:blank", description="Always about:blank: the status says the kind.")
    title: str = Field(description="The status in words.", examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(description="What is wrong, and the cure.")
    errors: list[FieldProblem] = Field(default_factory=list, description="The fields that cannot be used.")


@dataclass(frozen=True, slots=True)
class Fault:
    """A field and what is wrong with it."""

    field: str
    problem: str


class ProblemError(HTTPException):
    """Raised by a handler: the answer is a problem body with this status, text and fields."""

    def __init__(
        self,
        status: int,
        detail: str,
        faults: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail=detail, headers=dict(headers) if headers else None)
        self.faults = tuple(faults)


def problem(
    status: int, detail: str, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer with such a body."""
    errors = [{"field": clean(each.field, LONGEST), "problem": clean(each.problem, LONGEST)} for each in faults[:MOST]]
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title(status),
        "status": status,
        "detail": clean(detail, LONGEST),
        "errors": errors,
    }
    return JSONResponse(body, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def title(status: int) -> str:
    """A status in words."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For `responses=` of a route: these statuses have a problem body."""
    return {
        status: {"description": title(status), "content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE}}}}
        for status in statuses
    }
