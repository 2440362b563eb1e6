"""`buildwatch doctor`: everything that may be wrong, looked at in one go."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict

import typer

from poller.cli.exits import Exit
from poller.cli.findings import Finding, State, found, of_configuration, of_store
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, present
from poller.cli.reaching import Reached, reach_all
from poller.cli.served import of_web
from poller.cli.showing import BAD, DIM, GOOD, WARN, print_json, print_table, say
from poller.cli.trust import of_trust
from poller.running.logs import form_for, set_up

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

STYLES = {State.OK: GOOD, State.NOTE: DIM, State.WARNING: WARN, State.WRONG: BAD}


@app.command()
def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Configuration, database, disk, daemon, web, clocks, tokens, channels, messages. 1 when something is wrong."""
    configuration = load_configuration(config)
    set_up("error", form_for(os.environ), configuration.secrets)
    findings = [
        *of_configuration(configuration),
        *of_store(configuration, present(), of_trust, of_web),
        *of_connections(reach_all(configuration, present)),
    ]
    wrong = [each for each in findings if each.state is State.WRONG]
    if as_json:
        print_json({"ok": not wrong, "findings": [asdict(each) for each in findings]})
    else:
        print_table(
            ("CHECK", "STATE", "FOUND"),
            [[each.check, (each.state, STYLES[each.state]), each.text] for each in findings],
        )
        say("")
        say(f"{len(wrong)} wrong" if wrong else "nothing is wrong", BAD if wrong else GOOD)
    sys.exit(Exit.FOUND_SOMETHING_WRONG if wrong else Exit.FINE)


def of_connections(reached: Iterable[Reached]) -> Iterator[Finding]:
    """What providers and channels say, their warnings apart."""
    for each in reached:
        name = f"{each.section.removesuffix('s')} {each.name}"
        yield found(name, State.OK if each.ok else State.WRONG, each.text)
        for warning in each.warnings:
            yield found(name, State.WARNING, warning)
