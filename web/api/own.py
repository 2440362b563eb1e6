"""Our own API: pipelines, builds, windows, causes, labels, figures and what the daemon knows of itself."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from metrics.baseline import Method
from store.engine import Session
from web.access.scopes import reader
from web.answers import NOT_MODIFIED, TELLS_JSON, Revalidated, following_page, told
from web.api import alerts as api_alerts
from web.api import releases as api_releases
from web.asking import (
    LABELS,
    LONGEST,
    BuildId,
    Cursor,
    Days,
    Filtered,
    Glob,
    Limit,
    Name,
    NumberCursor,
    PipelineId,
    Span,
    Text,
    labels_in,
    not_found,
    pipeline_by_id,
    window_named,
)
from web.paging import Cut, KeyCursor
from web.problems import answers
from web.reading import builds, figures, pipelines, windows
from web.reading.days import before, day_named, last_days
from web.reading.figures import FigureShape
from web.reading.overview import Asked, overview
from web.reading.windows import BucketList, ByLabel, LabelList, WindowShape
from web.settings import Settings
from web.shapes import BuildAnswer, BuildPage, PipelineDetails, PipelinePage, plain
from web.site import Site


def router_of(site: Site) -> APIRouter:
    """All of it, over a site."""
    router = APIRouter(
        dependencies=[Depends(reader), TELLS_JSON],
        route_class=Revalidated,
        responses={**NOT_MODIFIED, **answers(406, 422)},
    )
    _add_pipelines(router, site)
    _add_builds(router, site)
    _add_windows(router, site)
    _add_service(router, site)
    router.include_router(api_alerts.router_of(site))
    router.include_router(api_releases.router_of(site))
    return router


def _add_pipelines(router: APIRouter, site: Site) -> None:
    @router.get("/api/pipelines", tags=["builds"], response_model=PipelinePage)
    def list_pipelines(
        request: Request,
        *,
        pipeline: Glob = None,
        provider: Name = None,
        window: Span = "24h",
        limit: Limit = 100,
        cursor: NumberCursor = None,
    ) -> Response:
        """Pipelines by provider and full name: a window's counts, the last build, how many alerts fire."""
        span = window_named(window, site.now())
        found = site.database.read(
            lambda session: pipelines.page(
                session,
                site.remembered,
                span,
                word=window,
                pattern=pipeline,
                provider=provider,
                limit=limit,
                after=cursor,
            )
        )
        return told(found, following=following_page(request, found["next"]))

    @router.get("/api/pipelines/{identity}", tags=["builds"], response_model=PipelineDetails, responses=answers(404))
    def one_pipeline(
        identity: PipelineId, days: Annotated[int, Query(ge=1, le=60, description="Reporting days.")] = 14
    ) -> Response:
        """One pipeline: its last 50 builds, rates and durations per reporting day with what is usual, its alerts."""
        settings = site.settings()
        return told(
            site.database.read(
                lambda session: pipelines.details_of(
                    session,
                    pipeline_by_id(session, identity),
                    site.now(),
                    day_starts_at=settings.day_starts_at,
                    zone=settings.zone,
                    days=days,
                )
            )
        )

    @router.get("/api/metrics/{identity}/{name}", tags=["analysis"], response_model=FigureShape, responses=answers(404))
    def one_figure(
        identity: PipelineId,
        name: Annotated[Text, Path(max_length=LONGEST, description="duration_seconds, tests_failed, ...")],
        days: Days = 30,
        branch: Name = None,
        method: Method = Method.INTELLIGENT,
    ) -> Response:
        """One figure of a pipeline over time: history, percentiles, trend, baseline, builds that stand out."""
        return told(
            site.database.read(
                lambda session: figures.figure(
                    session,
                    pipeline_by_id(session, identity),
                    name,
                    now=site.now(),
                    days=days,
                    branch=branch,
                    method=method,
                )
            )
        )


