"""The dashboard in Chromium: it stays current, can be used by keyboard and on a phone, and nothing foreign runs."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from domain.build import Outcome
from store.engine import Database
from tests.support.builders import NOON, build, pipeline
from tests.support.dashboard_scene import STACK, fill, fill_hostile, ingested
from tests.support.site import Premises, site_over
from web.listening import listen
from web.server import WebServer
from web.site import Site

PAGES = (
    "/",
    "/details",
    "/pipelines",
    "/pipelines/1",
    "/builds/{build}",
    "/alerts",
    "/tests",
    "/analysis?pipeline=nsp/core",
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
]
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
PHONE = {"width": 380, "height": 800}
SPY = """
window.violations = [];
addEventListener("securitypolicyviolation", (e) => violations.push(`${e.violatedDirective} ${e.blockedURI}`));
window.alert = () => { window.hacked = true; };
"""


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium; its absence fails in CI and is a reason to skip elsewhere."""
    path = _chromium()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is required in CI", pytrace=False)
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@contextmanager
def served(site: Site) -> Iterator[str]:
    """The address of a real server over a site."""
    server = WebServer(site, listen("127.0.0.1", 0))
    server.start()
    server.wait()
    try:
        yield server.url.rstrip("/")
    finally:
        server.stop()


@pytest.fixture
def site(sqlite_database: Database, given: Premises) -> Site:
    return site_over(sqlite_database, given)


@pytest.fixture
def url(site: Site) -> Iterator[str]:
    with served(site) as address:
        yield address


