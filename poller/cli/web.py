"""`buildwatch web`: the dashboard and the API in a process of their own, over the store of a daemon."""

import logging
import os
import sys
from dataclasses import replace
from typing import Annotated

import typer

from poller.cli.exits import Exit
from poller.cli.opening import ConfigOption, load_configuration, opened
from poller.cli.showing import complain
from poller.cli.views import views
from poller.config import Configuration
from poller.config.web import DEFAULT_HOST, WebEntry, listen_from, web_from
from poller.running.clock import Clock
from poller.running.logs import form_for, set_up
from web.settings import Settings, is_loopback

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

LOOK = 1.0  # seconds between two looks at config.yaml
STARTING = 20.0  # seconds after which systemd is told that we run, although nothing is answered yet


@app.command()
def web(
    config: ConfigOption = None,
    listen: Annotated[
        str | None, typer.Option(metavar="ADDRESS:PORT", help="Another address than `web.listen` of config.yaml.")
    ] = None,
    log: Annotated[str | None, typer.Option(help="text, journal or json; default: what fits stderr.")] = None,
) -> None:
    """Serve the web until SIGTERM. Polls and tells nothing: a daemon over the same store does that."""
    from poller.listening import Listening
    from poller.reload import Reload
    from poller.running.notify import Systemd
    from poller.running.process import share_one_heap
    from poller.running.signals import Signals
    from poller.serving import Serving

    share_one_heap()
    clock, systemd = Clock(), Systemd(os.environ)
    current = load_configuration(config)

    def configured(new: Configuration) -> None:
        form = log or (form_for(os.environ) if new.log.format == "auto" else new.log.format)
        set_up(new.log.level, form, new.secrets)
        for warning in new.warnings:
            logging.getLogger(__name__).warning("%s", warning)

    def use(new: Configuration) -> None:
        nonlocal current
        listening.use(_settings(new, listen))
        current = new
        configured(new)

    configured(current)
    begin = _settings(current, listen)
    with opened(current, create=False) as database:
        serving = Serving(database=database, clock=clock, configuration=lambda: current, views=views())
        listening = Listening(serving)
        signals = Signals(systemd)
        signals.install()
        reload = Reload(current, load=lambda: load_configuration(config), build=use, clock=clock)
        listening.use(begin)
        listening.answer()
        until = clock.monotonic() + STARTING
        while not (listening.wait(LOOK) or signals.stop or clock.monotonic() > until):
            pass
        systemd.ready(f"serving {listening.url}")
        try:
            while not signals.stop:
                asked, signals.reload = signals.reload, False
                reload.look(asked=asked)
                if asked:
                    systemd.ready(f"serving {listening.url}")
                signals.wait(LOOK)
        finally:
            systemd.stopping()
            listening.stop()
            signals.close()


def _settings(configuration: Configuration, address: str | None) -> Settings:
    """Those of config.yaml, or its defaults; at another address when one is given."""
    found = configuration.web or web_from(WebEntry(), configuration.timezone, configuration.day_starts_at)
    if address is None:
        return found
    try:
        place = listen_from(address)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--listen") from error
    if found.access is None and not is_loopback(place.host):
        complain(f"other machines reach {place.host}: add `web.auth` to config.yaml, or listen on {DEFAULT_HOST}")
        sys.exit(Exit.CONFIGURATION)
    return replace(found, host=place.host, port=place.port)
