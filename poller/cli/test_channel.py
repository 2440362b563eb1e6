"""`buildwatch test-channel`: does a channel reach people?"""

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from alerts.channels._base import Channel, ChannelError
from alerts.writing.samples import sample_messages
from domain.alert import NOTHING, Notification, Reason
from domain.message import Message
from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, present
from poller.cli.showing import GOOD, complain, print_json, say
from poller.config.problems import did_you_mean
from poller.running.redaction import Redaction
from poller.watching.connections import make_channel

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command("test-channel")
def send_samples(
    name: Annotated[str, typer.Argument(help="Of the channel, as in config.yaml.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a sample firing message and its resolved message. Nothing is stored; 1 when one is not accepted."""
    configuration, now = load_configuration(config), present()
    if name not in configuration.channels:
        hint = did_you_mean(name, configuration.channels)
        raise typer.BadParameter(f"there is no channel {name!r} in {configuration.path}{hint}", param_hint="NAME")
    channel = make_channel(configuration, name)
    hidden = Redaction(configuration.secrets)
    sent: list[dict[str, Any]] = []
    try:
        root: Mapping[str, Any] = NOTHING
        messages = zip((Reason.FIRST, Reason.RESOLVED), sample_messages(now, configuration.timezone), strict=True)
        for transition, (reason, message) in enumerate(messages, 1):
            outcome = _send(channel, _notification(name, transition, reason, message, root=root, now=now), hidden)
            sent.append(outcome)
            if not as_json:
                _print(outcome)
            if outcome["error"]:
                break
            root = outcome["receipt"]
    finally:
        channel.close()
    if as_json:
        print_json(sent)
    sys.exit(Exit.FOUND_SOMETHING_WRONG if any(outcome["error"] for outcome in sent) else Exit.FINE)


def _notification(
    channel: str, transition: int, reason: Reason, message: Message, *, root: Mapping[str, Any], now: datetime
) -> Notification:
    return Notification(
        alert_id=0,  # no alert of the store has it
        transition=transition,
        channel=channel,
        reason=reason,
        message=message,
        created_at=now,
        attempts=1,
        next_attempt_at=now,
        root=root,
        id=transition,
    )


def _send(channel: Channel, notification: Notification, hidden: Redaction) -> dict[str, Any]:
    said = {"channel": channel.name, "reason": notification.reason, "headline": notification.message.headline}
    try:
        receipt = channel.send(notification)
    except ChannelError as error:
        return {**said, "receipt": None, "error": hidden.redact(str(error)), "permanent": error.permanent}
    return {**said, "receipt": dict(receipt), "error": None, "permanent": None}


def _print(outcome: Mapping[str, Any]) -> None:
    if outcome["error"]:
        complain(f"{outcome['channel']}: {outcome['reason']} was not accepted: {outcome['error']}")
        return
    details = ", ".join(f"{key} {value}" for key, value in outcome["receipt"].items() if value)
    say(f"{outcome['channel']}: {outcome['reason']} was accepted" + (f" ({details})" if details else ""), GOOD)
