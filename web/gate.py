"""Before any route: what every answer carries."""

from starlette.types import ASGIApp, Receive, Scope, Send

from web import settings
from web.access import Caller
from web.site import Site


class Gate:
    """The middleware around all routes."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] in {"http", "websocket"}:
            state = scope.setdefault("state", {})
            if self._site.settings().access is None:
                state["caller"] = Caller(name="", scope=settings.Scope.ADMIN)
        await self._app(scope, receive, send)
