"""`buildwatch outbox`: messages that wait, every attempt and answer, dead letters."""

import sys
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Never

import typer

from domain.alert import Delivery, Notification
from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened, opened_to_read, present
from poller.cli.showing import BAD, DIM, GOOD, WARN, Cell, ago, complain, iso, print_json, print_table, say
from store import outbox as stored_outbox
from store.engine import Database
from store.outbox import Attempt

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

HEADERS = ("ID", "CHANNEL", "STATE", "REASON", "TRIES", "WRITTEN", "NEXT TRY", "HEADLINE", "LAST ERROR")
STYLES = {Delivery.SENT: GOOD, Delivery.DEAD: BAD, Delivery.PENDING: WARN, Delivery.SENDING: WARN}


class Action(StrEnum):
    """What to do with the outbox."""

    LIST = "list"
    SHOW = "show"
    RETRY = "retry"
    DROP = "drop"


@app.command()
def outbox(
    action: Annotated[
        Action, typer.Argument(help="list: what is not sent; show, retry or drop one message.")
    ] = Action.LIST,
    identity: Annotated[int | None, typer.Argument(metavar="ID", help="Of a message, as the list shows it.")] = None,
    config: ConfigOption = None,
    everything: Annotated[bool, typer.Option("--all", help="List the newest sent messages, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Messages that wait or were given up. `retry` makes one due now, `drop` gives one up that waits."""
    configuration = load_configuration(config)
    if action is Action.LIST:
        with opened_to_read(configuration) as database:
            _list(database, everything=everything, as_json=as_json)
        return
    if identity is None:
        raise typer.BadParameter(f"which message? `buildwatch outbox {action} ID`", param_hint="ID")
    if action is Action.SHOW:
        with opened_to_read(configuration) as database:
            _show(database, identity, as_json=as_json)
        return
    with opened(configuration, create=False) as database:
        _change(database, action, identity, as_json=as_json)


def _list(database: Database, *, everything: bool, as_json: bool) -> None:
    states = [Delivery.PENDING, Delivery.SENDING, Delivery.DEAD] + [Delivery.SENT] * everything
    found = database.read(
        lambda session: [each for state in states for each in stored_outbox.listing(session, delivery=state)]
    )
    found.sort(key=lambda each: each.id or 0, reverse=True)
    if as_json:
        print_json([described(each) for each in found])
    elif found:
        now = present()
        print_table(HEADERS, [_row(each, now) for each in found])
    else:
        say("no messages" if everything else "nothing waits, nothing was given up")


def _show(database: Database, identity: int, *, as_json: bool) -> None:
    found, tries = database.read(
        lambda session: (stored_outbox.get(session, identity), stored_outbox.attempts_of(session, identity))
    )
    if found is None:
        _unknown(identity)
    now = present()
    if as_json:
        print_json({**described(found), "attempted": [_attempt(each) for each in tries]})
        return
    print_table(HEADERS, [_row(found, now)])
    say("")
    _print_message(found)
    say("")
    _print_attempts(tries, now)


def _print_message(found: Notification) -> None:
    from alerts.channels._plain import plain, tidy

    say(plain(tidy(found.message)).rstrip())


def _print_attempts(tries: Sequence[Attempt], now: datetime) -> None:
    if not tries:
        say("not tried yet")
        return
    print_table(
        ("TRIED", "LED TO", "ANSWER"),
        [(ago(each.at, now), (each.delivery.value, STYLES[each.delivery]), _answer(each)) for each in tries],
    )


def _answer(attempt: Attempt) -> str:
    doubt = "nobody knows whether it was accepted: " if attempt.ambiguous else ""
    return doubt + (attempt.answer or "")


def _change(database: Database, action: Action, identity: int, *, as_json: bool) -> None:
    now = present()
    change = stored_outbox.retry if action is Action.RETRY else stored_outbox.drop
    done = database.transact(lambda session: change(session, identity, now))
    found = database.read(lambda session: stored_outbox.get(session, identity))
    if found is None:
        _unknown(identity)
    if as_json:
        print_json({**described(found), "done": done})
    elif done and action is Action.RETRY:
        say(f"message {identity} is due now: a running daemon takes it within 30 s, `buildwatch poll` at once")
    elif done:
        say(f"message {identity} is given up")
    else:
        which = "waits or was given up" if action is Action.RETRY else "waits"
        complain(f"message {identity} is {found.delivery}: {action} is for one that {which}")
    sys.exit(Exit.FINE if done else Exit.FOUND_SOMETHING_WRONG)


def _unknown(identity: int) -> Never:
    complain(f"there is no message {identity}: `buildwatch outbox --all` lists them")
    sys.exit(Exit.FOUND_SOMETHING_WRONG)


def described(notification: Notification) -> dict[str, Any]:
    """A message as `outbox --json` shows it."""
    return {
        "id": notification.id,
        "alert_id": notification.alert_id,
        "transition": notification.transition,
        "channel": notification.channel,
        "reason": notification.reason,
        "state": notification.delivery,
        "attempts": notification.attempts,
        "ambiguous": notification.ambiguous,
        "created_at": iso(notification.created_at),
        "next_attempt_at": iso(notification.next_attempt_at),
        "sent_at": iso(notification.sent_at),
        "last_error": notification.last_error,
        "headline": notification.message.headline,
        "receipt": dict(notification.receipt),
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": iso(attempt.at),
        "state": attempt.delivery,
        "ambiguous": attempt.ambiguous,
        "answer": attempt.answer,
    }


def _row(each: Notification, now: datetime) -> list[Cell]:
    waits = each.delivery is Delivery.PENDING
    due = max((each.next_attempt_at - now).total_seconds(), 0)
    return [
        str(each.id),
        each.channel,
        (each.delivery.value, STYLES[each.delivery]),
        each.reason.value,
        str(each.attempts),
        ago(each.created_at, now),
        f"in {due:.0f}s" if waits and due else "now" if waits else "-",
        each.message.headline,
        (each.last_error or "", DIM),
    ]
