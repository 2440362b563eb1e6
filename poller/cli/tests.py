"""`buildwatch tests`: failing tests and since when, flaky ones, the history of one."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from alerts.wording import plural, short_commit
from domain.testhistory import ErrorGroup, Trial
from domain.testreport import TestStatus
from metrics.flakiness import Flaky
from poller.cli.arguments import since_moment
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened_to_read, present
from poller.cli.showing import BAD, DIM, GOOD, WARN, Cell, ago, iso, print_json, print_table, say, share, took
from poller.cli.test_view import Failing, StreamTests, TestStory, stories, streams

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

_MOST = 50  # lines of a table for people
_WORDS = {TestStatus.PASSED: GOOD, TestStatus.FAILED: BAD, TestStatus.ERROR: BAD, TestStatus.SKIPPED: DIM}


@app.command()
def show(
    *,
    config: ConfigOption = None,
    pipeline: Annotated[str | None, typer.Option(metavar="GLOB", help="Over full names and display names.")] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="A span like 14d, or a date like 2026-11-01.")] = "14d",
    flaky: Annotated[bool, typer.Option("--flaky", help="Only flaky tests, with the evidence.")] = False,
    slower: Annotated[bool, typer.Option("--slower", help="Also tests that take longer than they did.")] = False,
    test: Annotated[
        str | None, typer.Option("--test", metavar="NAME", help="The history of one: name, suite::name, or a glob.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Failing tests and since when, those that fail with the same error, and flaky ones."""
    now = present()
    begin = since_moment(since, now)
    with opened_to_read(load_configuration(config)) as database:
        if test is not None:
            told = database.read(lambda session: stories(session, test, pipeline, begin))
            _show_stories(told, test, begin, now, as_json=as_json)
            return
        found = database.read(lambda session: streams(session, pipeline, begin, slower=slower))
    if as_json:
        print_json([described(each, only_flaky=flaky) for each in found])
    elif not found:
        say(
            f"no tests were read since {begin:%Y-%m-%d %H:%M} UTC" + (f" of pipelines like {pipeline}" * bool(pipeline))
        )
    else:
        for each in found:
            _show_stream(each, now, only_flaky=flaky)


def described(stream: StreamTests, *, only_flaky: bool = False) -> dict[str, Any]:
    """A stream as `tests --json` shows it; the keys are a contract."""
    provider, key, branch = stream.place
    build = stream.build
    told: dict[str, Any] = {
        "provider": provider,
        "pipeline": key,
        "name": stream.name,
        "branch": branch or None,
        "build": build
        and {"id": build.id, "number": build.number, "finished_at": iso(build.finished_at), "url": build.url},
        "total": stream.total,
    }
    if not only_flaky:
        known = {(each.suite, each.name) for each in stream.flaky}
        told["failing"] = [_failing(each, known) for each in stream.failing]
        told["groups"] = [_group(each) for each in stream.groups]
        told["partial"] = stream.stand is not None and stream.stand.changes.partial
    if stream.slower is not None:
        told["slower"] = [asdict(each) for each in stream.slower]
    return told | {"flaky": [_flaky(each) for each in stream.flaky]}


def _failing(failing: Failing, flaky: set[tuple[str, str]]) -> dict[str, Any]:
    return {
        "suite": failing.suite,
        "name": failing.name,
        "since": _run(failing.since),
        "builds": failing.builds,
        "new": failing.is_new,
        "flaky": (failing.suite, failing.name) in flaky,
        "message": failing.message,
    }


def _group(group: ErrorGroup) -> dict[str, Any]:
    return {
        "error": group.error,
        "count": group.size,
        "tests": [{"suite": suite, "name": name} for suite, name in group.tests],
    }


def _flaky(flaky: Flaky) -> dict[str, Any]:
    return {
        "suite": flaky.suite,
        "name": flaky.name,
        "rate": round(flaky.rate, 4),
        "flips": flaky.flips,
        "failed": flaky.failed,
        "ran": flaky.ran,
        "both_ways": list(flaky.both_ways),
        "retried": flaky.retried,
        "last_failed": _run(flaky.last_failed),
    }


