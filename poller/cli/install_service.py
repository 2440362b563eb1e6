"""`buildwatch install-service`: the daemon as a service of systemd."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from poller.cli.exits import Exit
from poller.cli.installation import CONFIG, PREFIX, UNIT, CannotInstall, Installation

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def install_service(
    show: Annotated[bool, typer.Option("--print", help="Only show the unit and the steps.")] = False,
    config: Annotated[Path, typer.Option("--config", "-c", metavar="FILE", help="What the service reads.")] = CONFIG,
    prefix: Annotated[Path, typer.Option(metavar="DIRECTORY", help="The environment buildwatch is in.")] = PREFIX,
) -> None:
    """Make directories and a first config.yaml, install the unit, load the credentials, start it now and at boot."""
    try:
        installation = Installation(prefix=prefix.absolute(), config=config.absolute())
        if show:
            _show(installation)
        else:
            _install(installation)
    except (CannotInstall, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(Exit.FOUND_SOMETHING_WRONG)


def _show(installation: Installation) -> None:
    """Comments and unit files, as `systemctl cat` shows them."""
    steps = [*installation.steps(), installation.start()]
    print("# Steps, to be taken by root:")
    for step in steps:
        print(f"#   {step.said}")
    for step in steps:
        if step.text is not None and step.path != installation.config:
            print(f"\n# {step.path}\n{step.text}", end="")


def _install(installation: Installation) -> None:
    if os.geteuid() != 0:
        raise CannotInstall("install-service writes to /etc: run it as root (--print shows what it would do)")
    installation.require_environment()
    for step in installation.steps():
        step.take()
        print(step.said)
    if missing := installation.missing_credentials():
        names = ", ".join(str(path) for path in missing)
        raise CannotInstall(
            f"not started: {installation.config} names credentials that are not there: {names}\n"
            f"Write each secret into its file (mode 0600), then: systemctl enable --now {UNIT}"
        )
    last = installation.start()
    last.take()
    print(last.said)
    print(f"Running. Edit {installation.config}: a saved change is taken over within 2 s; journalctl -u {UNIT} -f")
