"""The server's side of a WebSocket connection, as uvicorn has it, and it ends."""

import asyncio

from typing_extensions import override
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LEAVING = 2.0  # seconds that a client has to take the last of what it was sent


class Ending(WebSocketsSansIOProtocol):
    """Cuts a connection off that was closed and does not go.

    A transport that is closed waits until everything was sent, and who takes nothing would keep it, with its buffers
    and its place among the connections, for as long as they like.
    """

    @override
    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Nobody here has anything to say any more."""
        super().on_task_complete(task)
        self.loop.call_later(LEAVING if self.close_timer is None else self.close_timeout, self._cut)

    @override
    def keepalive_timeout(self) -> None:
        """A ping was not answered."""
        super().keepalive_timeout()
        self.loop.call_later(LEAVING, self._cut)

    def _cut(self) -> None:
        if self in self.connections:
            self.transport.abort()
