"""The web application: everything that is served, put together."""

from importlib.metadata import version

from fastapi import FastAPI

from web.gate import Gate
from web.site import Site


def make_app(site: Site) -> FastAPI:
    """The application over a site."""
    app = FastAPI(title="buildwatch", version=version("buildwatch"), docs_url=None, redoc_url=None)
    app.add_middleware(Gate, site=site)
    return app
