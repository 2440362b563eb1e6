"""`buildwatch digest`: what a digest would say now. Sends nothing."""

from dataclasses import asdict
from typing import Annotated

import typer

from alerts.policies.digest import DAILY, Digest
from poller.cli.opening import ConfigOption, JsonOption, load_configuration, opened_to_read, present
from poller.cli.showing import iso, print_json, say
from poller.config import Configuration

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

USUAL = Digest(name="daily", cron="0 0 * * *", window=DAILY, to=())
"""Shown where config.yaml has none."""


@app.command()
def digest(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Of an entry of `digests:`; default: the first.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a digest would say now; nothing is sent."""
    from alerts.channels._plain import plain, tidy
    from poller.digests.digesting import preview

    configuration, now = load_configuration(config), present()
    wanted = _chosen(name, configuration)
    with opened_to_read(configuration) as database:
        message = database.read(lambda session: preview(session, wanted, configuration, now))
    if as_json:
        print_json({"name": wanted.name, **asdict(message), "at": iso(message.at)})
    else:
        say(plain(tidy(message)).rstrip())


def _chosen(name: str | None, configuration: Configuration) -> Digest:
    known = {each.name: each for each in configuration.digests or (USUAL,)}
    if name is None:
        return next(iter(known.values()))
    if name not in known:
        raise typer.BadParameter(f'there is no digest "{name}", only {", ".join(known)}', param_hint="NAME")
    return known[name]
