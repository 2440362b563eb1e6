"""The application served: uvicorn in a thread of its own, in the daemon or alone. It never takes the process along."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable

import uvicorn
from anyio import to_thread
from fastapi import FastAPI
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from web.app import make_app
from web.listening import url_of
from web.site import Site

log = logging.getLogger(__name__)

STARTING = 5.0  # seconds that a start is waited for; later it goes on by itself
STOPPING = 2  # seconds that requests under way are given at the end
LEAVING = 0.8  # seconds after which answers under way are cut off
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds before a server that stumbled starts again
THREADS = 8  # that answer; the store has connections for so many, besides those of the daemon
CONNECTIONS = 1_000  # at once; more are told to come later
HEAD_SECONDS = 15.0  # until the head of the first request has come
HEAD_BYTES = 32 * 1024
MESSAGE_BYTES = 64 * 1024  # of a WebSocket client; it says little
PING_SECONDS = 20.0


class WebServer:
    """Serves a site on a socket that listens, until it is stopped. What goes wrong is logged, and it starts again."""

    def __init__(self, site: Site, listener: socket.socket, *, app_of: Callable[[Site], FastAPI] = make_app) -> None:
        self._site = site
        self._listener = listener
        self._app_of = app_of
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._server: uvicorn.Server | None = None
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self.url = url_of(listener)

    def start(self) -> None:
        """Begin; requests are answered in a moment."""
        self._thread.start()

    def wait(self) -> None:
        """Until requests are answered, or a few seconds have passed."""
        if not self._started.wait(STARTING):
            log.warning("web server starts slowly url=%s", self.url)

    def stop(self) -> bool:
        """Take no more requests, and end within two seconds. Whether it has."""
        self._stopping.set()
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(STOPPING)
        self._listener.close()
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        """Whether it serves, or will again."""
        return self._thread.is_alive()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                self._serve()
                if not self._stopping.is_set():
                    log.error("web server ended by itself, starts again seconds=%g", pause)
            except (Exception, SystemExit):  # uvicorn leaves a start that failed with sys.exit
                log.exception("web server stumbled, starts again seconds=%g", pause)
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _serve(self) -> None:
        server = self._server = _Server(_configured(self._app_of(self._site)), self._started)
        if self._stopping.is_set():
            return
        # A copy: the server closes what it was given, and the next one shall find the same address.
        server.run(sockets=[self._listener.dup()])


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self._has_started = started

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        await super().startup(sockets)
        self._has_started.set()


class _Patient(H11Protocol):
    """Waits so long for a first request and no longer: a connection that says nothing holds its place for nobody."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.loop.call_later(HEAD_SECONDS, self._look)

    def _look(self) -> None:
        # After an upgrade the connection is a WebSocket's.
        if self.cycle is None and self in self.connections:
            self.transport.close()


def _configured(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Patient,
        ws="websockets-sansio",
        ws_max_size=MESSAGE_BYTES,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_per_message_deflate=False,  # 200 clients would be 200 compressors
        loop="asyncio",
        log_config=None,
        access_log=False,  # web.access.gate writes it, without what may be secret
        server_header=False,
        proxy_headers=False,  # web.access.origins decides whom to believe
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
