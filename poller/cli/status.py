"""`buildwatch status`: how everything is, in one look."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from domain.window import Window
from poller.cli.arguments import window as window_from
from poller.cli.builds import branch_of, ended
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened_to_read, present
from poller.cli.overview import Overview, PipelineView, ProviderView, overview
from poller.cli.served import Served, note_of, served
from poller.cli.showing import (
    BAD,
    DIM,
    GOOD,
    WARN,
    Cell,
    ago,
    iso,
    print_json,
    print_table,
    say,
    seconds,
    share,
    took,
)

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

STYLES = {
    "ok": GOOD,
    "failing": BAD,
    "unreachable": BAD,
    "missing": BAD,
    "broken": BAD,
    "paused": WARN,
    "unknown": WARN,
}


@app.command()
def status(
    config: ConfigOption = None,
    window: Annotated[
        str, typer.Option(metavar="WINDOW", help="What rates count: 24h, 7d, '20 builds', daily.")
    ] = "24h",
    by: Annotated[
        str | None, typer.Option(metavar="LABEL", help="For each value of a label, over all pipelines: cloud, module.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Providers and pipelines: state, last build, success rate, durations, open alerts."""
    configuration, now = load_configuration(config), present()
    counted = window_from(window, now, day_starts_at=configuration.day_starts_at, zone=configuration.timezone)
    if by is not None:
        from poller.cli.by_label import status_by

        status_by(configuration, by, counted, named=window, now=now, as_json=as_json)
        return
    with opened_to_read(configuration) as database:
        seen = overview(configuration, database, counted, now)
        web = served(configuration.web, note_of(database)) if configuration.web is not None else None
    if as_json:
        print_json({**described(seen, window), "web": web and asdict(web)})
    else:
        _print(seen, window, web)


def described(seen: Overview, window: str) -> dict[str, Any]:
    """The overview as `status --json` shows it; the keys are a contract."""
    span = seen.window
    return {
        "now": iso(seen.now),
        "since": seen.daemon and iso(datetime.fromisoformat(seen.daemon["since"])),
        "daemon": {"running": seen.holder is not None, "holder": seen.holder, **(seen.daemon or {})},
        "window": {
            "name": window,
            "start": iso(span.start) if isinstance(span, Window) else None,
            "end": iso(span.end) if isinstance(span, Window) else None,
        },
        "config": {**seen.config, "loaded_at": _iso_text(seen.config["loaded_at"])},
        "providers": [_provider(each) for each in seen.providers],
        "pipelines": [_pipeline(each) for each in seen.pipelines],
        "channels": [{"name": name, **each} for name, each in seen.channels.items()],
        "outbox": {
            "pending": sum(each.pending for each in seen.outbox.values()),
            "dead": sum(each.dead for each in seen.outbox.values()),
        },
        "quarantined": sum(each.quarantined for each in seen.providers),
    }


def _iso_text(text: str | None) -> str | None:
    return iso(datetime.fromisoformat(text)) if text else None


def _provider(view: ProviderView) -> dict[str, Any]:
    health = view.health
    return {
        "name": view.name,
        "kind": view.kind,
        "state": view.state,
        "trouble": health.trouble,
        "text": health.text,
        "failing_since": iso(health.failing_since),
        "failures": health.failures,
        "last_ok_at": iso(health.last_ok_at),
        "retry_at": iso(health.retry_at),
        "pipelines": view.pipelines,
        "quarantined": view.quarantined,
        "unread": [
            {
                "part": part.key,
                "trouble": part.trouble,
                "text": part.text,
                "failing_since": iso(part.failing_since),
                "failures": part.failures,
            }
            for part in view.parts
        ],
    }


