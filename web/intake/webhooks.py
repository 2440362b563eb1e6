"""What GitHub and Jenkins send by themselves. They only make news come sooner: polling stays the truth.

A delivery of GitHub is believed when it is signed, and applied when it tells something newer than what is known of
that attempt: by its status, then by its `updated_at`. So repeated, late and replayed deliveries change nothing, also
those that came before a restart: the store says how far each attempt had come.
"""

import hashlib
import hmac
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, NamedTuple
from urllib.parse import parse_qs

import orjson
from fastapi import APIRouter, Body, Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, SecretStr
from starlette.responses import Response

from domain.build import Build, Pipeline, Status
from providers._base import Page, Posted, ReadsPosts
from store import pipelines, pushed
from store.engine import Session
from store.pushed import Identity
from web.access.scopes import Anybody, Ingester
from web.problems import Fault, ProblemError, answers
from web.settings import Scope
from web.site import Site

REMEMBERED = 10_000  # deliveries, and attempts of runs
TELLING = frozenset({"workflow_run", "workflow_job", "check_run", "check_suite"})
"""The events of GitHub that say something about runs; only the first says all of it."""


class Received(BaseModel):
    """What became of a delivery."""

    applied: bool = Field(description="Whether something new was stored.")
    reason: str
    builds: list[int] = Field(default_factory=list, description="Ids of what is new or has changed.")


class Stage(NamedTuple):
    """How far an attempt of a run had come: later ones are greater."""

    rank: int
    updated_at: str  # ISO 8601 in UTC: sorts like the times


class Memory:
    """The newest few thousand keys, and what was noted of each. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any) -> Any:
        """What was noted; None: nothing, or long ago."""
        with self._lock:
            return self._known.get(key)

    def note(self, key: Any, value: Any = True) -> None:  # noqa: FBT002
        """Note it."""
        with self._lock:
            self._known[key] = value
            self._known.move_to_end(key)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def signature_of(secret: SecretStr, body: bytes) -> str:
    """What GitHub sends as X-Hub-Signature-256 with this body."""
    return "sha256=" + hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()


def is_signed(secret: SecretStr, body: bytes, signature: str | None) -> bool:
    """Whether whoever sent the body knows the secret. Takes the same time for every wrong signature."""
    return signature is not None and hmac.compare_digest(
        signature_of(secret, body).encode(), signature.strip().encode("utf-8", "replace")
    )


async def raw_body(request: Request) -> bytes:
    """A dependency: the bytes as they came, which is what is signed."""
    return await request.body()


RawBody = Annotated[bytes, Depends(raw_body)]


class Deliveries:
    """Applies what GitHub delivers."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen = Memory()  # ids of deliveries
        self._stages = Memory()  # of attempts
        self._lock = threading.Lock()  # what is known must not change before what is newer is stored

    def apply(self, event: str, delivery: str | None, body: Mapping[str, Any]) -> Received:
        """Store what is new. Raises ValueError for a body that makes no sense."""
        if event not in TELLING:
            return Received(applied=False, reason=f"{event}: says nothing about builds")
        if delivery is not None and self._seen.get(delivery):
            return Received(applied=False, reason="this delivery came before")
        told = {name: posted for name, each in _readers(self._site, "github") if (posted := each.posted(body))}
        if not told:
            return Received(applied=False, reason=f"nobody watches {_repository(body)}, or this workflow of it")
        results = [self._take(name, posted, body) for name, posted in told.items()]
        if delivery is not None:
            self._seen.note(delivery)
        return Received(
            applied=any(each.applied for each in results),
            reason="; ".join(dict.fromkeys(each.reason for each in results)),
            builds=[number for each in results for number in each.builds],
        )

    def _take(self, provider: str, posted: Posted, body: Mapping[str, Any]) -> Received:
        if posted.build is None:
            woken = _wake(self._site, provider, posted)
            return Received(applied=False, reason=f"{provider} is {'asked now' if woken else 'polled: it will tell'}")
        with self._lock:
            reason, changed = self._store(provider, posted, posted.build, body)
        if changed is None:
            return Received(applied=False, reason=reason)
        return Received(applied=bool(changed), reason=reason, builds=changed)

    def _store(
        self, provider: str, posted: Posted, build: Build, body: Mapping[str, Any]
    ) -> tuple[str, list[int] | None]:
        """Why, and the ids of what was new; None: nothing was to be stored."""
        identity = Identity(provider, build.pipeline.key, build.external_id, build.attempt)
        stage = Stage(list(Status).index(build.status), str(body["workflow_run"].get("updated_at") or ""))
        place = self._site.database.read(lambda session: _place(session, identity, posted.within))
        newest = max((each for each in (place.stage, self._stages.get(identity)) if each is not None), default=None)
        if newest is not None and stage <= newest:
            if _runs_again(place, stage) and _wake(self._site, provider, posted):
                return f"{provider} is asked now: this attempt had ended before", None
            return "nothing new: as much or more is known of this attempt", None
        if place.has_later_attempt and build.status is not Status.FINISHED:
            return "a later attempt of this run is known", None
        woken = _wake(self._site, provider, posted)
        if not place.is_met and woken:
            return f"{provider} has not been read yet: it is asked now", None  # what it had finished is no news
        if woken and build.status is not Status.FINISHED:
            return f"{provider} is asked now", None  # its answer may be newer, and must not be overwritten
        if place.pipeline is not None:
            build = replace(build, pipeline=place.pipeline)  # as the poll described it: a post knows less
        changed = self._site.ingest(Page(pipelines=[build.pipeline], builds=[build]), provider)
        self._stages.note(identity, stage)
        return ("stored" if changed else "nothing new"), list(changed)


