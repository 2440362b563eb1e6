"""The dashboard in the system's Chromium: a server over a site, and pages whose every suspicious act is noted."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from web.listening import listen
from web.server import WebServer
from web.site import Site

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
]
PHONE = {"width": 380, "height": 800}
STARTING = 20.0  # seconds that a server may take to answer
SPY = """
window.violations = [];
addEventListener("securitypolicyviolation", (e) => violations.push(`${e.violatedDirective} ${e.blockedURI}`));
window.alert = () => { window.hacked = true; };
"""
READY = """
new MutationObserver((_, observer) => {
  if (!document.querySelector("#live")?.textContent) return;
  window.ready = performance.now();
  observer.disconnect();
}).observe(document, { subtree: true, childList: true, characterData: true });
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, else Playwright's; its absence fails in CI and is a reason to skip elsewhere."""
    with sync_playwright() as playwright:
        path = _chromium(playwright)
        if path is None:
            if os.environ.get("CI"):
                pytest.fail("Chromium is required in CI", pytrace=False)
            pytest.skip("there is no Chromium on this machine")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def _chromium(playwright: Playwright) -> str | None:
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    own = playwright.chromium.executable_path  # of `playwright install chromium`
    return next(found, own if Path(own).exists() else None)


@contextmanager
def served(site: Site) -> Iterator[str]:
    """The address of a real server over a site, without a slash at its end."""
    server = WebServer(site, listen("127.0.0.1", 0))
    server.start()
    try:
        assert server.wait(STARTING)
        yield server.url.rstrip("/")
    finally:
        server.stop()


class Watched:
    """A page, and everything suspicious that happens in it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.page: Page = context.new_page()
        self.elsewhere: list[str] = []
        self.trouble: list[str] = []
        self.page.add_init_script(SPY)
        self.page.on("request", self._requested)
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("console", self._said)
        self.page.on("dialog", self._asked)

    def open(self, path: str) -> Page:
        """A page of the dashboard, as soon as it is live."""
        self.page.goto(self.url + path)
        if self.page.locator("#live").count():  # pages that stand alone have no script
            expect(self.page.locator("#live")).to_contain_text("Live")
        return self.page

    def check(self) -> None:
        """Nobody else was asked, and nothing ran that is not ours."""
        assert self.elsewhere == []
        assert self.trouble == []
        assert self.page.evaluate("window.violations") == []
        assert self.page.evaluate("window.hacked") is None

    def _requested(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def _asked(self, dialog: Any) -> None:
        self.trouble.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _said(self, message: Any) -> None:
        refused = "Failed to load resource: the server responded with a status of 4"  # the page of an error is one
        if message.type in {"error", "warning"} and not message.text.startswith(refused):
            self.trouble.append(message.text)