def _pipeline(view: PipelineView) -> dict[str, Any]:
    pipeline, summary, last = view.known.pipeline, view.summary, view.last
    return {
        "provider": pipeline.provider,
        "pipeline": pipeline.key,
        "name": pipeline.name,
        "url": pipeline.url,
        "labels": dict(pipeline.labels),
        "state": view.state,
        "missing_since": iso(view.known.missing_since),
        "last_build": last
        and {
            "id": last.build.id,
            "number": last.build.number,
            "attempt": last.build.attempt,
            "branch": last.build.branch,
            "outcome": last.build.outcome,
            "verdict": last.verdict,
            "finished_at": iso(last.build.finished_at),
            "duration_seconds": seconds(last.build.duration),
            "url": last.build.url,
        },
        "total": summary.total,
        "passed": summary.passed,
        "failed": summary.failed,
        "neutral": summary.neutral,
        "running": summary.running,
        "success_rate": summary.success_rate,
        "duration_mean": summary.duration_mean,
        "duration_p50": summary.duration_p50,
        "duration_p95": summary.duration_p95,
        "open_alerts": [
            {
                "id": alert.id,
                "kind": alert.kind,
                "branch": alert.scope.branch or None,
                "severity": alert.severity,
                "started_at": iso(alert.started_at),
                "summary": alert.summary,
            }
            for alert in view.alerts
        ],
    }


def _print(seen: Overview, window: str, web: Served | None) -> None:
    _print_daemon(seen)
    if web is not None:
        state = "answers" if web.answers else web.trouble
        say(f"web: {web.url or 'any port'}: {state}; {web.auth}", "" if web.answers else WARN)
    say("")
    print_table(
        ("PROVIDER", "STATE", "LAST ANSWER", "PIPELINES", "UNREADABLE", "TROUBLE"),
        [_provider_row(each, seen.now) for each in seen.providers],
    )
    say("")
    if seen.pipelines:
        print_table(
            ("PIPELINE", "STATE", "LAST BUILD", "ENDED", f"RATE {window}", "BUILDS", "P50", "P95", "ALERTS"),
            [_pipeline_row(each, seen.now) for each in seen.pipelines],
        )
    else:
        say("no pipelines yet: they appear with the first poll")
    for alert in seen.alerts:
        say(f"{alert.scope.provider}: {alert.kind}: {alert.summary}", BAD)
    say("")
    _print_channels(seen)


def _print_daemon(seen: Overview) -> None:
    if seen.holder is not None:
        since = f", since {ago(datetime.fromisoformat(seen.daemon['since']), seen.now)}" if seen.daemon else ""
        say(f"running: {seen.holder}{since}", GOOD)
    else:
        say("no daemon is running", WARN)
    if seen.config["error"]:
        say(f"{seen.config['path']} is broken, the old configuration is in use:\n{seen.config['error']}", BAD)


def _provider_row(view: ProviderView, now: datetime) -> list[Cell]:
    health = view.health
    trouble = f"{health.trouble}: {health.text}" if health.trouble else ""
    return [
        view.name,
        (view.state, STYLES[view.state]),
        ago(health.last_ok_at, now),
        str(view.pipelines),
        (str(view.quarantined), WARN if view.quarantined else ""),
        trouble,
    ]


def _pipeline_row(view: PipelineView, now: datetime) -> list[Cell]:
    last, summary = view.last, view.summary
    running = f" (+{view.running} running)" if view.running else ""
    return [
        view.known.pipeline.name if view.known.pipeline.name == view.known.pipeline.key else _named(view),
        (view.state, STYLES[view.state]),
        f"#{last.build.number} {ended(last)} on {branch_of(last)}{running}" if last else f"-{running}",
        ago(last.build.finished_at, now) if last else "-",
        share(summary.success_rate),
        str(summary.total),
        took(summary.duration_p50),
        took(summary.duration_p95),
        ("; ".join(alert.summary for alert in view.alerts) or "-", DIM if not view.alerts else BAD),
    ]


def _named(view: PipelineView) -> str:
    pipeline = view.known.pipeline
    return f"{pipeline.name} ({pipeline.key})"


def _print_channels(seen: Overview) -> None:
    rows: list[list[Cell]] = []
    for name, each in seen.channels.items():
        counts = seen.outbox.get(name)
        dead = counts.dead if counts else 0
        state = each["state"] if each["state"] in STYLES else "unknown"
        pending, given_up = str(counts.pending if counts else 0), (str(dead), BAD if dead else "")
        rows.append([name, (each["state"], STYLES[state]), pending, given_up, each["error"] or ""])
    print_table(("CHANNEL", "STATE", "WAITING", "GIVEN UP", "TROUBLE"), rows)
