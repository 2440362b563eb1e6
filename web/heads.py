"""HEAD for everything that answers GET: the same answer without its body. The routes know GET alone."""

from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(slots=True)
class Heads:
    """A middleware right around the routes."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; a HEAD is asked as a GET."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["method"] != "HEAD":
            await self.app(scope, receive, _allowing(send))
            return
        head = _Head(receive, send)
        await self.app({**scope, "method": "GET"}, head.receive, _allowing(head.send))


@dataclass(slots=True)
class _Head:
    """A caller who leaves with the headers: what streams need not be read for them."""

    receiving: Receive
    sending: Send
    _has_left: bool = field(default=False)

    async def receive(self) -> Message:
        return {"type": "http.disconnect"} if self._has_left else await self.receiving()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self.sending(message)
        elif not self._has_left:
            self._has_left = True
            await self.sending({"type": "http.response.body", "body": b""})


def _allowing(send: Send) -> Send:
    """An answer that lists the methods of an address does not forget HEAD."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 405:  # noqa: PLR2004
            headers = MutableHeaders(scope=message)
            methods = [each.strip() for each in headers.get("allow", "").split(",")]
            if "GET" in methods and "HEAD" not in methods:
                headers["allow"] = ", ".join([*methods, "HEAD"])
        await send(message)

    return sending