class Watched:
    """A page, and everything suspicious that happens in it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.page: Page = context.new_page()
        self.elsewhere: list[str] = []
        self.trouble: list[str] = []
        self.bytes = 0
        self.page.add_init_script(SPY)
        self.page.on("request", self._requested)
        self.page.on("response", self._answered)
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("console", self._said)
        self.page.on("dialog", lambda dialog: (self.trouble.append("a dialog"), dialog.dismiss()))

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        expect(self.page.locator("#live")).to_contain_text("Live")
        return self.page

    def check(self) -> None:
        assert self.elsewhere == []
        assert self.trouble == []
        assert self.page.evaluate("window.violations") == []
        assert self.page.evaluate("window.hacked") is None

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def _answered(self, response: Any) -> None:
        self.bytes += int(response.headers.get("content-length", 0))

    def _said(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.trouble.append(message.text)


@pytest.fixture
def watch(browser: Browser, url: str) -> Iterator[Callable[..., Watched]]:
    """Opens a page under observation; arguments are those of a browser context."""
    contexts: list[BrowserContext] = []

    def open_one(**how: Any) -> Watched:
        contexts.append(browser.new_context(**how))
        return Watched(contexts[-1], url)

    yield open_one
    for context in contexts:
        context.close()


def test_a_build_shows_up_within_a_second_without_reload(site: Site, watch: Callable[..., Watched]) -> None:
    fill(site)
    watched = watch()
    page = watched.open("/")
    page.evaluate("window.mine = 1")
    late = build(5, Outcome.FAILURE, pipeline=pipeline("brand/new"), started_at=NOON, finished_at=NOON, bucket="Fire")
    page.wait_for_timeout(300)
    ingested(site, [late])
    expect(page.locator("#recent")).to_contain_text("new #5", timeout=1_500)
    expect(page.locator("#causes")).to_contain_text("Fire", timeout=1_500)
    assert page.evaluate("window.mine") == 1
    watched.check()


def test_a_refresh_leaves_focus_and_scroll_alone(site: Site, watch: Callable[..., Watched]) -> None:
    fill(site)
    page = watch().open("/")
    link = page.locator("#recent tbody a").nth(5)
    link.focus()
    page.evaluate("scrollTo(0, 700)")
    before = page.evaluate("[document.activeElement.href, scrollY]")
    ingested(site, [build(5, Outcome.SUCCESS, pipeline=pipeline("brand/new"), started_at=NOON, finished_at=NOON)])
    expect(page.locator("#recent")).to_contain_text("new #5")
    after = page.evaluate("[document.activeElement.href, scrollY]")
    assert after[0] == before[0]
    assert abs(after[1] - before[1]) < 60  # what is above may have grown by a line, which the browser anchors


def test_a_form_that_somebody_fills_in_survives_a_refresh(site: Site, watch: Callable[..., Watched]) -> None:
    fill(site)
    page = watch().open("/alerts")
    first = page.locator("article.alert").first
    first.locator("summary").click()
    first.locator("input[name=reason]").first.fill("half a sen")
    ingested(site, [build(5, Outcome.FAILURE, pipeline=pipeline("brand/new"), started_at=NOON, finished_at=NOON)])
    expect(page.locator("#firing")).to_contain_text("new")
    assert page.locator("input[name=reason]").first.input_value() == "half a sen" or "half a sen" in page.evaluate(
        "[...document.querySelectorAll('input[name=reason]')].map((each) => each.value)"
    )


def test_it_says_when_the_connection_is_lost_and_comes_back(site: Site, watch: Callable[..., Watched]) -> None:
    watched = watch()
    page = watched.page
    sockets: list[Any] = []
    page.route_web_socket("**/api/live", lambda ws: (sockets.append(ws), ws.connect_to_server()))
    page.goto(watched.url + "/")
    expect(page.locator("#live")).to_contain_text("Live")
    sockets[0].close()
    expect(page.locator("#live")).to_contain_text("Reconnecting")
    ingested(site, [build(5, Outcome.FAILURE, pipeline=pipeline("brand/new"), started_at=NOON, finished_at=NOON)])
    expect(page.locator("#live")).to_contain_text("Live")
    expect(page.locator("#main")).to_contain_text("new #5")


def test_windows_buckets_and_builds_are_reached_by_links_and_the_back_button(
    site: Site, watch: Callable[..., Watched]
) -> None:
    fill(site)
    page = watch().open("/")
    page.get_by_role("navigation", name="Window").get_by_role("link").nth(5).click()
    assert page.url.endswith("?window=2026-11-19")
    page.go_back()
    page.locator("#causes").get_by_role("link", name=STACK).click()
    assert "reason=Stack" in page.url
    page.locator("#found tbody a").first.click()
    expect(page.locator("h1")).to_contain_text("core #32")
    expect(page.locator("#stages")).to_contain_text("Deploy")
    page.go_back()
    assert "reason=Stack" in page.url
    page.go_back()
    expect(page.locator("#causes")).to_be_visible()


def test_filters_are_in_the_address_and_the_back_button_undoes_them(site: Site, watch: Callable[..., Watched]) -> None:
    fill(site)
    page = watch().open("/details")
    page.get_by_label("Find").fill("docs")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=docs**")
    expect(page.locator("#found")).not_to_contain_text("core")
    page.reload()
    assert page.get_by_label("Find").input_value() == "docs"
    page.go_back()
    expect(page.locator("#found")).to_contain_text("core")


def test_everything_can_be_done_by_keyboard(site: Site, watch: Callable[..., Watched]) -> None:
    fill(site)
    page = watch().open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#broken') !== null")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("core")
    page.goto(f"{page.url.split('/pipelines')[0]}/alerts")
    page.locator("summary").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type("on it")
    page.keyboard.press("Enter")
    expect(page.locator("#firing")).to_contain_text("acknowledged by ada: on it")


@pytest.mark.parametrize("path", PAGES)
def test_no_page_scrolls_sideways_on_a_phone(site: Site, watch: Callable[..., Watched], path: str) -> None:
    build_id = fill(site)[-1]
    page = watch(viewport=PHONE).open(path.format(build=build_id))
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("path", ["/", "/pipelines/1", "/details", "/alerts"])
def test_hostile_names_do_not_break_a_phone_either(site: Site, watch: Callable[..., Watched], path: str) -> None:
    fill_hostile(site)
    page = watch(viewport=PHONE).open(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, "/?kiosk=1", "/details?reason=none"])
def test_axe_finds_nothing(site: Site, watch: Callable[..., Watched], path: str, scheme: str) -> None:
    build_id = fill(site)[-1]
    page = watch(color_scheme=scheme).open(path.format(build=build_id))
    found = Axe().run(page, options=WCAG)["violations"]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found] == []


@pytest.mark.parametrize("path", ["/", "/details", "/pipelines", "/alerts", "/tests", "/analysis"])
def test_axe_finds_nothing_in_an_empty_store(watch: Callable[..., Watched], path: str) -> None:
    page = watch().open(path)
    assert [each["id"] for each in Axe().run(page, options=WCAG)["violations"]] == []


def test_the_theme_is_switched_and_stays(site: Site, watch: Callable[..., Watched]) -> None:
    fill(site)
    page = watch(color_scheme="light").open("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="dark").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.goto(f"{page.url}pipelines")
    assert page.evaluate(ground) == dark


@pytest.mark.parametrize("path", ["/", "/?kiosk=1", "/details", "/pipelines", "/alerts", "/tests", "/analysis"])
def test_of_hostile_names_nothing_runs_and_nobody_else_is_asked(
    site: Site, watch: Callable[..., Watched], path: str
) -> None:
    fill_hostile(site)
    watched = watch()
    watched.open(path)
    watched.page.wait_for_timeout(300)
    watched.check()


def test_nothing_of_a_hostile_build_or_pipeline_runs(site: Site, watch: Callable[..., Watched]) -> None:
    names = [
        "<script>alert(1)</script>",
        "'\"><svg onload=alert(1)>",
        "<img src=x onerror=alert(1)>",
        "javascript:alert(1)",
    ]
    watched = watch()
    for build_id in fill_hostile(site, names):
        page = watched.open(f"/builds/{build_id}")
        watched.check()
        for link in page.locator("main a").all():
            assert not str(link.get_attribute("href")).startswith("javascript")
        page.locator("h1 a").click()
        expect(page.locator("#live")).to_contain_text("Live")
        watched.check()


def test_charts_are_drawn_with_no_complaint(site: Site, watch: Callable[..., Watched]) -> None:
    fill(site)
    watched = watch()
    page = watched.open("/analysis?pipeline=nsp/core")
    expect(page.locator("figure canvas")).to_have_count(1)
    watched.open("/pipelines/3")
    expect(page.locator("figure canvas")).to_have_count(2)
    watched.check()


def test_the_front_page_weighs_less_than_200_kb(site: Site, watch: Callable[..., Watched]) -> None:
    fill_hostile(site)
    fill(site)
    watched = watch()
    page = watched.page
    weight = 0

    def add(response: Any) -> None:
        nonlocal weight
        weight += len(response.body())

    page.on("requestfinished", lambda request: add(request.response()))
    watched.open("/")
    page.wait_for_load_state("networkidle")
    assert weight < 200_000


def test_without_motion_nothing_moves(site: Site, watch: Callable[..., Watched]) -> None:
    fill(site)
    page = watch(reduced_motion="reduce").open("/")
    ingested(site, [build(5, Outcome.SUCCESS, pipeline=pipeline("brand/new"), started_at=NOON, finished_at=NOON)])
    expect(page.locator("#recent")).to_contain_text("new #5")
    assert page.evaluate("document.getAnimations().length") == 0


def test_a_wall_screen_shows_one_part_after_the_other(site: Site, watch: Callable[..., Watched]) -> None:
    fill(site)
    watched = watch()
    page = watched.page
    page.clock.install()
    page.goto(f"{watched.url}/?kiosk=1")
    expect(page.locator(".slide").nth(1)).to_be_hidden()
    page.clock.run_for(15_500)
    expect(page.locator(".slide").nth(1)).to_be_visible()
    expect(page.locator(".slide").nth(0)).to_be_hidden()
