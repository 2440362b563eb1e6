"""`buildwatch unsilence`: end a silence."""

import sys
from typing import Annotated

import typer

from poller.cli.conditions import MOST
from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, login, opened, present
from poller.cli.showing import GOOD, complain, print_json, say
from poller.cli.silence import described
from poller.telling.handling import CannotHandleError, unsilence

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(name="unsilence")
def end_silence(
    silence_id: Annotated[
        int, typer.Argument(metavar="ID", min=1, max=MOST, help="As `buildwatch silence --list` shows it.")
    ],
    config: ConfigOption = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who ends it; default: your login.")] = None,
    as_json: JsonOption = False,
) -> None:
    """End a silence. What it withheld and still fires is told at once by a running daemon."""
    configuration, now, name = load_configuration(config), present(), by or login()
    with opened(configuration, create=False) as database:
        try:
            ended = database.transact(lambda session: unsilence(session, silence_id, now, by=name))
        except CannotHandleError as error:
            complain(str(error))
            sys.exit(Exit.FOUND_SOMETHING_WRONG)
    if as_json:
        print_json(described(ended))
    else:
        say(f"silence {silence_id} is over: what still fires is told within seconds by a running daemon", GOOD)