def _run(run: Trial | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {"id": run.build_id, "number": run.number, "attempt": run.attempt, "finished_at": iso(run.finished_at)}


def _show_stream(stream: StreamTests, now: datetime, *, only_flaky: bool) -> None:
    _, key, branch = stream.place
    where = f"{stream.name if stream.name == key else key}" + (f" / {branch}" if branch else "")
    build = f" in #{stream.build.number}, {ago(stream.build.finished_at, now)}" if stream.build is not None else ""
    tests = f" of {stream.total}" if stream.total else ""
    if not only_flaky:
        failing = plural(len(stream.failing), "failing test")
        say(f"{where}: {failing}{tests}{build}", BAD if stream.failing else GOOD)
        rows = [_failing_row(each, now) for each in stream.failing[:_MOST]]
        _table(("  TEST", "SINCE", "BUILDS", "ERROR"), rows, len(stream.failing))
        for group in stream.groups:
            say(f"  {group.size} tests fail with the same error: {group.error}")
    if stream.flaky or only_flaky:
        say(f"{where}: {plural(len(stream.flaky), 'flaky test')}", WARN if stream.flaky else "")
        rows = [_flaky_row(each, now) for each in stream.flaky[:_MOST]]
        _table(("  TEST", "FAILS", "EVIDENCE", "LAST"), rows, len(stream.flaky))

    if stream.slower is not None:
        say(f"{where}: {plural(len(stream.slower), 'test')} slower than before", WARN if stream.slower else "")
        rows = [
            [f"  {_name(each.suite, each.name)}", f"{each.before:.1f} s", f"{each.now:.1f} s"]
            for each in stream.slower[:_MOST]
        ]
        _table(("  TEST", "BEFORE", "NOW"), rows, len(stream.slower))


def _table(headers: Sequence[str], rows: Sequence[Sequence[Cell]], total: int) -> None:
    if rows:
        print_table(headers, rows)
    if total > len(rows):
        say(f"  and {total - len(rows)} more; --json has them all", DIM)


def _failing_row(failing: Failing, now: datetime) -> list[Cell]:
    since = failing.since
    began = f"#{since.number}, {ago(since.finished_at, now)}" if since is not None else "-"
    message = (failing.message or "").strip().partition("\n")[0]
    return [
        f"  {_name(failing.suite, failing.name)}",
        (began + (" (new)" if failing.is_new else ""), BAD if failing.is_new else ""),
        str(failing.builds),
        message,
    ]


def _flaky_row(flaky: Flaky, now: datetime) -> list[Cell]:
    last = flaky.last_failed
    return [
        f"  {_name(flaky.suite, flaky.name)}",
        share(flaky.rate),
        evidence(flaky),
        f"#{last.number}, {ago(last.finished_at, now)}" if last is not None else "-",
    ]


def evidence(flaky: Flaky) -> str:
    """`failed 4 of 28 builds, changed sides 7 times; both ways on 0123abcd`: why a test is taken for flaky."""
    parts = [f"failed {flaky.failed} of {plural(flaky.ran, 'build')}, changed sides {plural(flaky.flips, 'time')}"]
    if flaky.both_ways:
        named = ", ".join(short_commit(commit) or "" for commit in flaky.both_ways[:3])
        parts.append(f"both ways on {named}")
    if flaky.retried:
        parts.append(f"passed on retry in {plural(flaky.retried, 'build')}")
    return "; ".join(parts)


def _name(suite: str, name: str) -> str:
    return f"{suite}: {name}" if suite else name


def _show_stories(told: Sequence[TestStory], wanted: str, begin: datetime, now: datetime, *, as_json: bool) -> None:
    if as_json:
        print_json([_story(each) for each in told])
    elif not told:
        say(f"no test is called {wanted} since {begin:%Y-%m-%d %H:%M} UTC")
    for each in () if as_json else told:
        _, key, branch = each.place
        say(f"{_name(each.course.suite, each.course.name)} in {key}" + (f" / {branch}" if branch else ""))
        rows: list[list[Cell]] = [
            [
                f"  #{run.number}" + (f" attempt {run.attempt}" if run.attempt > 1 else ""),
                (status or "-", _WORDS[status] if status is not None else DIM),
                took(each.durations.get(run.build_id)),
                ago(run.finished_at, now),
                short_commit(run.commit) or "-",
            ]
            for run, status in zip(each.runs, each.course.statuses, strict=True)
        ]
        print_table(("  BUILD", "STATUS", "TOOK", "ENDED", "COMMIT"), rows[::-1])


def _story(story: TestStory) -> dict[str, Any]:
    provider, key, branch = story.place
    return {
        "provider": provider,
        "pipeline": key,
        "branch": branch or None,
        "suite": story.course.suite,
        "name": story.course.name,
        "results": [
            {
                **(_run(run) or {}),
                "commit": run.commit,
                "status": status,
                "retried": place in story.course.retried,
                "duration_seconds": story.durations.get(run.build_id),
            }
            for place, (run, status) in enumerate(zip(story.runs, story.course.statuses, strict=True))
        ],
    }
