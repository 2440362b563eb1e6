"""One browser and one scene for all tests of a module: most look, others add what is theirs."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from store.engine import open_database
from tests.support.browser import Watched, chromium, served
from tests.support.dashboard_scene import deliver, fill, fill_hostile
from tests.support.site import MakeSite, premises, site_over
from web.site import Site


@dataclass(frozen=True)
class Scene:
    """A site that is served."""

    site: Site
    url: str
    builds: list[int]  # of what is broken, or of each hostile name
    alerts: list[int]


Watch = Callable[..., Watched]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Not for the session: Playwright holds the event loop of its thread as long as it lives."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def new_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeSite]:
    """Makes sites over empty stores that live as long as the module; arguments are settings of the web server."""
    new_store = request.getfixturevalue("_new_store")
    databases = []

    def make(**settings: Any) -> Site:
        folder = tmp_path_factory.mktemp("scene")
        databases.append(open_database(f"sqlite:///{shutil.copy2(new_store, folder / 'buildwatch.db')}"))
        return site_over(databases[-1], premises(folder, **settings))

    yield make
    for each in databases:
        each.close()


@pytest.fixture(scope="module")
def scene(browser: Browser, new_site: MakeSite) -> Iterator[Scene]:
    """Something broken, told to some and not to others."""
    del browser  # without one nothing has to be filled
    site = new_site()
    builds = fill(site)
    alerts = deliver(site)
    with served(site) as url:
        yield Scene(site, url, builds, alerts)


@pytest.fixture(scope="module")
def hostile(browser: Browser, new_site: MakeSite) -> Iterator[Scene]:
    """Every name in it is hostile."""
    del browser
    site = new_site()
    builds = fill_hostile(site)
    alerts = deliver(site)
    with served(site) as url:
        yield Scene(site, url, builds, alerts)


@pytest.fixture(scope="module")
def empty(browser: Browser, new_site: MakeSite) -> Iterator[Scene]:
    """Nothing has happened yet."""
    del browser
    site = new_site()
    with served(site) as url:
        yield Scene(site, url, [], [])


@pytest.fixture
def watch(browser: Browser) -> Iterator[Watch]:
    """Opens a window onto a scene; arguments are those of a browser context."""
    contexts: list[BrowserContext] = []

    def open_one(scene: Scene, **how: object) -> Watched:
        contexts.append(browser.new_context(**how))  # type: ignore[arg-type]
        return Watched(contexts[-1], scene.url)

    yield open_one
    for context in contexts:
        context.close()
