"""`buildwatch poll`: one cycle, for cron."""

import os
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from domain.alert import Notification
from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened
from poller.cli.showing import print_json, say
from poller.config import Configuration
from poller.cycle import Cycle, Round
from poller.running.clock import Clock
from poller.running.logs import form_for, set_up
from store.lock import hold

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def poll(
    config: ConfigOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the messages; send and store nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Poll everything once, deliver what is due, exit. 1 when a target could not be read or a message waits."""
    configuration = load_configuration(config)
    set_up("warning", form_for(os.environ), configuration.secrets)
    done = _rehearse(configuration, as_json=as_json) if dry_run else _poll(configuration, as_json=as_json)
    sys.exit(Exit.FOUND_SOMETHING_WRONG if done.failed or done.waiting else Exit.FINE)


def _poll(configuration: Configuration, *, as_json: bool) -> Round:
    from poller.watching.connections import connect

    with opened(configuration) as database, hold(database, owner="buildwatch poll"):
        done = Cycle(configuration, connect(configuration), database, Clock()).run()
    if as_json:
        print_json(asdict(done))
    else:
        say(_sentence(done, "delivered"))
    return done


def _rehearse(configuration: Configuration, *, as_json: bool) -> Round:
    from poller.rehearsing.rehearsal import copied, staged

    messages: list[dict[str, Any]] = []

    def show(channel: str, notification: Notification) -> None:
        if as_json:
            messages.append(_described(channel, notification))
        else:
            _print(channel, notification)

    with copied(configuration.store.url.get_secret_value()) as database:
        done = Cycle(configuration, staged(configuration, show), database, Clock()).run()
    if as_json:
        print_json({**asdict(done), "messages": messages})
    else:
        say(f"{_sentence(done, 'shown')}; nothing was sent or stored")
    return done


def _print(channel: str, notification: Notification) -> None:
    from alerts.channels.console import Console, ConsoleSettings

    say(f"── to {channel} ({notification.reason})", "dim")
    Console(channel, ConsoleSettings(kind="console")).send(notification)


def _described(channel: str, notification: Notification) -> dict[str, Any]:
    from alerts.channels._plain import plain, tidy

    message = tidy(notification.message)
    return {"channel": channel, "reason": notification.reason, "headline": message.headline, "text": plain(message)}


def _sentence(done: Round, how: str) -> str:
    return (
        f"{done.targets} targets polled, {done.failed} failed; {done.new_builds} builds new or changed, "
        f"{done.transitions} alerts changed, {done.delivered} messages {how}, {done.waiting} waiting"
    )
