"""Who may do what: the dependencies of the routes. Who is calling is found out by `web.access.gate` before."""

import hmac
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from starlette.requests import HTTPConnection, Request

from web.problems import Fault, ProblemError
from web.settings import Scope

CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
CHALLENGE = 'Bearer realm="buildwatch"'
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is calling, and what they may do."""

    name: str  # of the token or the person; empty: nobody has to say who they are
    scope: Scope
    is_person: bool = False
    csrf: str | None = None  # what has to come with every unsafe request of a session: put it into forms

    def may(self, scope: Scope) -> bool:
        """Whether this scope is theirs."""
        return self.scope.includes(scope)


def caller_of(connection: HTTPConnection) -> Caller | None:
    """Who is calling; None: nobody we know."""
    found: Caller | None = connection.scope.get("state", {}).get("caller")
    return found


async def reader(connection: HTTPConnection) -> Caller:
    """A dependency: the caller may look at everything."""
    return await _allowed(connection, Scope.READ)


async def ingester(connection: HTTPConnection) -> Caller:
    """A dependency: the caller may tell of builds."""
    return await _allowed(connection, Scope.INGEST)


async def admin(connection: HTTPConnection) -> Caller:
    """A dependency: the caller may acknowledge, silence and simulate."""
    return await _allowed(connection, Scope.ADMIN)


async def anybody(connection: HTTPConnection) -> Caller | None:
    """A dependency: for the few routes that everybody may ask, like whether the service is alive."""
    return caller_of(connection)


Reader = Annotated[Caller, Depends(reader)]
Ingester = Annotated[Caller, Depends(ingester)]
Admin = Annotated[Caller, Depends(admin)]
Anybody = Annotated[Caller | None, Depends(anybody)]


def unknown(needed: str) -> ProblemError:
    """What somebody is told who does not say who they are."""
    detail = f"this needs {needed}: send `Authorization: Bearer TOKEN`; people log in at /login"
    return ProblemError(401, detail, headers={"WWW-Authenticate": CHALLENGE})


async def _allowed(connection: HTTPConnection, needed: Scope) -> Caller:
    caller = caller_of(connection)
    if caller is None:
        raise unknown(f"a token with the scope {needed}")
    if not caller.may(needed):
        raise ProblemError(403, f"{caller.name} may {caller.scope}, this needs the scope {needed}")
    if caller.csrf is not None and isinstance(connection, Request) and connection.method not in SAFE:
        await _check_csrf(connection, caller.csrf)
    return caller


async def _check_csrf(request: Request, expected: str) -> None:
    shown = request.headers.get(CSRF_HEADER)
    if shown is None and request.headers.get("content-type", "").startswith(FORMS):
        field = (await request.form()).get(CSRF_FIELD)
        shown = field if isinstance(field, str) else None
    if shown is None or not hmac.compare_digest(shown.encode(), expected.encode()):
        detail = f"the page is too old, or this was not sent by it: reload it (a session shows {CSRF_HEADER})"
        raise ProblemError(403, detail, [Fault(CSRF_FIELD, "missing or wrong")])


NEEDS = {reader: Scope.READ, ingester: Scope.INGEST, admin: Scope.ADMIN}


def scope_of(dependant: Dependant) -> Scope | None:
    """The scope that a route needs; None when everybody may ask."""
    own = NEEDS.get(dependant.call) if dependant.call is not None else None
    found = [own, *map(scope_of, dependant.dependencies)]
    needed = [scope for scope in found if scope is not None]
    return max(needed, key=list(Scope).index) if needed else None


def open_paths(app: FastAPI) -> frozenset[str]:
    """Where everybody may send something: to log in, or with another proof of who they are."""
    return frozenset(
        each.path_format or ""
        for each in iter_route_contexts(app.routes)
        if set(each.methods or ()) - SAFE and scope_of(each.dependant) is None
    )
