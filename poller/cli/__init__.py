"""The command line. Each command is a module that is imported only when it is asked for."""

import gc
import importlib
import sys
from typing import Any

import typer
import typer.core
from typing_extensions import override

from poller.cli.exits import Exit, exit_status, give_up_stdout

COMMANDS = {
    "run": "The daemon, in the foreground.",
    "web": "The dashboard and the API alone, over the store of a daemon.",
    "poll": "One cycle of everything due, deliver, exit (for cron).",
    "demo": "The whole product against built-in servers, with a story that breaks and heals.",
    "check": "Validate config.yaml; --online also reaches providers and channels.",
    "status": "Providers and pipelines: state, last build, success rate, open alerts.",
    "builds": "Recent builds.",
    "tests": "Failing and flaky tests, or the history of one.",
    "alerts": "Alerts and what was said about them.",
    "ack": "Somebody knows about an alert: no reminders, no escalations.",
    "silence": "Tell nobody about something, for a reason and until an end; --list.",
    "unsilence": "End a silence.",
    "metric": "One figure of a pipeline over time: history, trend, baseline, builds that stand out.",
    "explain": "One build: every alert it touched, every message and its fate, or why none.",
    "replay": "What would have been sent, against what was: try a candidate configuration on history.",
    "digest": "What a digest would say now; sends nothing.",
    "buckets": "Rules for why builds fail: list them, try them on what is stored.",
    "test-channel": "Send a sample firing and resolved message.",
    "discover": "What could be watched, as entries ready to paste.",
    "backfill": "History, with a progress bar, resumable, raising no alerts.",
    "seed": "A made-up history, to look at the dashboard with something in it.",
    "outbox": "Messages waiting, every attempt and answer, dead letters.",
    "doctor": "Database, lock, clocks, tokens, disk, channels.",
    "db": "The store: upgrade, stats, backup, prune.",
    "schema": "JSON Schema of config.yaml.",
    "init": "Write a commented config.yaml by asking, or --demo.",
    "install-service": "User, directories, unit, credentials; --print only shows it.",
}
"""Every command with its line of help, in the order of a day with buildwatch."""


class Commands(typer.core.TyperGroup):
    """Finds a command by its module: `test-channel` is `app` in `poller.cli.test_channel`."""

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        """All commands, in order."""
        return list(COMMANDS)

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command with this name, imported now; None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"poller.cli.{cmd_name.replace('-', '_')}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    @override
    def invoke(self, ctx: Any) -> Any:
        """Run the command; an interrupt and a reader that has gone (`| head`) end it without a word."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None
        except BrokenPipeError:
            give_up_stdout()
            raise typer.Exit(Exit.PIPE_CLOSED) from None

    @override
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands from the table above, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    name="buildwatch",
    cls=Commands,
    help="Watches Jenkins and GitHub Actions and tells the right people, once, what really broke.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def buildwatch() -> None:
    """Watches Jenkins and GitHub Actions and tells the right people, once, what really broke."""


def main() -> None:
    """The console script `buildwatch`. Exit statuses: poller/cli/exits.py."""
    gc.set_threshold(20_000)  # imports make objects that stay: looking for garbage among them costs a tenth of a start
    try:
        app(prog_name="buildwatch")
    except Exception as error:  # noqa: BLE001  (every error becomes a line and an exit status, or a traceback)
        sys.exit(exit_status(error))
