"""The dashboard in Chromium, with names as nobody should choose them: nothing of theirs runs, nobody else is asked."""

from playwright.sync_api import expect

from tests.support.browser import PHONE
from tests.support.hostile import HOSTILE
from tests.web.dashboard.conftest import Scene, Watch

LISTS = (
    "/",
    "/?kiosk=1",
    "/details",
    "/details?reason=%3Cscript%3Ealert(1)%3C/script%3E&q=%22%3E%3Cb%3E",
    "/?label.%3Cb%3E=%22%3E%3Cscript%3E",
    "/pipelines",
    "/alerts",
    "/tests",
    "/analysis",
    "/analysis?pipeline=1&measurement=%3Cscript%3E",
)
MARKUP = [place for place, name in enumerate(HOSTILE) if "<" in name or '"' in name or "javascript:" in name]


def test_of_hostile_names_in_lists_nothing_runs(hostile: Scene, watch: Watch) -> None:
    watched = watch(hostile, viewport=PHONE)
    for path in LISTS:
        page = watched.open(path)
        watched.check()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path


def test_of_a_hostile_build_pipeline_or_alert_nothing_runs(hostile: Scene, watch: Watch) -> None:
    watched = watch(hostile, viewport=PHONE)
    page = watched.page
    for place in MARKUP:
        page.goto(f"{hostile.url}/builds/{hostile.builds[place]}")
        alert, owner = (page.locator(f"{each} a").first.get_attribute("href") for each in ("#told", "h1"))
        for path in (None, alert, owner):
            if path is not None:
                page.goto(hostile.url + path)
            expect(page.locator("#live")).not_to_be_empty()
            watched.check()
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
            assert page.evaluate("[...document.links].filter((each) => each.protocol === 'javascript:').length") == 0
