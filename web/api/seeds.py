"""Routes that clients of other systems know, thin over what is read here: the same words, the same meaning."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from typing_extensions import TypedDict

from metrics.baseline import Method
from store import outbox, pipelines, providers
from store.browsing import Wanted
from store.builds import BuildView
from store.engine import Session
from web.access.scopes import Anybody, reader
from web.answers import NOT_MODIFIED, TELLS_JSON, Revalidated, following_page, told
from web.api.seed_shapes import RunShape, SeedBuild, build_of, run_of
from web.asking import (
    LONGEST,
    MOST,
    BuildId,
    Cursor,
    Days,
    Limit,
    Offset,
    Span,
    Text,
    cursor_of,
    not_found,
    pipelines_named,
    place_of,
    window_named,
)
from web.paging import Cut, KeyCursor
from web.problems import answers
from web.reading import builds, scripts, summaries
from web.reading.scripts import (
    EXECUTION_TIME,
    BaselineAnswer,
    DatabaseShape,
    ExecutionDetails,
    ExecutionShape,
    LatestMetric,
    ScriptShape,
    SeriesShape,
    ServiceHealth,
    StatisticsShape,
    TrendAnswer,
)
from web.reading.summaries import BuildSummary, RunSummary
from web.settings import Scope
from web.shapes import instant, iso
from web.site import Site

_MOST_MINUTES = 60 * 24 * 366
Script = Annotated[Text | None, Query(max_length=LONGEST, description="Full name of a pipeline, or its name.")]
NeededScript = Annotated[
    Text, Query(min_length=1, max_length=LONGEST, description="Full name of a pipeline, or its name.")
]
Metric = Annotated[
    Text, Query(min_length=1, max_length=LONGEST, description="execution_time_seconds, queue_seconds, ...")
]


class ProviderHealth(TypedDict):
    """A connection."""

    name: str
    ok: bool
    failing_since: str | None
    last_ok_at: str | None


class OutboxHealth(TypedDict):
    """Messages that wait, and those that were given up."""

    pending: int
    dead: int


class Health(TypedDict):
    """Whether it works: `ok` is about this service, not about what it watches. The rest is for callers who may read."""

    ok: bool
    time: str
    providers: list[ProviderHealth] | None
    outbox: OutboxHealth | None
    last_poll: str | None


def router_of(site: Site) -> APIRouter:
    """All of them, over a site."""
    router = APIRouter(route_class=Revalidated, dependencies=[TELLS_JSON], responses={**NOT_MODIFIED, **answers(406)})
    alive = APIRouter(tags=["service"], route_class=Revalidated)
    _add_health(alive, site)
    router.include_router(alive)
    known = APIRouter(dependencies=[Depends(reader)], route_class=Revalidated, responses=answers(422))
    _add_runs(known, site)
    _add_builds(known, site)
    _add_scripts(known, site)
    _add_metrics(known, site)
    _add_analysis(known, site)
    router.include_router(known)
    return router


def _add_health(router: APIRouter, site: Site) -> None:
    @router.get("/health", response_model=Health)
    def health(caller: Anybody) -> Response:
        """Whether the service works; for those who may read also how far its polls and messages are."""
        if caller is not None and caller.may(Scope.READ):
            return told(site.database.read(lambda session: _health(session, site.now())))
        now = site.database.read(lambda _: site.now())
        return told({"ok": True, "time": iso(now), "providers": None, "outbox": None, "last_poll": None})

    @router.get("/api/health", response_model=ServiceHealth)
    def service_health(_: Anybody) -> Response:
        """Whether the service works. Everybody may ask."""
        return told(site.database.read(lambda _: scripts.health(site.now())))


def _health(session: Session, now: datetime) -> Health:
    known = providers.all(session)
    counts = outbox.counts(session).values()
    answered = [each.last_ok_at for each in known if each.last_ok_at is not None]
    return {
        "ok": True,
        "time": instant(now),
        "providers": [
            {
                "name": each.name,
                "ok": each.failing_since is None,
                "failing_since": iso(each.failing_since),
                "last_ok_at": iso(each.last_ok_at),
            }
            for each in known
        ],
        "outbox": {"pending": sum(each.pending for each in counts), "dead": sum(each.dead for each in counts)},
        "last_poll": iso(max(answered, default=None)),
    }


def _add_runs(router: APIRouter, site: Site) -> None:
    @router.get("/api/metrics/summary", tags=["metrics"], response_model=RunSummary)
    def run_summary(
        minutes: Annotated[int, Query(ge=1, le=_MOST_MINUTES, description="So far back.")] = 1440,
    ) -> Response:
        """The last minutes over all pipelines, and for each. `success_rate` is 0 to 1."""
        return told(
            site.database.read(lambda session: summaries.run_summary(session, site.remembered, site.now(), minutes))
        )

    @router.get("/api/runs", tags=["builds"], response_model=list[RunShape])
    def list_runs(request: Request, limit: Limit = 20, cursor: Cursor = None) -> Response:
        """The most recent runs: those that run, then those that ended, newest first. `Link` has the next page."""
        return _page(site, request, Wanted(), run_of, limit=limit, cursor=cursor)


def _add_builds(router: APIRouter, site: Site) -> None:
    @router.get("/metrics/summary", tags=["metrics"], response_model=BuildSummary)
    def build_summary(
        window: Span = "7d",
    ) -> Response:
        """Rates in percent, the mean duration, and how each pipeline stands now."""
        span = window_named(window, site.now())
        return told(site.database.read(lambda session: summaries.build_summary(session, site.remembered, window, span)))

    @router.get("/builds", tags=["builds"], response_model=list[SeedBuild])
    def list_builds(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Response:
        """The most recent builds: those that run, then those that ended, newest first. `Link` has the next page."""
        return _page(site, request, Wanted(), build_of, limit=limit, cursor=cursor)

    @router.get("/builds/latest", tags=["builds"], response_model=SeedBuild, responses=answers(404))
    def latest_build(
        pipeline: Annotated[Text, Query(min_length=1, max_length=LONGEST, description="Its name, or full name.")],
    ) -> Response:
        """The newest build of a pipeline; of several that are called so, of all of them."""
        return told(site.database.read(lambda session: _latest(session, pipeline)))


def _page(
    site: Site,
    request: Request,
    wanted: Wanted,
    shape: Callable[[BuildView], Mapping[str, Any]],
    *,
    limit: int,
    cursor: str | None,
) -> Response:
    """An array of builds in somebody's words: the cursor is in the header `Link` alone."""
    after = place_of(cursor)
    found = site.database.read(lambda session: site.remembered.page(session, wanted, limit=limit, after=after))
    return told([shape(each) for each in found.builds], following=following_page(request, cursor_of(found.next)))


