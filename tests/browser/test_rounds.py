"""Rounds in a browser: what one page closes every page is told, and what was previewed is what is opened."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from alworkbench.api import open_project
from tests.browser import tour
from tests.browser.conftest import RealProject

pytestmark = pytest.mark.browser

WORKER_MS = 240_000
"""The worker process starts with the first job."""
_PAINTED = """
() => {
  const shown = [...document.querySelectorAll(".alw-batch img")];
  return shown.length > 0 && shown.every((each) => each.complete && each.naturalWidth > 0);
}
"""

_TOLD = """
window.told = [];
new MutationObserver(() => {
  for (const each of document.querySelectorAll("[data-testid=stToast]")) window.told.push(each.textContent);
}).observe(document, { childList: true, subtree: true, characterData: true });
"""
"""Keeps what toasts said: each is on screen for 10 seconds, and another page may take longer to load."""
_LEARNED = """
() => window.told.some((each) =>
  each.includes("The model has learned from round 1.") && each.includes("Accuracy"))
"""


def press(page: Page, name: str) -> None:
    """Press a button by its key, as somebody without a mouse does."""
    button = page.get_by_role("button", name=name, exact=True)
    button.focus()
    page.keyboard.press("Enter")


def test_a_round_is_closed_previewed_and_opened_and_every_page_is_told(
    chromium: Browser, real_project: RealProject
) -> None:
    url = real_project.url
    with tour.tour(chromium, url) as page, tour.tour(chromium, url) as other:
        other.add_init_script(_TOLD)
        other.goto(f"{url}/gallery")
        expect(other.locator("[data-gallery] .cell.seen").first).to_be_visible(timeout=WORKER_MS)
        page.goto(f"{url}/rounds")
        expect(page.get_by_text("Round 1 is open")).to_be_visible(timeout=WORKER_MS)
        page.wait_for_function(_PAINTED)
        press(page, "Close the round early")
        press(page, "Close it as it is")
        # A page that is left stops what the server was about to do for it: the press must have arrived.
        goes_on = page.get_by_role("heading", name="Close round 1", exact=True)
        over = page.get_by_text("Choose the images of round 2")
        expect(goes_on.or_(over).first).to_be_visible(timeout=WORKER_MS)
        page.reload()  # the job goes on, and the page finds it again
        other.wait_for_function(_LEARNED, timeout=WORKER_MS)
        expect(page.get_by_text("Choose the images of round 2")).to_be_visible(timeout=WORKER_MS)
        press(page, "Preview")
        expect(page.get_by_text("Preview of round 2")).to_be_visible(timeout=WORKER_MS)
        page.wait_for_function(_PAINTED)
        first = page.locator(".alw-batch").first.locator("img")
        shown = [each.get_attribute("src") or "" for each in first.all()]
        press(page, "Open this round")
        expect(page.get_by_text("Round 2 is open")).to_be_visible(timeout=WORKER_MS)
        exact = page.locator(".alw-rounds time").first
        assert "UTC" in (exact.get_attribute("title") or "")
    with open_project(real_project.folder) as workbench:
        round_ = workbench.rounds.current()
        assert round_ is not None
        assert (round_.number, round_.opened_by) == (2, "annotator")
        asked = [workbench.images.get(i.image_id).hash for i in workbench.rounds.items(round_.id)]
    assert [content in address for content, address in zip(asked, shown, strict=True)] == [
        True
    ] * 10
