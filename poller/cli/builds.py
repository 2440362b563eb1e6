"""`buildwatch builds`: recent builds."""

from datetime import datetime
from typing import Annotated, Any

import typer

from domain.build import Outcome, Status, Verdict
from poller.cli.arguments import since_moment
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened_to_read, present
from poller.cli.showing import BAD, DIM, GOOD, WARN, Cell, ago, iso, print_json, print_table, say, seconds, took
from store import builds as stored_builds
from store.builds import BuildView

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

HEADERS = ("ID", "PIPELINE", "BUILD", "BRANCH", "OUTCOME", "TOOK", "ENDED", "WHY", "URL")
STYLES = {Verdict.PASSED: GOOD, Verdict.FAILED: BAD, Verdict.NEUTRAL: DIM, None: WARN}


@app.command()
def builds(
    config: ConfigOption = None,
    pipeline: Annotated[str | None, typer.Option(metavar="GLOB", help="Over full names and display names.")] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="A span like 7d, or a date like 2026-11-01.")] = "7d",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Recent builds, running ones first, then the newest."""
    now = present()
    begin = since_moment(since, now)
    with opened_to_read(load_configuration(config)) as database:
        found = database.read(
            lambda session: stored_builds.recent(session, pipelines=pipeline, since=begin, limit=limit)
        )
    if as_json:
        print_json([described(view) for view in found])
    elif found:
        print_table(HEADERS, [_row(view, now) for view in found])
    else:
        say(f"no builds since {begin:%Y-%m-%d %H:%M} UTC" + (f" of pipelines like {pipeline}" if pipeline else ""))


def described(view: BuildView) -> dict[str, Any]:
    """A build as `builds --json` shows it; the keys are a contract."""
    build, tests = view.build, view.build.tests
    counts = tests and {"total": tests.total, "passed": tests.passed, "failed": tests.failed, "skipped": tests.skipped}
    return {
        "id": build.id,
        "provider": build.pipeline.provider,
        "pipeline": build.pipeline.key,
        "name": build.pipeline.name,
        "external_id": build.external_id,
        "number": build.number,
        "attempt": build.attempt,
        "status": build.status,
        "outcome": build.outcome,
        "raw_outcome": build.raw_outcome,
        "verdict": view.verdict,
        "flaky": view.flaky,
        "branch": build.branch,
        "commit": build.commit,
        "title": build.title,
        "trigger": build.trigger,
        "actor": build.actor,
        "is_fork": build.is_fork,
        "is_pull_request": build.is_pull_request,
        "queued_at": iso(build.queued_at),
        "started_at": iso(build.started_at),
        "finished_at": iso(build.finished_at),
        "duration_seconds": seconds(build.duration),
        "queue_seconds": seconds(build.queue_time),
        "url": build.url,
        "failing_stage": build.failing_stage,
        "bucket": build.bucket,
        "reason": build.reason,
        "labels": {**build.pipeline.labels, **build.labels},
        "tests": counts,
        "measurements": dict(build.measurements),
    }


def _row(view: BuildView, now: datetime) -> list[Cell]:
    build = view.build
    why = " · ".join(part for part in (build.reason, build.failing_stage and f"in {build.failing_stage}") if part)
    return [
        str(build.id),
        build.pipeline.name if build.pipeline.name == build.pipeline.key else build.pipeline.key,
        f"#{build.number}" + (f" attempt {build.attempt}" if build.attempt > 1 else ""),
        branch_of(view),
        (ended(view), STYLES[view.verdict]),
        took(seconds(build.duration)),
        ago(build.finished_at, now) if build.status is Status.FINISHED else "-",
        why,
        (build.url or "", DIM),
    ]


def branch_of(view: BuildView) -> str:
    """The branch, marked when the build does not count for it."""
    build = view.build
    mark = " (fork)" if build.is_fork else " (pull request)" if build.is_pull_request else ""
    return (build.branch or "-") + mark


def ended(view: BuildView) -> str:
    """How a build ended, or how far it has come."""
    build = view.build
    if build.outcome is None:
        return build.status.value
    unknown = build.outcome is Outcome.UNKNOWN and build.raw_outcome
    return f"unknown ({build.raw_outcome})" if unknown else build.outcome.value
