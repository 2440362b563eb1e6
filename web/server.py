"""The application served in a thread of its own, in the daemon or alone. It never takes the process along.

Imports nothing heavy: FastAPI and the routes take a second, which the thread spends while the process works already.
"""

import logging
import socket
import threading
from typing import TYPE_CHECKING

from web.listening import url_of
from web.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from web.asgi import Server

log = logging.getLogger(__name__)

STOPPING = 2.0  # seconds that requests under way are given at the end
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before a server that stumbled starts again


class WebServer:
    """Serves a site on a socket that listens, until it is stopped. What goes wrong is logged, and it starts again."""

    def __init__(
        self, site: Site, listener: socket.socket, *, app_of: "Callable[[Site], FastAPI] | None" = None
    ) -> None:
        self._site = site
        self._listener = listener
        self._app_of = app_of
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._server: Server | None = None
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self.url = url_of(listener)
        self.trouble: str | None = None
        """Why it does not answer at the moment, in words."""

    def start(self) -> None:
        """Begin; requests are answered in a moment. Until then, and before, the system keeps who connects waiting."""
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Until requests are answered, or so many seconds have passed; whether they are."""
        return self._started.wait(seconds)

    def stop(self) -> bool:
        """Take no more requests, and end within two seconds. Whether it has."""
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(STOPPING)
        self._listener.close()
        return not self._thread.is_alive()

    def listener(self) -> socket.socket:
        """The same address for another server: nobody is turned away in between."""
        return self._listener.dup()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                self._serve()
                if self._stopping.is_set():
                    return
                log.error("web server ended by itself, starts again seconds=%g", pause)
                self.trouble = "ended by itself, and starts again"
            except (Exception, SystemExit) as error:  # uvicorn leaves a start that failed with sys.exit
                log.exception("web server stumbled, starts again seconds=%g", pause)
                self.trouble = f"stumbled ({type(error).__name__}: the log says more), and starts again"
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _serve(self) -> None:
        from web.app import make_app  # noqa: PLC0415
        from web.asgi import Server  # noqa: PLC0415  (heavy, and for this thread alone)

        self._server = Server((self._app_of or make_app)(self._site), self._answers)
        if self._stopping.is_set():
            return
        # A copy: the server closes what it was given, and the next one shall find the same address.
        self._server.run(sockets=[self._listener.dup()])

    def _answers(self) -> None:
        self.trouble = None
        self._started.set()
