"""Releases, modules and jobs, pass rates and tests: labels `release` and `module`, reports of builds."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from metrics.windows import day_window, reporting_day
from web.answers import NOT_MODIFIED, Revalidated, told
from web.asking import LONGEST, Days, Glob, Limit, Name, Text, not_found, window_named
from web.problems import answers
from web.reading import releases, tests
from web.reading.days import Day
from web.reading.releases import FailureTrend, JobShape, ModuleShape, RateTrend, ReleaseShape
from web.reading.remembered import Remembered
from web.reading.tests import TestHistory, TestsShape
from web.site import Site

Span = Annotated[str, Query(max_length=20, description="A span up to now, like 24h or 7d.")]
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
    def list_releases(window: Span = "7d") -> Response:
        """How each release stands: builds with the label `release`, of their own or of their pipeline."""
        span = window_named(window, site.now())
        return told(site.database.read(lambda session: releases.releases(session, span)))

    @router.get("/api/modules", tags=["metrics"], response_model=list[ModuleShape])
    def list_modules(window: Span = "7d", release: Release = None) -> Response:
        """How each module stands: builds with the label `module`."""
        span = window_named(window, site.now())
        return told(site.database.read(lambda session: releases.modules(session, span, release)))

    @router.get(
        "/api/releases/{release}/modules", tags=["metrics"], response_model=list[ModuleShape], responses=answers(404)
    )
    def modules_of_release(release: Annotated[Text, Path(max_length=LONGEST)], window: Span = "7d") -> Response:
        """How the modules of a release stand. 404 when no build of the release ended in the window."""
        span = window_named(window, site.now())
        if release not in {each["release"] for each in site.database.read(lambda s: releases.releases(s, span))}:
            raise not_found(f"the release {release!r}")
        return told(site.database.read(lambda session: releases.modules(session, span, release)))

    @router.get("/api/jobs", tags=["metrics"], response_model=list[JobShape])
    def list_jobs(window: Span = "7d", release: Release = None, module: Module = None) -> Response:
        """How the pipelines of a release and module stand."""
        span = window_named(window, site.now())
        return told(site.database.read(lambda session: releases.jobs(session, span, release=release, module=module)))


def _add_trends(router: APIRouter, site: Site) -> None:
    remembered = Remembered()

    def days_back(count: int) -> list[Day]:
        settings = site.settings()
        today = reporting_day(site.now(), settings.day_starts_at, settings.zone)
        dates = [today - timedelta(days=back) for back in reversed(range(count))]
        return [
            Day(date=day, window=day_window(day, settings.day_starts_at, settings.zone), is_current=day == today)
            for day in dates
        ]

    @router.get("/api/trends/pass-rate", tags=["metrics"], response_model=RateTrend)
    def pass_rates(days: TrendDays = 7, release: Release = None, module: Module = None) -> Response:
        """Pass rates of builds and of their tests, per reporting day."""
        wanted = days_back(days)
        return told(
            site.database.read(
                lambda session: releases.rates(session, remembered, wanted, release=release, module=module)
            )
        )

    @router.get("/api/trends/failures", tags=["metrics"], response_model=FailureTrend)
    def failure_patterns(days: TrendDays = 7, release: Release = None, module: Module = None) -> Response:
        """What builds failed of, per reporting day."""
        wanted = days_back(days)
        return told(
            site.database.read(
                lambda session: releases.failures(session, remembered, wanted, release=release, module=module)
            )
        )


def _add_tests(router: APIRouter, site: Site) -> None:
    @router.get("/api/tests", tags=["builds"], response_model=TestsShape)
    def list_tests(
        pipeline: Glob = None,
        branch: Name = None,
        days: Days = 14,
        limit: Annotated[int, Query(ge=1, le=200, description="At most so many branches.")] = 20,
        *,
        flaky: Annotated[bool, Query(description="Only branches with flaky tests.")] = False,
    ) -> Response:
        """How the tests of each branch stand: which fail, which are new among them, which are flaky."""
        since = site.now() - timedelta(days=days)
        return told(
            site.database.read(
                lambda session: tests.standing(
                    session, since, pipeline=pipeline, branch=branch, limit=limit, only_flaky=flaky
                )
            )
        )

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
