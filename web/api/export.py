"""Everything as a file: CSV and JSON that stream, so that a million builds need no more memory than a thousand.

Each page is a transaction of its own: a slow reader holds nothing open. A file has what was stored when it began, each
build once: those that come in meanwhile are left out, and one that ends meanwhile stays where it was.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Query
from starlette.responses import StreamingResponse

from domain.measurement import built_in
from store import browsing, builds
from store.browsing import Place, Wanted
from store.builds import BuildView
from store.engine import Session
from web.access.scopes import reader
from web.answers import TELLS_JSON, acceptable
from web.asking import LABELS, LONGEST, Filtered, Text
from web.problems import answers
from web.reading.builds import shaped
from web.shapes import iso
from web.site import Site

_CSV_WANTED = acceptable("text/csv")
PAGE: Final = 1000
FORMULA: Final = frozenset("=+-@\t\r\n\0＝＋－＠")  # noqa: RUF001  (spreadsheets of some languages take the wide ones, too)
"""What makes a spreadsheet calculate instead of show, at the beginning of a cell: ASVS 1.2.10, CWE-1236."""

Cell = str | float | bool | None
BUILD_COLUMNS: Final = (
    "id",
    "provider",
    "pipeline",
    "name",
    "number",
    "attempt",
    "external_id",
    "status",
    "outcome",
    "raw_outcome",
    "verdict",
    "flaky",
    "branch",
    "commit",
    "title",
    "trigger",
    "actor",
    "is_fork",
    "is_pull_request",
    "queued_at",
    "started_at",
    "finished_at",
    "duration_seconds",
    "queue_seconds",
    "failing_stage",
    "bucket",
    "reason",
    "labels",
    "tests_passed",
    "tests_failed",
    "tests_skipped",
    "url",
)
METRIC_COLUMNS: Final = (
    "build",
    "provider",
    "pipeline",
    "name",
    "branch",
    "number",
    "attempt",
    "finished_at",
    "verdict",
    "metric",
    "value",
)
_CSV: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A file with a line of names first.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}
_JSON: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "An array of builds, like those of /api/builds.",
        "content": {"application/json": {"schema": {"type": "array", "items": {"type": "object"}}}},
    }
}


def router_of(site: Site) -> APIRouter:
    """These routes, over a site."""
    router = APIRouter(
        prefix="/api/export", tags=["export"], dependencies=[Depends(reader)], responses=answers(406, 422)
    )

    def wanted(asked: Filtered) -> Wanted:
        """Before the first byte is sent: what cannot be used is still a problem."""
        return site.database.read(lambda session: asked.wanted(session, site.now()))

    @router.get(
        "/builds.csv",
        dependencies=[_CSV_WANTED],
        responses=_CSV,
        response_class=StreamingResponse,
        openapi_extra=LABELS,
    )
    def builds_csv(asked: Filtered) -> StreamingResponse:
        """All builds that are asked for, newest first, with the filters of /api/builds."""
        return _file(_csv(BUILD_COLUMNS, map(_build_rows, pages(site, wanted(asked)))), "builds.csv", "text/csv")

    @router.get(
        "/builds.json",
        dependencies=[TELLS_JSON],
        responses=_JSON,
        response_class=StreamingResponse,
        openapi_extra=LABELS,
    )
    def builds_json(asked: Filtered) -> StreamingResponse:
        """All builds that are asked for, newest first, with the filters of /api/builds."""
        return _file(_array(pages(site, wanted(asked))), "builds.json", "application/json")

    @router.get(
        "/metrics.csv",
        dependencies=[_CSV_WANTED],
        responses=_CSV,
        response_class=StreamingResponse,
        openapi_extra=LABELS,
    )
    def metrics_csv(
        asked: Filtered,
        metric_name: Annotated[
            list[Text] | None, Query(max_length=100, description="Only these figures; may be given several times.")
        ] = None,
    ) -> StreamingResponse:
        """All figures of all builds that are asked for: a line for each, with the filters of /api/builds."""
        names = frozenset(each[:LONGEST] for each in metric_name or ())
        rows = (_metric_rows(views, names) for views in pages(site, wanted(asked), lambda _, views: list(views)))
        return _file(_csv(METRIC_COLUMNS, rows), "metrics.csv", "text/csv")

    return router


def _file(chunks: Iterator[bytes], name: str, media_type: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingResponse(chunks, media_type=media_type, headers=headers)


def _shaped(session: Session, views: Sequence[BuildView]) -> list[Any]:
    return list(shaped(session, views))


def pages(
    site: Site, wanted: Wanted, read: Callable[[Session, Sequence[BuildView]], list[Any]] = _shaped
) -> Iterator[list[Any]]:
    """What is wanted, page by page. Who goes away is not read for any longer: nobody asks for the next one."""
    after: Place | None = None
    last = site.database.read(builds.last_id)  # what is stored later has higher numbers
    unfinished: set[int] = set()  # they are in the file already

    def page(session: Session) -> tuple[list[Any], list[int], Place | None]:
        found = browsing.page(session, wanted, limit=PAGE, after=after)
        kept = [each for each in found.builds if (each.build.id or 0) <= last and each.build.id not in unfinished]
        going = [each.build.id or 0 for each in kept if each.build.finished_at is None]
        return read(session, kept), going, found.next

    while True:
        items, going, after = site.database.read(page)
        unfinished.update(going)
        if items:
            yield items
        if after is None:
            return


def _array(pages: Iterable[list[Any]]) -> Iterator[bytes]:
    """A JSON array, a build on each line."""
    mark = b"[\n"
    for items in pages:
        yield mark + b",\n".join(map(orjson.dumps, items))
        mark = b",\n"
    yield b"\n]\n" if mark != b"[\n" else b"[]\n"


def _csv(columns: Sequence[str], pages: Iterable[Iterable[Sequence[Cell]]]) -> Iterator[bytes]:
    """The lines of a file, those of a page at a time."""
    yield _lines([columns])
    for rows in pages:
        yield _lines(rows)


def _lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def harmless(cell: Cell) -> Cell:
    """The cell as a spreadsheet shows it: text never begins like a formula. Numbers stay numbers."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, str) and cell[:1] in FORMULA and cell:
        return f"'{cell}"
    return cell


def _build_rows(shapes: Iterable[Any]) -> list[list[Cell]]:
    return [[_cell(shape, column) for column in BUILD_COLUMNS] for shape in shapes]


def _cell(shape: Any, column: str) -> Cell:
    if column == "labels":
        return "; ".join(f"{name}={value}" for name, value in sorted(shape["labels"].items()))
    if column.startswith("tests_"):
        shape, column = shape["tests"] or {}, column.removeprefix("tests_")
    cell: Cell = shape.get(column)
    return cell


def _metric_rows(views: Iterable[BuildView], names: frozenset[str]) -> Iterator[list[Cell]]:
    for view in views:
        build = view.build
        for metric, value in {**built_in(build), **build.measurements}.items():
            if not names or metric in names:
                yield [
                    build.id,
                    build.pipeline.provider,
                    build.pipeline.key,
                    build.pipeline.name,
                    build.branch,
                    build.number,
                    build.attempt,
                    iso(build.finished_at),
                    view.verdict,
                    metric,
                    value,
                ]