def _latest(session: Session, name: str) -> Mapping[str, Any]:
    ids = [each.id for each in pipelines_named(pipelines.all(session), name)]
    found = builds.recent(session, Wanted(pipelines=ids), 1) if ids else []
    if not found:
        raise not_found(f"a build of the pipeline {name!r}")
    return build_of(found[0])


def _add_scripts(router: APIRouter, site: Site) -> None:
    @router.get("/api/scripts", tags=["builds"], response_model=list[ScriptShape])
    def list_scripts(request: Request, limit: Limit = MOST, cursor: KeyCursor = None) -> Response:
        """All pipelines as scripts, by full name. `success_rate` is percent. `Link` has the next page."""
        asked = Cut(limit, cursor)
        found, following = site.database.read(lambda session: scripts.scripts(session, site.remembered, asked))
        return told(found, following=following_page(request, following))

    @router.get("/api/executions", tags=["builds"], response_model=list[ExecutionShape], responses=answers(404))
    def list_executions(
        request: Request,
        *,
        script_path: Script = None,
        limit: Limit = 50,
        offset: Offset = 0,
        cursor: Cursor = None,
        exit_code: Annotated[int | None, Query(ge=0, le=255, description="0: passed; others: failed.")] = None,
    ) -> Response:
        """Builds as executions. `Link` has the next page; unlike `offset` it is moved by no build that comes in."""
        asked = Cut(limit, cursor)
        found, following = site.database.read(
            lambda session: scripts.executions(session, asked, script=script_path, offset=offset, exit_code=exit_code)
        )
        return told(found, following=following_page(request, following, without=("offset",)))

    @router.get("/api/execution/{identity}", tags=["builds"], response_model=ExecutionDetails, responses=answers(404))
    def one_execution(identity: BuildId) -> Response:
        """A build with its figures."""
        return told(site.database.read(lambda session: scripts.execution(session, identity)))

    @router.get("/api/stats/database", tags=["service"], response_model=DatabaseShape)
    def database_statistics() -> Response:
        """How much is stored."""
        return told(site.database.read(lambda session: scripts.database(session, site.database)))


def _add_metrics(router: APIRouter, site: Site) -> None:
    @router.get("/api/metrics/latest", tags=["metrics"], response_model=list[LatestMetric], responses=answers(404))
    def latest_metrics(script_path: Script = None, limit: Limit = 100) -> Response:
        """The figures of the newest builds, newest first."""
        return told(site.database.read(lambda session: scripts.latest(session, script=script_path, limit=limit)))

    @router.get("/api/metrics/history", tags=["metrics"], response_model=SeriesShape, responses=answers(404))
    def metric_history(
        *,
        script_path: Script = None,
        metric_name: Metric = EXECUTION_TIME,
        days: Days = 7,
        limit: Annotated[int, Query(ge=1, le=100 * MOST, description="At most so many, the newest.")] = MOST,
    ) -> Response:
        """One figure over time, oldest first: of a pipeline, or of the newest 1,000 builds of all."""
        return told(
            site.database.read(
                lambda session: scripts.series(
                    session, site.now(), script=script_path, name=metric_name, days=days, limit=limit
                )
            )
        )

    @router.get(
        "/api/metrics/aggregated",
        tags=["metrics"],
        response_model=dict[str, StatisticsShape],
        responses=answers(404),
    )
    def aggregated_metrics(
        script_path: Script = None,
        metric_name: Annotated[Text | None, Query(max_length=LONGEST)] = None,
        days: Days = 7,
    ) -> Response:
        """Each figure in a few numbers: of a pipeline, or of the newest 1,000 builds of all."""
        return told(
            site.database.read(
                lambda session: scripts.aggregated(session, site.now(), script=script_path, days=days, name=metric_name)
            )
        )


def _add_analysis(router: APIRouter, site: Site) -> None:
    @router.get("/api/analysis/trend", tags=["analysis"], response_model=TrendAnswer, responses=answers(404))
    def trend(script_path: NeededScript, metric_name: Metric = EXECUTION_TIME, days: Days = 30) -> Response:
        """Where a figure of a pipeline goes."""
        return told(
            site.database.read(
                lambda session: scripts.trend(session, site.now(), script=script_path, name=metric_name, days=days)
            )
        )

    @router.get("/api/analysis/baseline", tags=["analysis"], response_model=BaselineAnswer, responses=answers(404))
    def baseline(
        script_path: NeededScript,
        metric_name: Metric = EXECUTION_TIME,
        method: Method = Method.INTELLIGENT,
        days: Days = 30,
    ) -> Response:
        """What is usual for a figure of a pipeline."""
        return told(
            site.database.read(
                lambda session: scripts.baseline(
                    session, site.now(), script=script_path, name=metric_name, days=days, method=method
                )
            )
        )
