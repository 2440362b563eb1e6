"""`buildwatch outbox`: messages that wait, every attempt and answer, dead letters."""

import sys
from collections.abc import Iterator, Sequence
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

LISTED = 20  # messages that went out together
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
    found, tries, company = database.read(
        lambda session: (
            stored_outbox.get(session, identity),
            stored_outbox.attempts_of(session, identity),
            stored_outbox.sent_with(session, identity),
        )
    )
    if found is None:
        _unknown(identity)
    now = present()
    if as_json:
        shown = {**described(found), "sent_with": _numbers(company), "attempted": [_attempt(each) for each in tries]}
        print_json(shown)
        return
    print_table(HEADERS, [_row(found, now)])
    for line in (*_holding(found, now), *_accompanied(company)):
        say(line)
    say("")
    _print_message(found)
    say("")
    _print_attempts(tries, now)


def _holding(found: Notification, now: datetime) -> Iterator[str]:
    """Why it is held back, while it is."""
    if found.delivery is Delivery.PENDING and found.hold_until is not None and found.hold_until > now:
        yield f"held back until {iso(found.hold_until)}: {found.held or 'quiet hours'}"


def _accompanied(company: Sequence[Notification]) -> Iterator[str]:
    """The others that one message told of together with it."""
    if company:
        listed = ", ".join(str(each.id) for each in company[:LISTED])
        more = f" and {len(company) - LISTED} more" if len(company) > LISTED else ""
        yield f"one message with {listed}{more}; all of them say:"
        for each in company[:LISTED]:
            yield f"  {each.id}  {each.message.headline}"


def _numbers(company: Sequence[Notification]) -> list[int | None]:
    return [each.id for each in company]


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
        "hold_until": iso(notification.hold_until),
        "held": notification.held,
        "batch": notification.batch,
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
    due = max((max(each.next_attempt_at, each.hold_until or now) - now).total_seconds(), 0)
    held = "held, " if each.hold_until is not None and each.hold_until > now else ""
    batch = f" (in {each.batch})" if each.batch is not None and each.batch != each.id else ""
    return [
        str(each.id),
        each.channel,
        (each.delivery.value, STYLES[each.delivery]),
        each.reason.value,
        str(each.attempts),
        ago(each.created_at, now),
        f"{held}in {due:.0f}s" if waits and due else "now" if waits else "-",
        each.message.headline + batch,
        (each.last_error or "", DIM),
    ]
