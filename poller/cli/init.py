"""`buildwatch init`: a first config.yaml."""

import sys
import sysconfig
from pathlib import Path
from typing import Annotated

import typer

from poller.cli.exits import Exit
from poller.cli.first_config import Answers, first_config, variables
from poller.cli.opening import PLACES, ConfigOption
from poller.cli.showing import complain, say

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

EXAMPLES = (
    Path(__file__).parents[2] / "config.yaml",  # a checkout
    Path(sysconfig.get_path("data")) / "share" / "buildwatch" / "config.yaml",  # an installation
)


@app.command()
def init(
    config: ConfigOption = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="Ask nothing: one public repository, messages on the terminal, every key explained."
        ),
    ] = False,
) -> None:
    """Write a commented config.yaml by asking a few questions. Never overwrites a file."""
    path = config or PLACES[0]
    if path.exists():
        complain(f"{path} exists already: it is left as it is")
        sys.exit(Exit.FOUND_SOMETHING_WRONG)
    text = _example() if demo else first_config(_ask())
    try:
        _write(path, text)
    except OSError as error:
        complain(f"{path}: {error.strerror}")
        sys.exit(Exit.FOUND_SOMETHING_WRONG)
    option = "" if path == PLACES[0] else f" --config {path}"
    say(f"{path} is written. Next:")
    if needed := variables(text):
        say(f"  export {' '.join(f'{name}=…' for name in needed)}")
    say(f"  buildwatch check --online{option}   is it right, do the servers answer?")
    say(f"  buildwatch run{option}              the daemon, in the foreground")


def _write(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        path.chmod(0o600)
        file.write(text)


def _example() -> str:
    for example in EXAMPLES:
        if example.is_file():
            return example.read_text(encoding="utf-8")
    complain("the example is not installed: run `buildwatch init` without --demo")
    sys.exit(Exit.FOUND_SOMETHING_WRONG)


def _ask() -> Answers:
    try:
        return _answers()
    except typer.Abort:
        complain("\nnothing was written; `buildwatch init --demo` asks nothing")
        sys.exit(Exit.USAGE)


def _answers() -> Answers:
    say("Answer with Enter to take what stands in [brackets]; leave a server empty if you have none.")
    say("Secrets are never written into the file: it names the environment variables that hold them.")
    zone = typer.prompt("Time zone of your reporting days", default="UTC")
    jenkins = typer.prompt("URL of your Jenkins", default="", show_default=False)
    job = username = ""
    if jenkins:
        username = typer.prompt("  User whose API token is used (empty: anonymous)", default="", show_default=False)
        job = typer.prompt("  Jobs to watch, by full name; * in a folder, ** across folders", default="**")
    repo = typer.prompt("GitHub repository to watch, owner/name (owner/* for all)", default="", show_default=False)
    slack = typer.prompt("Slack: webhook, bot or none", default="none")
    room = typer.prompt("  Slack channel", default="#ci") if slack == "bot" else ""
    host = typer.prompt("Mail server", default="", show_default=False)
    sender = typer.prompt("  Mails come from", default=f"buildwatch@{host.partition('.')[2] or host}") if host else ""
    to = typer.prompt("  Mails go to") if host else ""
    return Answers(
        zone=zone,
        jenkins=jenkins,
        username=username,
        job=job,
        repo=repo,
        slack=slack,
        room=room,
        mail_host=host,
        mail_from=sender,
        mail_to=to,
    )