class _Place(NamedTuple):
    """What the store knows around a build."""

    stage: Stage | None  # None: the attempt is not stored
    pipeline: Pipeline | None
    is_met: bool  # its repository was read before
    has_later_attempt: bool
    ended_at: datetime | None  # of the attempt


def _runs_again(place: _Place, stage: Stage) -> bool:
    """Whether something is told of an attempt that lies behind its end, as of a run that somebody approved."""
    try:
        told_at = datetime.fromisoformat(stage.updated_at)
    except ValueError:
        return False
    return place.ended_at is not None and told_at.tzinfo is not None and told_at > place.ended_at


def _place(session: Session, identity: Identity, within: str) -> _Place:
    known = pipelines.find(session, [(identity.provider, identity.pipeline)])
    pipeline = next((each.pipeline for each in known.values()), None)
    met = pipeline is not None or any(
        each.pipeline.key.startswith(within) for each in pipelines.all(session, identity.provider)
    )
    found = pushed.of_external_ids(session, identity.provider, [identity.external_id], within=identity.pipeline)
    builds = [view.build for view in found.get(identity.external_id, [])]
    same = next((build for build in builds if build.attempt == identity.attempt), None)
    stage, ended_at = (None, None) if same is None else (_stage_of(same), same.finished_at)
    return _Place(stage, pipeline, met, any(build.attempt > identity.attempt for build in builds), ended_at)


def _stage_of(build: Build) -> Stage:
    """What is stored of an attempt. What has ended has come as far as it can: only a poll knows better."""
    ended = build.status is Status.FINISHED
    return Stage(list(Status).index(build.status), "~" if ended else "")  # sorts behind every time


def _readers(site: Site, system: str) -> list[tuple[str, ReadsPosts]]:
    return [
        (name, provider)
        for name, provider in site.providers().items()
        if isinstance(provider, ReadsPosts) and provider.system == system
    ]


def _wake(site: Site, provider: str, posted: Posted) -> bool:
    """Have it polled at once; whether somebody here does that."""
    woken = [site.poll_now(provider, target) for target in posted.targets]
    return any(woken)


def _repository(body: Mapping[str, Any]) -> str:
    repository = body.get("repository")
    return str(repository.get("full_name", "this")) if isinstance(repository, Mapping) else "this"


