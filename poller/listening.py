"""The web server of a process: there while config.yaml has `web:`, at the address that it says."""

import logging
from collections.abc import Mapping
from socket import socket
from typing import Any

from poller.serving import Serving
from web.listening import CannotListenError, listen
from web.server import WebServer
from web.settings import Settings

log = logging.getLogger(__name__)

AGAIN = 5.0  # seconds until an address that could not be had is tried again


class Listening:
    """Starts, moves and stops the server. For one thread."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._monotonic = serving.clock.monotonic
        self._server: WebServer | None = None
        self._settings: Settings | None = None
        self._refused: str | None = None  # why there is no server although there should be
        self._next = 0.0
        self._answering = False

    def begin(self, settings: Settings | None) -> None:
        """What holds at the start. An address that cannot be had is said, and tried again by `look`."""
        try:
            self.use(settings)
        except CannotListenError as error:
            self._settings, self._refused = settings, str(error)
            self._next = self._monotonic() + AGAIN
            log.error("%s; everything else works, and it is tried again every %g s", error, AGAIN)  # noqa: TRY400

    def answer(self) -> None:
        """Begin to answer: the process does already what it is there for. Who has connected before has waited."""
        self._answering = True
        if self._server is not None:
            self._server.start()

    def use(self, settings: Settings | None) -> None:
        """Serve as these settings say from now on; only another address, or other origins, disturb anybody.

        Raises CannotListenError: then everything is as it was before.
        """
        old = self._settings
        if settings is None:
            self.stop()
        elif old is None or _address(settings) != _address(old):
            self._serve(self._listener_for(settings), settings)
        elif self._server is not None and settings.cors != old.cors:
            self._serve(self._server.listener(), settings)
        self._settings = settings

    def look(self) -> None:
        """Try again to have an address that could not be had."""
        if self._refused is None or self._settings is None or self._monotonic() < self._next:
            return
        self._next = self._monotonic() + AGAIN
        try:
            self._serve(listen(self._settings.host, self._settings.port), self._settings)
        except CannotListenError as error:
            self._refused = str(error)

    @property
    def url(self) -> str | None:
        """Where a browser on this machine finds it; None while nothing is served."""
        return self._server.url if self._server is not None else None

    @property
    def trouble(self) -> str | None:
        """Why nothing is answered although config.yaml says so, in words."""
        return self._refused or (self._server.trouble if self._server is not None else None)

    def standing(self) -> Mapping[str, Any]:
        """For the note that other processes read."""
        return {"url": self.url, "trouble": self.trouble}

    def wait(self, seconds: float) -> bool:
        """Until requests are answered, or so many seconds have passed; whether they are."""
        return self._server is not None and self._server.wait(seconds)

    def stop(self) -> None:
        """Serve nothing; within two seconds."""
        self._refused = None
        server, self._server = self._server, None
        if server is not None and not server.stop():
            log.warning("web server does not end url=%s", server.url)

    def _listener_for(self, settings: Settings) -> socket:
        try:
            return listen(settings.host, settings.port)
        except CannotListenError:
            old = self._settings
            if self._server is None or old is None or old.port != settings.port:
                raise
        # It may be ourselves who are in the way: 127.0.0.1:8080 and 0.0.0.0:8080 exclude each other.
        self.stop()
        try:
            return listen(settings.host, settings.port)
        except CannotListenError:
            self._serve(listen(old.host, old.port), old)
            raise

    def _serve(self, listener: socket, settings: Settings) -> None:
        self.stop()
        self._settings = settings
        self._server = WebServer(self._serving.site(self._current), listener)
        log.info("web server listens url=%s", self._server.url)
        if self._answering:
            self._server.start()

    def _current(self) -> Settings:
        if self._settings is None:
            raise RuntimeError("nothing is served before there are settings")
        return self._settings


def _address(settings: Settings) -> tuple[str, int]:
    return settings.host, settings.port
