"""Releases, modules and jobs, pass rates and tests: labels `release` and `module`, reports of builds."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from web.answers import NOT_MODIFIED, Revalidated, following_page, told
from web.asking import LONGEST, MOST, Days, Glob, Limit, Name, Span, Text, window_named
from web.paging import Cut, KeyCursor
from web.problems import answers
from web.reading import releases, tests
from web.reading.days import last_days
from web.reading.releases import FailureTrend, JobShape, ModuleShape, RateTrend, ReleaseShape
from web.reading.tests import TestHistory, TestsShape
from web.site import Site

Release = Annotated[Text | None, Query(max_length=LONGEST, description="Value of the label `release`.")]
Module = Annotated[Text | None, Query(max_length=LONGEST, description="Value of the label `module`.")]
TrendDays = Annotated[int, Query(ge=1, le=60, description="Reporting days, the current one last.")]


def router_of(site: Site) -> APIRouter:
    """These routes; reading is allowed by the router that they are put into."""
    router = APIRouter(route_class=Revalidated, responses=NOT_MODIFIED)
    _add_standing(router, site)
    _add_trends(router, site)
    _add_tests(router, site)
    return router


def _add_standing(router: APIRouter, site: Site) -> None:
    @router.get("/api/releases", tags=["metrics"], response_model=list[ReleaseShape])
    def list_releases(request: Request, window: Span = "7d", limit: Limit = MOST, cursor: KeyCursor = None) -> Response:
        """How each release stands: builds with the label `release`, of their own or of their pipeline. By name."""
        span, asked = window_named(window, site.now()), Cut(limit, cursor)
        return _page(
            request, site.database.read(lambda session: releases.releases(session, site.remembered, span, asked))
        )

    @router.get("/api/modules", tags=["metrics"], response_model=list[ModuleShape])
    def list_modules(
        request: Request, window: Span = "7d", release: Release = None, limit: Limit = MOST, cursor: KeyCursor = None
    ) -> Response:
        """How each module stands: builds with the label `module`. By name; `Link` has the next page."""
        span, asked = window_named(window, site.now()), Cut(limit, cursor)
        return _page(
            request,
            site.database.read(lambda session: releases.modules(session, site.remembered, span, release, asked)),
        )

    @router.get(
        "/api/releases/{release}/modules", tags=["metrics"], response_model=list[ModuleShape], responses=answers(404)
    )
    def modules_of_release(
        request: Request,
        release: Annotated[Text, Path(max_length=LONGEST)],
        window: Span = "7d",
        limit: Limit = MOST,
        cursor: KeyCursor = None,
    ) -> Response:
        """How the modules of a release stand. 404 when no build of the release ended in the window."""
        span, asked = window_named(window, site.now()), Cut(limit, cursor)
        return _page(
            request,
            site.database.read(lambda session: releases.modules_of(session, site.remembered, span, release, asked)),
        )

    @router.get("/api/jobs", tags=["metrics"], response_model=list[JobShape])
    def list_jobs(
        request: Request,
        window: Span = "7d",
        release: Release = None,
        module: Module = None,
        *,
        limit: Limit = MOST,
        cursor: KeyCursor = None,
    ) -> Response:
        """How the pipelines of a release and module stand: by release, module and full name."""
        span, asked = window_named(window, site.now()), Cut(limit, cursor)
        return _page(
            request,
            site.database.read(
                lambda session: releases.jobs(session, site.remembered, span, asked, release=release, module=module)
            ),
        )


def _page(request: Request, found: tuple[Sequence[Any], str | None]) -> Response:
    """An array: the cursor of the next page is in the header `Link` alone."""
    return told(found[0], following=following_page(request, found[1]))


def _add_trends(router: APIRouter, site: Site) -> None:

    @router.get("/api/trends/pass-rate", tags=["metrics"], response_model=RateTrend)
    def pass_rates(days: TrendDays = 7, release: Release = None, module: Module = None) -> Response:
        """Pass rates of builds and of their tests, per reporting day."""
        wanted = last_days(site.now(), site.settings(), days)
        return told(
            site.database.read(
                lambda session: releases.rates(session, site.remembered, wanted, release=release, module=module)
            )
        )

    @router.get("/api/trends/failures", tags=["metrics"], response_model=FailureTrend)
    def failure_patterns(days: TrendDays = 7, release: Release = None, module: Module = None) -> Response:
        """What builds failed of, per reporting day."""
        wanted = last_days(site.now(), site.settings(), days)
        return told(
            site.database.read(
                lambda session: releases.failures(session, site.remembered, wanted, release=release, module=module)
            )
        )


def _add_tests(router: APIRouter, site: Site) -> None:
    @router.get("/api/tests", tags=["builds"], response_model=TestsShape)
    def list_tests(
        request: Request,
        pipeline: Glob = None,
        branch: Name = None,
        days: Days = 14,
        limit: Annotated[int, Query(ge=1, le=200, description="At most so many branches.")] = 20,
        *,
        cursor: KeyCursor = None,
        flaky: Annotated[bool, Query(description="Only branches with flaky tests.")] = False,
    ) -> Response:
        """How the tests of each branch stand: which fail, which are new among them, which are flaky."""
        since, asked = site.now() - timedelta(days=days), Cut(limit, cursor)
        found = site.database.read(
            lambda session: tests.standing(session, since, asked, pipeline=pipeline, branch=branch, only_flaky=flaky)
        )
        return told(found, following=following_page(request, found["next"]))

    @router.get("/api/tests/history", tags=["builds"], response_model=TestHistory)
    def test_history(
        test: Annotated[
            Text, Query(min_length=1, max_length=LONGEST, description="Its name, `suite::name`, or a glob over that.")
        ],
        pipeline: Glob = None,
        branch: Name = None,
        days: Days = 30,
        limit: Limit = 50,
    ) -> Response:
        """How a test fared, build by build."""
        since = site.now() - timedelta(days=days)
        return told(
            site.database.read(
                lambda session: tests.story(session, since, test=test, pipeline=pipeline, branch=branch, limit=limit)
            )
        )
