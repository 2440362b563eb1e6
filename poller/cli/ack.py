"""`buildwatch ack`: somebody knows about an alert."""

import sys
from typing import Annotated

import typer

from alerts.policies.handled import acknowledgement
from poller.cli.alerts import summarized
from poller.cli.conditions import MOST
from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, login, opened, present
from poller.cli.showing import GOOD, complain, print_json, say
from poller.telling.handling import CannotHandleError, acknowledge, unacknowledge

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def ack(
    alert_id: Annotated[
        int, typer.Argument(metavar="ALERT_ID", min=1, max=MOST, help="As `buildwatch alerts` shows it.")
    ],
    *,
    config: ConfigOption = None,
    reason: Annotated[str | None, typer.Option("--reason", help="What is being done about it.")] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who knows; default: your login.")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take it back.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge an alert: no reminders, no escalations. Its end is told; so is a new cause, which ends this."""
    if undo and (reason or by):
        raise typer.BadParameter("it takes neither --reason nor --by", param_hint="--undo")
    configuration, now, name = load_configuration(config), present(), by or login()
    with opened(configuration, create=False) as database:
        try:
            alert = database.transact(
                lambda session: (
                    unacknowledge(session, alert_id, configuration, now)
                    if undo
                    else acknowledge(session, alert_id, configuration, now, by=name, reason=reason)
                )
            )
        except CannotHandleError as error:
            complain(str(error))
            sys.exit(Exit.FOUND_SOMETHING_WRONG)
    if as_json:
        print_json(summarized(alert))
    elif undo:
        say(f"alert {alert_id} is not acknowledged any more: {alert.summary}", GOOD)
    else:
        say(f"alert {alert_id} is acknowledged by {acknowledgement(alert)}", GOOD)
        say(f"  {alert.summary}")
