"""For programs that show how builds stand: Prometheus, CCTray, badges, feed readers."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.status import HTTP_401_UNAUTHORIZED, HTTP_404_NOT_FOUND
from typing_extensions import override

from domain.build import Verdict
from store import alerts, standings
from store.engine import Session
from store.pipelines import Known
from store.standings import Standing
from web.access.scopes import CHALLENGE, reader
from web.answers import NOT_MODIFIED, Revalidated
from web.asking import LONGEST, PathText, Text, pipelines_named
from web.feeds.atom import MEDIA_TYPE as ATOM
from web.feeds.atom import atom_feed
from web.feeds.badges import GREEN, GREY, RED, badge
from web.feeds.cctray import Project, cctray
from web.feeds.exposition import exposition
from web.feeds.standing import last_settled
from web.feeds.text_format import MEDIA_TYPE as PROMETHEUS
from web.problems import ProblemError, answers
from web.reading.remembered import Remembered
from web.reading.summaries import unique_names
from web.site import Site

ALERTS = 100  # entries of the feed
TEXT = "text/plain"
XML = "application/xml"
SVG = "image/svg+xml"
ANYWHERE = {"Cross-Origin-Resource-Policy": "cross-origin"}  # pages elsewhere show badges
CHALLENGES = f'{CHALLENGE}, Basic realm="buildwatch"'


class _Feed(APIRoute):
    """Asks for a name and password as well: programs that read feeds send them when they are asked."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except ProblemError as error:
                if error.status_code != HTTP_401_UNAUTHORIZED:
                    raise
                raise ProblemError(error.status_code, error.detail, headers={"WWW-Authenticate": CHALLENGES}) from None

        return answer


class _Document(_Feed, Revalidated):
    """A feed that is sent again only when it differs."""


def router_of(site: Site) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["feeds"], dependencies=[Depends(reader)], route_class=_Feed)

    @router.get("/metrics", response_class=Response, responses={200: _described([TEXT]), **answers(503)})
    def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(exposition(site), media_type=PROMETHEUS, headers={"Cache-Control": "no-store"})

    revalidated = APIRouter(route_class=_Document, responses=NOT_MODIFIED)
    _add_documents(revalidated, site)
    _add_badges(revalidated, site)
    router.include_router(revalidated)
    return router


def _add_documents(router: APIRouter, site: Site) -> None:
    @router.get("/cc.xml", response_class=Response, responses={200: _described([XML]), **answers(503)})
    def projects(request: Request) -> Response:
        """How every pipeline stands, for CCTray and its kin."""
        found = site.database.read(lambda session: _projects(session, site.remembered))
        return Response(cctray(found, base_of(request, site)), media_type=XML)

    @router.get("/feed.atom", response_class=Response, responses={200: _described([ATOM]), **answers(503)})
    def feed(request: Request) -> Response:
        """The newest alerts, for feed readers."""
        found = site.database.read(lambda session: alerts.listing(session, all=True, limit=ALERTS))
        return Response(atom_feed(found, base_of(request, site), site.now()), media_type=ATOM)


def _add_badges(router: APIRouter, site: Site) -> None:
    @router.get(
        "/badge/{pipeline:path}.svg",
        response_class=Response,
        responses={
            200: _described([SVG]),
            404: {**_described([SVG]), "description": "No such pipeline: the badge says so."},
            **answers(422, 503),
        },
    )
    def show_badge(
        pipeline: Annotated[PathText, Path(description="Full name of a pipeline, or its name; slashes stay slashes.")],
        branch: Annotated[Text | None, Query(max_length=LONGEST, description="Not the default branch.")] = None,
        label: Annotated[Text | None, Query(max_length=LONGEST, description="The left side.")] = None,
    ) -> Response:
        """A small picture of how a pipeline stands. Where several have a name, whether all of them pass."""

        def read(session: Session) -> tuple[Sequence[Known], Sequence[Standing]]:
            known = pipelines_named(site.remembered.pipelines(session), pipeline)
            last = standings.last_settled(session, pipelines=[each.id for each in known], branch=branch)
            return known, list(last.values())

        known, last = site.database.read(read)
        left = label or (known[0].pipeline.name if known else pipeline)
        word, colour = _word(last) if known else ("unknown", GREY)
        status = 200 if known else HTTP_404_NOT_FOUND
        return Response(badge(left, word, colour), status, media_type=SVG, headers=ANYWHERE)


def base_of(request: Request, site: Site) -> str:
    """Our address as people know it, with a slash at its end."""
    return f"{(site.settings().url or str(request.base_url)).rstrip('/')}/"


def _projects(session: Session, remembered: Remembered) -> list[Project]:
    last, unfinished = last_settled(session, remembered), remembered.unfinished(session)
    return [
        Project(name, each, last.get(each.id), unfinished.get(each.id, (0, 0))[0] > 0)
        for name, each in unique_names(remembered.pipelines(session)).items()
        if each.missing_since is None
    ]


def _word(last: Sequence[Standing]) -> tuple[str, str]:
    if not last:
        return "no builds", GREY
    return ("passing", GREEN) if all(each.verdict is Verdict.PASSED for each in last) else ("failing", RED)


def _described(media_types: Sequence[str]) -> dict[str, Any]:
    return {"content": {each: {"schema": {"type": "string"}} for each in media_types}}
