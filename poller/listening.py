"""The web server of a process: there while config.yaml has `web:`, at the address that it says."""

import logging
from socket import socket
from typing import TYPE_CHECKING

from poller.serving import Serving
from web.listening import listen
from web.settings import Settings

if TYPE_CHECKING:
    from web.server import WebServer

log = logging.getLogger(__name__)


class Listening:
    """Starts, moves and stops the server."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._server: WebServer | None = None
        self._settings: Settings | None = None

    def use(self, settings: Settings | None) -> None:
        """Serve as these settings say from now on; only another address, or other origins, disturb anybody.

        Raises CannotListenError: then the old address is served as before.
        """
        if settings is None:
            self.stop()
        elif self._server is None or _place(settings) != _place(self._settings):
            if self._settings is not None and (self._settings.host, self._settings.port) == (
                settings.host,
                settings.port,
            ):
                self.stop()
            listener = listen(settings.host, settings.port)
            self.stop()
            self._settings = settings
            self._serve(listener)
        else:
            self._settings = settings

    @property
    def url(self) -> str | None:
        """Where a browser on this machine finds it; None while nothing is served."""
        return self._server.url if self._server is not None else None

    def wait(self) -> None:
        """Until requests are answered, or a few seconds have passed."""
        if self._server is not None:
            self._server.wait()

    def stop(self) -> None:
        """Serve nothing; within two seconds."""
        if self._server is None:
            return
        if not self._server.stop():
            log.warning("web server does not end url=%s", self._server.url)
        self._server = None

    def _serve(self, listener: socket) -> None:
        from web.server import WebServer  # noqa: PLC0415  (FastAPI takes a second and 20 MiB; most need none)

        server = WebServer(self._serving.site(self._current), listener)
        server.start()
        self._server = server
        log.info("web server listens url=%s", server.url)

    def _current(self) -> Settings:
        if self._settings is None:
            raise RuntimeError("nothing is served before there are settings")
        return self._settings


def _place(settings: Settings | None) -> tuple[object, ...]:
    """What a server cannot change while it serves."""
    return (settings.host, settings.port, settings.cors) if settings is not None else ()
