"""The dashboard: every page is whole as it comes from here; scripts only keep it current."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse

from domain.build import Outcome, Status, Verdict
from domain.window import Window
from metrics.baseline import Method
from store import pipelines
from store.browsing import Place, Wanted
from store.engine import Session
from store.pipelines import Known
from web.access.scopes import Reader
from web.dashboard import alert_pages, alerts, analysis, assets, builds, charts, messages, tests
from web.dashboard import pipelines as piped
from web.dashboard.showing import Pages
from web.problems import Fault, ProblemError
from web.reading import days, overview
from web.site import Site

LONGEST = 300  # characters of a filter
LABEL = "label."  # before the name of a label in an address: `?label.cloud=aws`
STATUSES: Mapping[str, Mapping[str, Any]] = {
    "failed": {"verdicts": frozenset({Verdict.FAILED})},
    "passed": {"verdicts": frozenset({Verdict.PASSED})},
    "neutral": {"verdicts": frozenset({Verdict.NEUTRAL})},
    "running": {"statuses": frozenset({Status.RUNNING})},
    "queued": {"statuses": frozenset({Status.QUEUED})},
}
WEEK = timedelta(days=7)

Text = Annotated[str, Query(max_length=LONGEST)]
Choice = Annotated[str | None, Query(max_length=LONGEST)]
Numbered = Annotated[int, Query(ge=1, le=10**6)]


def router_of(site: Site) -> APIRouter:
    """All pages."""
    pages = Pages(site)
    router = APIRouter(tags=["dashboard"], default_response_class=HTMLResponse)
    router.include_router(assets.routes(pages.assets))
    _add_overview(router, pages)
    _add_details(router, pages)
    _add_pipelines(router, pages)
    _add_build(router, pages)
    _add_analysis(router, pages)
    alert_pages.add(router, pages)
    return router


def _add_overview(router: APIRouter, pages: Pages) -> None:
    @router.get("/", summary="Dashboard")
    def show_overview(
        request: Request, caller: Reader, window: Choice = None, by: Choice = None, kiosk: Choice = None
    ) -> Response:
        """What is broken now, what has changed, and a window in figures. `kiosk=1`: for a screen on the wall."""
        now, settings = pages.site.now(), pages.site.settings()
        day = days.day_named(window, now, settings)
        week = days.last_days(now, settings)
        asked = overview.Asked(day, week, days.before(day, settings), by, labels_in(request), now)

        def read(session: Session) -> tuple[overview.Overview, list[alerts.Shown]]:
            return (
                overview.overview(session, pages.site.remembered, asked),
                alerts.firing(session, pages.site.remembered, now),
            )

        seen, broken = pages.read(read)
        template = "kiosk.html" if kiosk == "1" else "overview.html"
        return pages.show(request, caller, template, seen=seen, broken=broken, days=week, day=day, labels=asked.labels)


def _add_details(router: APIRouter, pages: Pages) -> None:
    @router.get("/details", summary="Builds, newest first")
    def list_builds(
        request: Request,
        caller: Reader,
        *,
        reason: Choice = None,
        window: Choice = None,
        pipeline: Choice = None,
        branch: Choice = None,
        status: Choice = None,
        outcome: Choice = None,
        q: Text = "",
        after: Choice = None,
    ) -> Response:
        """The builds behind a figure. `reason=` (empty): failures of which nobody knows the cause."""
        now, settings = pages.site.now(), pages.site.settings()
        day = days.day_named(window, now, settings) if window else None
        chosen = _status(status, outcome)

        def read(session: Session) -> tuple[builds.Behind, Known | None]:
            called = _called(pipelines.all(session), pipeline) if pipeline else None
            wanted = Wanted(
                pipelines=None if called is None else [each.id for each in called],
                branch=branch or None,
                labels=labels_in(request),
                bucket=reason,
                text=q or None,
                since=day.window.start if day else None,
                until=day.window.end if day and not (day.is_current and reason is None) else None,
                **chosen,
            )
            numbered = [each for each in called or () if str(each.id) == pipeline]
            return builds.behind(session, wanted, _place(after)), next(iter(numbered), None)

        found, meant = pages.read(read)
        return pages.show(
            request,
            caller,
            "details.html",
            found=found,
            meant=meant,
            reason=reason,
            day=day,
            days=days.last_days(now, settings),
            labels=labels_in(request),
            statuses=list(STATUSES),
        )


def _add_pipelines(router: APIRouter, pages: Pages) -> None:
    @router.get("/pipelines", summary="Pipelines")
    def list_pipelines(
        request: Request, caller: Reader, q: Text = "", state: Text = "", page: Numbered = 1
    ) -> Response:
        """All pipelines, those that fail first."""
        if state and state not in piped.ORDER:
            raise _unusable("state", f"one of {', '.join(piped.ORDER)}")
        now = pages.site.now()
        found = pages.read(lambda session: piped.listing(session, now, text=q, state=state, page=page))
        return pages.show(request, caller, "pipelines.html", found=found, state=state, q=q)

    @router.get("/pipelines/{pipeline_id}", summary="A pipeline")
    def show_pipeline(request: Request, caller: Reader, pipeline_id: int, branch: Choice = None) -> Response:
        """Its last builds, rate and durations with what is usual, alerts, failing and flaky tests."""
        now = pages.site.now()
        found = pages.read(lambda session: piped.whole(session, _pipeline(session, pipeline_id), branch, now))
        return pages.show(
            request,
            caller,
            "pipeline.html",
            found=found,
            durations=charts.durations(found),
            rates=charts.rates(found),
        )


def _add_build(router: APIRouter, pages: Pages) -> None:
    @router.get("/builds/{build_id}", summary="A build")
    def show_build(request: Request, caller: Reader, build_id: int) -> Response:
        """Its stages, log, cause, tests, what came in, and who was told of it."""
        now = pages.site.now()
        week = Window(start=now - WEEK, end=now)
        found = pages.read(lambda session: builds.whole(session, bounded(build_id), week))
        if found is None:
            raise ProblemError(404, f"there is no build {build_id}: it never was, or it is older than what is kept")
        explained = pages.site.explain(build_id)
        return pages.show(
            request,
            caller,
            "build.html",
            found=found,
            explained=explained,
            said=list(messages.of_explanation(explained)),
        )


def _add_analysis(router: APIRouter, pages: Pages) -> None:
    @router.get("/analysis", summary="Analysis of a figure")
    def show_analysis(
        request: Request,
        caller: Reader,
        *,
        pipeline: Choice = None,
        measurement: Choice = None,
        days: Annotated[int, Query(ge=1, le=365)] = 30,
        method: Method = Method.INTELLIGENT,
    ) -> Response:
        """Trend, baseline, percentiles and outliers of any measurement of a pipeline."""
        now = pages.site.now()

        def read(session: Session) -> tuple[list[Known], analysis.Figure | None]:
            known = pipelines.all(session)
            chosen = _chosen(known, pipeline)
            if chosen is None:
                return known, None
            return known, analysis.figure(session, chosen, measurement, days=days, method=method, now=now)

        known, found = pages.read(read)
        return pages.show(
            request,
            caller,
            "analysis.html",
            known=known,
            found=found,
            chart=charts.figures(found) if found else None,
            spans=analysis.SPANS,
            methods=list(Method),
        )

    @router.get("/tests", summary="Tests")
    def show_tests(request: Request, caller: Reader, q: Text = "") -> Response:
        """Failing and flaky tests of all pipelines."""
        now = pages.site.now()
        found = pages.read(lambda session: tests.tests(session, now, text=q))
        return pages.show(request, caller, "tests.html", found=found, q=q)


def labels_in(request: Request) -> dict[str, str]:
    """The labels that an address asks for: `?label.cloud=aws`."""
    found = {
        name.removeprefix(LABEL): value[:LONGEST]
        for name, value in request.query_params.items()
        if name.startswith(LABEL) and len(name) > len(LABEL)
    }
    return dict(list(found.items())[:8])


def bounded(identity: int) -> int:
    """A number that a database can look for; 0, which nothing has, instead of one that it cannot."""
    return identity if 0 < identity < 1 << 62 else 0


def _status(status: str | None, outcome: str | None) -> Mapping[str, Any]:
    if outcome:
        if outcome not in set(Outcome):
            raise _unusable("outcome", f"one of {', '.join(Outcome)}")
        return {"outcomes": frozenset({Outcome(outcome)})}
    if not status:
        return {}
    if status not in STATUSES:
        raise _unusable("status", f"one of {', '.join(STATUSES)}")
    return STATUSES[status]


def _called(known: Iterable[Known], name: str) -> list[Known]:
    """The pipelines with this number, key or name."""
    return [each for each in known if name in {str(each.id), each.pipeline.key, each.pipeline.name}]


def _chosen(known: list[Known], name: str | None) -> Known | None:
    """The pipeline with this number, key or name; the first one without a name."""
    found = _called(known, name) if name else known[:1]
    if name and not found:
        raise ProblemError(404, "there is no such pipeline")
    return next(iter(found), None)


def _pipeline(session: Session, identity: int) -> Known:
    found = pipelines.by_ids(session, [identity]) if 0 < identity < 1 << 31 else []
    if not found:
        raise ProblemError(404, f"there is no pipeline {identity}")
    return found[0]


def _place(text: str | None) -> Place | None:
    """Where a page of builds begins, as an address says it: `1763640000000.17`."""
    if not text:
        return None
    ended, _, identity = text.partition(".")
    if not (ended.isascii() and identity.isascii() and identity.isdecimal() and (not ended or ended.isdecimal())):
        raise _unusable("after", "what the link to the next page has")
    if max(len(ended), len(identity)) > len(str(1 << 60)):
        raise _unusable("after", "what the link to the next page has")
    return Place(int(ended) if ended else None, int(identity))


def _unusable(name: str, wanted: str) -> ProblemError:
    return ProblemError(422, f"cannot be used: {name}", [Fault(f"query.{name}", wanted)])
