"""The dashboard in Chromium as people use it: by mouse, by keyboard, on a phone, in the dark, without a script."""

from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from tests.support.browser import PHONE, served
from tests.support.dashboard_scene import STACK
from tests.support.site import MakeSite
from tests.web.dashboard.conftest import Scene, Watch
from web.settings import Access, User

PAGES = (
    "/",
    "/?label.cloud=blr-cloud5",
    "/details?reason=Stack+Creation+Failed&window=2026-11-20",
    "/details?pipeline=1",
    "/pipelines",
    "/pipelines/3",
    "/builds/{failed}",
    "/alerts",
    "/alerts/{alert}",
    "/tests",
    "/analysis?pipeline=nsp/core",
    "/?kiosk=1",
    "/docs",
    "/builds/999",
    "/?window=soon",
)
# What may differ with the colours and the width; all else was looked at by day.
AT_NIGHT = {"runOnly": {"type": "rule", "values": ["color-contrast", "scrollable-region-focusable"]}}
# Of the hundred operations in the description of the API a few of each group will do.
FEWER = "document.querySelectorAll('main.wide details:nth-of-type(n + 3)').forEach((each) => each.remove())"
WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


def path_of(page: str, scene: Scene) -> str:
    return page.format(failed=scene.builds[-1], alert=scene.alerts[-1])


def violations(page: Page, options: Any = WCAG) -> list[Any]:
    found = Axe().run(page, options=options)["violations"]
    return [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found]


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_by_day_nor_on_a_phone_at_night(scene: Scene, watch: Watch, path: str) -> None:
    watched = watch(scene, color_scheme="light")
    page = watched.open(path_of(path, scene))
    page.evaluate(FEWER)
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.evaluate("[...document.querySelectorAll('details')].slice(0, 3).forEach((each) => (each.open = true))")
    assert violations(page, AT_NIGHT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    watched.check()


@pytest.mark.parametrize("path", ["/", "/details", "/pipelines", "/alerts", "/tests", "/analysis", "/?kiosk=1"])
def test_axe_finds_nothing_in_an_empty_store(empty: Scene, watch: Watch, path: str) -> None:
    watched = watch(empty, viewport=PHONE)
    assert violations(watched.open(path)) == []
    watched.check()


def test_somebody_logs_in_and_out(browser: Browser, new_site: MakeSite, watch: Watch) -> None:
    del browser
    ada = User(name="ada", password=SecretStr("correct horse"))
    site = new_site(access=Access(users=(ada,)))
    with served(site) as url:
        watched = watch(Scene(site, url, [], []), viewport=PHONE)
        page = watched.open("/pipelines")
        assert violations(page) == []
        page.get_by_label("Name").fill("ada")
        page.get_by_label("Password").fill("correct horse")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Pipelines")
        expect(page.locator("#live")).to_contain_text("Live")
        assert violations(page) == []
        watched.check()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Password")).to_be_visible()


def test_windows_buckets_and_builds_are_reached_by_links_and_the_back_button(scene: Scene, watch: Watch) -> None:
    page = watch(scene).open("/")
    page.get_by_role("navigation", name="Window").get_by_role("link").nth(5).click()
    assert page.url.endswith("?window=2026-11-19")
    page.go_back()
    page.locator("#causes").get_by_role("link", name=STACK).click()
    assert "reason=Stack" in page.url
    page.locator("#found tbody a").first.click()
    expect(page.locator("h1")).to_contain_text("core #32")
    expect(page.locator("#stages")).to_contain_text("Deploy")
    expect(page.locator("#told")).to_contain_text("550 5.1.1 no such mailbox")
    page.go_back()
    assert "reason=Stack" in page.url
    page.go_back()
    expect(page.locator("#causes")).to_be_visible()


def test_filters_are_in_the_address_and_the_back_button_undoes_them(scene: Scene, watch: Watch) -> None:
    page = watch(scene).open("/details")
    page.get_by_label("Find").fill("docs")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=docs**")
    expect(page.locator("#found")).not_to_contain_text("core")
    page.reload()
    assert page.get_by_label("Find").input_value() == "docs"
    page.go_back()
    expect(page.locator("#found")).to_contain_text("core")


def test_everything_can_be_done_by_keyboard(scene: Scene, watch: Watch) -> None:
    watched = watch(scene)
    page = watched.open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#broken') !== null")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("core")
    watched.open("/alerts")
    page.locator("#firing summary").last.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type("on it")
    page.keyboard.press("Enter")
    expect(page.locator("#firing")).to_contain_text("acknowledged by ada: on it")
    watched.open("/")
    expect(page.locator("#broken")).to_contain_text("ack ada: on it")


def test_the_theme_is_switched_and_stays(scene: Scene, watch: Watch) -> None:
    page = watch(scene, color_scheme="light").open("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="dark").click()
    dark = page.evaluate(ground)
    assert dark != light
    page.goto(f"{page.url}pipelines")
    assert page.evaluate(ground) == dark


def test_charts_are_drawn_in_the_configured_zone(scene: Scene, watch: Watch) -> None:
    watched = watch(scene, timezone_id="America/New_York")
    page = watched.open("/analysis?pipeline=nsp/core")
    expect(page.locator("figure canvas")).to_have_count(1)
    expect(page.locator(".u-legend")).to_contain_text("20 Nov 2026, 17:20")
    watched.open("/pipelines/3")
    expect(page.locator("figure canvas")).to_have_count(2)
    watched.check()


def test_all_of_it_can_be_read_and_done_without_a_script(scene: Scene, watch: Watch) -> None:
    watched = watch(scene, java_script_enabled=False)
    page = watched.page
    page.goto(f"{scene.url}/")
    expect(page.locator("#broken")).to_contain_text(STACK)
    expect(page.locator("#theme")).to_be_hidden()
    page.locator("#causes").get_by_role("link", name=STACK).click()
    expect(page.locator("#found")).to_contain_text("core")
    page.goto(f"{scene.url}/details")
    page.get_by_label("Find").fill("docs")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#found")).not_to_contain_text("core")
    page.goto(f"{scene.url}/alerts/{scene.alerts[0]}")
    page.get_by_label("Note").fill("seen")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#alert")).to_contain_text("acknowledged by the dashboard: seen")
    page.goto(f"{scene.url}/?kiosk=1")
    expect(page.locator(".slide")).to_have_count(3)
    expect(page.locator(".slide").nth(2)).to_be_visible()
    assert page.locator("noscript").count() == 0 or "refresh" in page.content()


def test_a_printed_page_has_what_is_to_be_read(scene: Scene, watch: Watch) -> None:
    page = watch(scene, color_scheme="dark", viewport={"width": 794, "height": 1123}).open("/")
    page.emulate_media(media="print")
    for hidden in ("header.top", ".windows", "#toasts"):
        assert not page.locator(hidden).first.is_visible()
    for shown in ("#broken", "#tiles", "#causes", "#recent"):
        assert page.locator(shown).is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
