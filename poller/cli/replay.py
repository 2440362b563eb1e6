"""`buildwatch replay`: the messages that a configuration would have sent, against those that were."""

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from alerts.wording import moment
from domain.duration import format_duration
from poller.cli.arguments import since_moment
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, present
from poller.cli.showing import BAD, DIM, GOOD, Cell, iso, print_json, print_table, say
from poller.config import Configuration
from poller.config.problems import ConfigurationError
from poller.rehearsing.rehearsal import copied
from poller.rehearsing.replay import Report, replayed
from poller.rehearsing.replay_report import NOT_IN_HISTORY, Comparison, Line, Mark
from poller.running.logs import form_for, set_up
from store.engine import open_database
from store.errors import StoreAbsent
from store.rewind import first_contact

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

WORTH_A_WORD = timedelta(minutes=10)  # polls and deliveries are never on the second
SIGNS = {Mark.SAME: ("=", DIM), Mark.ONLY_THEN: ("-", GOOD), Mark.ONLY_NOW: ("+", BAD)}
NOT_REPLAYED = (
    "Not in history, and so left out on both sides: providers that did not answer, pipelines that were gone, "
    "summaries and digests. Times are those of polls without delays."
)


@app.command()
def replay(
    since: Annotated[str, typer.Option(metavar="TIME", help="A span like 90d, or a date like 2026-11-01.")] = "30d",
    config: ConfigOption = None,
    pipeline: Annotated[str | None, typer.Option(metavar="GLOB", help="Over full names and display names.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Run stored history through the whole alert pipeline: = said then and now, - only then, + only now.

    --config names a candidate: other rules, routes, quiet hours. Where it names no store that exists, that of the
    usual configuration is read. Nothing is sent or stored. Exit 0, whether or not there are differences.
    """
    configuration = load_configuration(config)
    set_up("warning", form_for(os.environ), configuration.secrets)
    now = present()
    begin = min(since_moment(since, now), now)
    with copied(_store(configuration)) as history:
        begin = max(begin, history.read(first_contact) or now)
        comparison = replayed(history, configuration, begin, now, glob=pipeline, report=_progress(begin, now))
    if as_json:
        print_json(described(comparison, begin, now))
    else:
        _print(comparison, configuration)


def _store(configuration: Configuration) -> str:
    """The URL of the candidate's store, or of the usual one where that does not exist."""
    url = configuration.store.url.get_secret_value()
    try:
        open_database(url, create=False).close()
    except StoreAbsent:
        try:
            usual = load_configuration(None)
        except ConfigurationError:
            return url
        return usual.store.url.get_secret_value()
    return url


def _progress(begin: datetime, end: datetime) -> Report:
    """A line on stderr at each whole percent, where a person reads along."""
    whole = max(end - begin, timedelta(seconds=1))
    shown = [-1]

    def report(at: datetime) -> None:
        percent = 100 * (at - begin) // whole
        if percent > shown[0] and _is_watched():
            shown[0] = percent
            print(f"\r{percent:3d} %  {at:%Y-%m-%d}", end="" if at < end else "\n", file=sys.stderr, flush=True)

    return report


def _is_watched() -> bool:
    return sys.stderr.isatty()


def _print(comparison: Comparison, configuration: Configuration) -> None:
    for line in comparison.lines:
        each, (sign, style) = line.telling, SIGNS[line.mark]
        lost = "" if each.delivered else "  (not delivered)"
        at = moment(each.at, configuration.timezone)
        say(f"{sign} {at}  {each.channel}  {each.headline}{_shift(line)}{lost}", style)
    if comparison.lines:
        say("")
    then, now = comparison.then, comparison.now
    rows: list[list[Cell]] = [
        ["messages", str(then.messages), str(now.messages)],
        ["messages a day", f"{then.per_day:g}", f"{now.per_day:g}"],
        *_rows("to", then.channels, now.channels),
        ["alerts told", str(then.tellings), str(now.tellings)],
        *_rows("about", then.kinds, now.kinds),
    ]
    print_table(("", "THEN", "NOW"), rows)
    say("")
    same, less, more = (comparison.marked(mark) for mark in (Mark.SAME, Mark.ONLY_THEN, Mark.ONLY_NOW))
    say(f"{same} said then and now, {less} only then, {more} only now")
    say(NOT_REPLAYED, DIM)


def _shift(line: Line) -> str:
    """How much later or earlier it would be said, if that is worth a word."""
    later = line.telling.at - (line.then_at or line.telling.at)
    if abs(later) < WORTH_A_WORD:
        return ""
    return f"  ({format_duration(abs(later))} {'later' if later > timedelta(0) else 'earlier'})"


def _rows(word: str, then: Mapping[str, int], now: Mapping[str, int]) -> list[list[Cell]]:
    return [[f"  {word} {name}", str(then.get(name, 0)), str(now.get(name, 0))] for name in sorted({*then, *now})]


def described(comparison: Comparison, since: datetime, until: datetime) -> dict[str, Any]:
    """A replay as `replay --json` shows it; the keys are a contract."""
    return {
        "since": iso(since),
        "until": iso(until),
        "same": comparison.marked(Mark.SAME),
        "only_then": comparison.marked(Mark.ONLY_THEN),
        "only_now": comparison.marked(Mark.ONLY_NOW),
        "then": asdict(comparison.then),
        "now": asdict(comparison.now),
        "messages": [_message(line) for line in comparison.lines],
        "left_out": sorted(NOT_IN_HISTORY),
    }


def _message(line: Line) -> dict[str, Any]:
    each = line.telling
    return {
        "diff": line.mark,
        "at": iso(each.at),
        "then_at": iso(line.then_at),
        "channel": each.channel,
        "kind": each.kind,
        "reason": each.reason,
        "headline": each.headline,
        "message": each.message,
        "delivered": each.delivered,
    }
