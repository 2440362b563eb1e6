"""The web application: everything that is served, put together."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from web import reference
from web.access import login
from web.access.gate import Gate, Limits
from web.access.recognition import Recognition
from web.access.scopes import CSRF_HEADER, open_paths
from web.access.sessions import Sessions
from web.api import export
from web.api import own as api
from web.api import seeds as seed_routes
from web.dashboard import pages
from web.description import describe
from web.feeds import routes as feeds
from web.heads import Heads
from web.intake import ingest, webhooks
from web.live import sockets as live
from web.refusals import add_refusals
from web.site import Site

PARTS: Sequence[Callable[[Site], APIRouter]] = [
    each.router_of for each in (seed_routes, api, ingest, webhooks, live, feeds, pages, export)
]


def make_app(
    site: Site,
    *,
    parts: Sequence[Callable[[Site], APIRouter]] = PARTS,
    limits: Limits | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """The application over a site. `web.cors` is read now, all other settings at every request."""
    routers = [each(site) for each in parts]

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for router in routers:
                await stack.enter_async_context(router.lifespan_context(app))
            yield

    app = FastAPI(title="buildwatch", version=version("buildwatch"), openapi_url=None, lifespan=lifespan)
    describe(app)
    recognition = Recognition(Sessions(site.database, site.now), monotonic)
    routers += [login.router_of(site, recognition), reference.router_of(site, app.openapi)]
    # Included, every route would be made a second time, at the first request.
    app.router.routes.extend(route for router in routers for route in router.routes)
    add_refusals(app, site)
    app.add_middleware(Heads)
    app.add_middleware(
        Gate,
        site=site,
        recognition=recognition,
        open_paths=cache(lambda: open_paths(app)),
        limits=limits or Limits(),
        monotonic=monotonic,
    )
    cors = site.settings().cors
    if cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", CSRF_HEADER],
            expose_headers=["ETag", "Link", "Retry-After"],
        )
    return app