def _add_builds(router: APIRouter, site: Site) -> None:
    @router.get("/api/builds", tags=["builds"], response_model=BuildPage, openapi_extra=LABELS)
    def list_builds(request: Request, asked: Filtered, limit: Limit = 50, cursor: Cursor = None) -> Response:
        """Builds, newest first: those that run or wait, then those that ended. Of a build the attempt that counts.

        Labels are filtered by `label.NAME=VALUE`. A page may be shorter than its limit and still have a next one:
        rare things are looked for step by step.
        """
        found = site.database.read(
            lambda session: builds.page(session, site.remembered, asked, site.now(), limit=limit, cursor=cursor)
        )
        return told(found, following=following_page(request, found["next"]))

    @router.get("/api/builds/{identity}", tags=["builds"], response_model=BuildAnswer, responses=answers(404))
    def one_build(identity: BuildId) -> Response:
        """Everything about a build: stages, log lines, cause, changes, tests, notes, attempts, who was told and why."""
        found = site.database.read(lambda session: builds.details_of(session, identity))
        explained = site.explain(identity)
        return told({**found, "explain": None if explained is None else plain(explained)})

    @router.get(
        "/api/builds/{identity}/explain", tags=["builds"], response_model=dict[str, Any], responses=answers(404)
    )
    def explain_build(identity: BuildId) -> Response:
        """Who was told of a build, or exactly why nobody: what `buildwatch explain --json` prints."""
        found = site.explain(identity)
        if found is None:
            raise not_found(f"build {identity}")
        return told(plain(found))


def _add_windows(router: APIRouter, site: Site) -> None:

    @router.get("/api/windows", tags=["metrics"], response_model=WindowShape, openapi_extra=LABELS)
    def one_window(
        request: Request,
        window: Annotated[
            str | None, Query(max_length=10, description="A date like 2026-11-20, or 0 to 6 days back; default: 0.")
        ] = None,
        by: Annotated[Text | None, Query(max_length=LONGEST, description="The label that builds are shown by.")] = None,
    ) -> Response:
        """A reporting day: tiles, outcomes, causes, what has changed, and the last seven days per label value."""
        asked = _asked(site.settings(), request, window, by)
        return told(site.database.read(lambda session: _window(session, asked)))

    def _asked(settings: Settings, request: Request, window: str | None, by: str | None) -> Asked:
        now = site.now()
        day = day_named(window, now, settings)
        return Asked(day, last_days(now, settings), before(day, settings), by, labels_in(request), now)

    def _window(session: Session, asked: Asked) -> WindowShape:
        seen = overview(session, site.remembered, asked)
        return windows.window_shape(seen, asked.days, builds.shaped(session, seen.recent, site.remembered))

    @router.get("/api/buckets", tags=["metrics"], response_model=BucketList)
    def list_buckets(window: Span = "24h", limit: Limit = 100) -> Response:
        """What builds failed of, the most frequent cause first; `more` counts the causes that are left out."""
        span = window_named(window, site.now())
        return told(site.database.read(lambda session: windows.buckets(session, window, span, limit)))

    @router.get("/api/labels", tags=["metrics"], response_model=LabelList)
    def list_labels() -> Response:
        """The labels of pipelines, and of builds of the last week, with their values."""
        days = last_days(site.now(), site.settings())
        return told(site.database.read(lambda session: windows.labels(session, site.remembered, days)))

    @router.get("/api/labels/{label}", tags=["metrics"], response_model=ByLabel)
    def one_label(
        request: Request,
        label: Annotated[Text, Path(max_length=LONGEST)],
        window: Span = "24h",
        limit: Limit = 100,
        cursor: KeyCursor = None,
    ) -> Response:
        """A window by the values of a label, over all pipelines; the values by name."""
        span, asked = window_named(window, site.now()), Cut(limit, cursor)
        found = site.database.read(lambda session: windows.by_label(session, label, window, span, asked))
        return told(found, following=following_page(request, found["next"]))


def _add_service(router: APIRouter, site: Site) -> None:
    @router.get("/api/status", tags=["service"], response_model=dict[str, Any])
    def status() -> Response:
        """What `buildwatch status --json` prints: providers, pipelines, channels, the outbox."""
        return told(plain(site.standing()))
