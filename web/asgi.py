"""uvicorn with limits: how many connect, how long a request may take to come, and when it answers."""

import asyncio
import logging
import resource
import socket
from collections.abc import Callable
from contextlib import suppress

import h11
import uvicorn
from anyio import to_thread
from fastapi import FastAPI
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from web.live.protocol import Ending

THREADS = 8  # that answer; the store has connections for so many, besides those of the daemon
CONNECTIONS = 1_000  # at once; more are told to come later
FILES = 4_096  # that may be open where the system lets us choose: a connection is one
HEAD_SECONDS = 15.0  # until the head of a request has come
HEAD_BYTES = 32 * 1024
MESSAGE_BYTES = 64 * 1024  # of a WebSocket client; it says little
PING_SECONDS = 20.0
IDLE_SECONDS = 30  # that a connection is kept for the next request
GRACE_SECONDS = 1  # for answers under way at the end

logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # the rest is said by who serves, or by any stranger


class Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, app: FastAPI, started: Callable[[], None]) -> None:
        super().__init__(_configured(app, room()))
        self._has_started = started

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        await super().startup(sockets)
        self._has_started()


def room() -> int:
    """How many connections there may be: the database and the polls of this process need open files, too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in {soft, hard} or soft >= FILES:
        return CONNECTIONS
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, FILES)), hard))
        soft = max(soft, min(hard, FILES))
    return min(CONNECTIONS, soft // 2)


class _Patient(H11Protocol):
    """Waits so long for a request and no longer: who connects and says little holds a place for nobody."""

    _late: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency:
            transport.abort()  # also those who never ask anything hold an open file each
            return
        self._wait_for_head()

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._late is None and self.conn.their_state is h11.IDLE:
            self._wait_for_head()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._late is not None:
            self._late.cancel()

    def _wait_for_head(self) -> None:
        self._late = self.loop.call_later(HEAD_SECONDS, self._look, self.scope)

    def _look(self, before: object) -> None:
        self._late = None
        # After an upgrade the connection is a WebSocket's; an idle one that asked something has its own time.
        if self not in self.connections or self.timeout_keep_alive_task is not None:
            return
        if self.scope is before:
            self.transport.close()
        elif self.conn.their_state is h11.IDLE:  # a request came in time, and part of the next one since
            self._wait_for_head()


def _configured(app: FastAPI, connections: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Patient,
        ws=Ending,
        ws_max_size=MESSAGE_BYTES,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_SECONDS,
        ws_per_message_deflate=False,  # 200 clients would be 200 compressors
        loop="asyncio",
        log_config=None,
        access_log=False,  # web.access.gate writes it, without what may be secret
        server_header=False,
        proxy_headers=False,  # web.access.origins decides whom to believe
        limit_concurrency=connections,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        h11_max_incomplete_event_size=HEAD_BYTES,
    )
