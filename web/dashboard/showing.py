"""How any page is shown: templates, the clock, the theme, and a tag for what has not changed."""

import hashlib
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from store import changes
from store.engine import Session
from web.access.scopes import Caller
from web.dashboard.assets import Assets
from web.dashboard.rendering import ago, clock, environment, stands_at
from web.site import Site

T = TypeVar("T")
_SEQ: ContextVar[int | None] = ContextVar("_SEQ", default=None)
"""The newest change that the page of this request shows."""


@dataclass(slots=True)
class Pages:
    """What all pages have in common: templates, the clock, what is remembered."""

    site: Site
    assets: Assets = field(default_factory=Assets)
    templates: Any = field(init=False)

    def __post_init__(self) -> None:
        """Compile no template before it is asked for."""
        self.templates = environment(self.assets)

    def show(self, request: Request, caller: Caller, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page, or only what is in its middle for a script that refreshes it (`X-Fragment`)."""
        now, zone = self.site.now(), self.site.settings().zone
        theme = request.cookies.get("theme")
        text = self.templates.get_template(template).render(
            **values,
            layout="fragment.html" if "x-fragment" in request.headers else "base.html",
            given=dict(request.query_params),
            here=request.url.path,
            version=self.assets.version,
            seq=_SEQ.get(),
            kiosk=request.query_params.get("kiosk") == "1",
            theme=theme if theme in {"dark", "light"} else "",
            visitor=caller,
            csrf=caller.csrf or "",
            now=now,
            zone=zone,
            ago=lambda moment: ago(moment, now, zone),
            clock=lambda moment: clock(moment, now, zone),
            stands_at=lambda moment: stands_at(moment, zone),
        )
        return _answer(request, text, status)

    def read(self, unit: Callable[[Session], T]) -> T:
        """Ask the store, in one transaction."""

        def read(session: Session) -> T:
            if _SEQ.get() is None:  # what changes after the first look is to be told to the page
                _SEQ.set(changes.newest(session))
            return unit(session)

        return self.site.database.read(read)


def _answer(request: Request, text: str, status: int) -> Response:
    """With a tag, so that a page that is the same is not sent again."""
    body = text.encode(errors="replace")
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie, X-Fragment"}
    if status == 200 and tag in request.headers.get("if-none-match", ""):  # noqa: PLR2004
        return Response(status_code=304, headers=headers)
    return HTMLResponse(body, status, headers=headers)
