"""The web application: everything that is served, put together."""

import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.staticfiles import StaticFiles

from web import login
from web.access import CSRF_HEADER
from web.description import describe
from web.gate import Gate, Limits
from web.recognition import Recognition
from web.refusals import add_refusals
from web.sessions import Sessions
from web.site import Site

STATIC = Path(__file__).parent / "static"


def make_app(site: Site, *, limits: Limits | None = None, monotonic: Callable[[], float] = time.monotonic) -> FastAPI:
    """The application over a site. `web.cors` is read now, all other settings at every request."""
    app = FastAPI(title="buildwatch", version=version("buildwatch"), docs_url=None, redoc_url=None)
    recognition = Recognition(Sessions(site.database, site.now), monotonic)
    app.include_router(login.router_of(site, recognition))
    for name in ("seed_routes", "api", "ingest", "webhooks", "live", "feeds", "pages", "export"):
        if find_spec(f"web.{name}"):
            app.include_router(import_module(f"web.{name}").router_of(site))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    add_refusals(app, site)
    describe(app)
    app.add_middleware(Gate, site=site, recognition=recognition, limits=limits or Limits(), monotonic=monotonic)
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
