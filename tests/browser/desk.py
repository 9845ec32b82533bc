"""The labelling page as a test sees and uses it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page, expect

expect.set_options(timeout=30_000)

# Runs before the page's own listeners: what was on screen at the moment of each key.
_WITNESS = """
window.witnessed = [];
window.addEventListener("keydown", (event) => {
  const host = [...document.querySelectorAll("*")].find(
    (node) => node.shadowRoot && node.shadowRoot.querySelector("[data-labeller]"));
  const desk = host && host.shadowRoot.querySelector("[data-labeller]");
  const picture = desk && desk.querySelector(".frame img");
  window.witnessed.push({
    key: event.key,
    repeat: event.repeat,
    item: desk && desk.dataset.item ? Number(desk.dataset.item) : null,
    armed: Boolean(desk) && desk.dataset.armed === "true",
    loaded: Boolean(picture) && picture.complete && picture.naturalWidth > 0,
    src: picture ? picture.src : null,
  });
}, true);
"""


COOKIES: dict[str, list[dict[str, str]]] = {}
"""Address of a served project -> the cookie with which its manager is signed in."""


@dataclass
class Desk:
    page: Page
    outside: list[str] = field(default_factory=list)
    """Requests to anything but our own server."""
    errors: list[str] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        browser: Browser,
        url: str,
        intercept: dict[str, Any] | None = None,
        script: str = "",
        seconds: float = 30,
        **options: Any,
    ) -> Desk:
        """The page of a served project; `intercept` handles requests to addresses from the start.

        `script` runs in the page before its own code, in the place of the one that notes what was on screen.
        `seconds` is how long a page may take.
        """
        context = browser.new_context(viewport={"width": 1280, "height": 860}, **options)
        context.set_default_timeout(1000 * seconds)
        page = context.new_page()
        desk = cls(page)
        page.on("request", lambda request: desk._note(request.url, url))
        page.on("pageerror", lambda error: desk.errors.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        page.add_init_script(script or _WITNESS)
        for addresses, handle in (intercept or {}).items():
            page.route(addresses, handle)
        context.add_cookies(COOKIES.get(url, []))
        page.goto(f"{url}/label")
        return desk

    def _note(self, requested: str, url: str) -> None:
        if not requested.startswith((url, "data:", "blob:")):
            self.outside.append(requested)

    @property
    def root(self) -> Any:
        return self.page.locator("[data-labeller]")

    def ready(self) -> None:
        expect(self.root).to_have_attribute("data-armed", "true")

    def item(self) -> int:
        return int(self.root.get_attribute("data-item") or 0)

    def press(self, key: str) -> int:
        """Press a key as a person does: when the image is there. Returns the item answered."""
        self.ready()
        item = self.item()
        self.page.keyboard.press(key)
        return item

    def saved(self, answered: int) -> None:
        expect(self.root).to_have_attribute("data-answered", str(answered))
        expect(self.root).to_have_attribute("data-unsaved", "0")

    def finished(self) -> None:
        expect(self.root).to_have_attribute("data-finished", "true")
        expect(self.root).to_have_attribute("data-unsaved", "0")

    def witnessed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page.evaluate("window.witnessed")
        return found

    def wait_until(self, condition: Any, seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited too long"
            self.page.wait_for_timeout(50)

    def text(self, pattern: str) -> Any:
        return self.page.get_by_text(re.compile(pattern))

    def close(self) -> None:
        self.page.context.close()