def router_of(site: Site) -> APIRouter:
    """The routes."""
    router, deliveries = APIRouter(tags=["webhooks"]), Deliveries(site)

    @router.post(
        "/webhooks/github",
        response_model=Received,
        responses={**answers(400, 401, 413, 422, 503), 202: {"model": Received, "description": "Nothing to store."}},
        openapi_extra={"requestBody": _ANY_OBJECT},
    )
    def github(  # noqa: PLR0917
        body: RawBody,
        caller: Anybody,
        x_github_event: Annotated[str | None, Header(max_length=100)] = None,
        x_github_delivery: Annotated[str | None, Header(max_length=100)] = None,
        x_hub_signature_256: Annotated[str | None, Header(max_length=200)] = None,
        content_type: Annotated[str | None, Header(max_length=200)] = None,
    ) -> Response:
        """A webhook of GitHub: the events "Workflow runs", and if you like "Workflow jobs" and "Check runs".

        Signed with the secret `web.github_secret`. Without one, who calls needs the scope `ingest`. What is of no use
        is answered with 202 and the reason.
        """
        secret = site.settings().github_secret
        if secret is not None and not is_signed(secret, body, x_hub_signature_256):
            raise ProblemError(401, "X-Hub-Signature-256 is missing or wrong: is the secret the same on both sides?")
        if secret is None and not (caller is not None and caller.may(Scope.INGEST)):
            raise ProblemError(401, "web.github_secret is not set, so this needs a token with the scope ingest")
        told = _object(body, content_type or "")
        if x_github_event is None:
            raise ProblemError(400, "X-GitHub-Event is missing", [Fault("header.X-GitHub-Event", "is missing")])
        if x_github_event == "ping":
            return JSONResponse({"applied": False, "reason": "pong", "builds": []})
        try:
            received = deliveries.apply(x_github_event, x_github_delivery, told)
        except ValueError as error:
            raise ProblemError(422, f"cannot be used: {error}", [Fault("body", str(error))]) from None
        return JSONResponse(received.model_dump(), 200 if received.applied else 202)

    @router.post(
        "/webhooks/jenkins",
        status_code=202,
        response_model=Received,
        responses=answers(400, 401, 403, 413, 422, 503),
    )
    def jenkins(body: Annotated[dict[str, Any], Body(examples=[{"job": "team/web", "number": 7}])], _: Ingester) -> Any:
        """Something happened to a job: what the Notification plugin sends, or `{job: folder/name}`.

        Nothing of it is stored: the server is asked at once.
        """
        try:
            told = {name: posted for name, each in _readers(site, "jenkins") if (posted := each.posted(body))}
        except ValueError as error:
            raise ProblemError(422, f"cannot be used: {error}", [Fault("body.job", str(error))]) from None
        woken = [name for name, posted in told.items() if _wake(site, name, posted)]
        if woken:
            reason = f"{', '.join(woken)} is asked now"
        else:
            reason = f"{', '.join(told)} is polled by another process" if told else "nobody watches this job"
        return {"applied": False, "reason": reason}

    return router


_ANY_OBJECT: Mapping[str, Any] = {
    "required": True,
    "content": {
        "application/json": {"schema": {"type": "object"}},
        "application/x-www-form-urlencoded": {
            "schema": {"type": "object", "properties": {"payload": {"type": "string"}}, "required": ["payload"]}
        },
    },
}


def _object(body: bytes, content_type: str) -> Mapping[str, Any]:
    """The JSON object; GitHub can be told to send it as a form. Raises ProblemError."""
    text = body
    try:
        if content_type.startswith("application/x-www-form-urlencoded"):
            text = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10).get("payload", [""])[0].encode()
        found = orjson.loads(text)
    except (ValueError, UnicodeError):
        raise ProblemError(400, "the body is not JSON", [Fault("body", "is not JSON")]) from None
    if not isinstance(found, dict):
        raise ProblemError(422, "the body is not a JSON object", [Fault("body", "is not an object")])
    return found
