"""The pages of evidence in Chromium: a number opens its images, charts are saved, a target is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import RealProject
from tests.browser.desk import COOKIES

pytestmark = pytest.mark.browser

PAGE_MS = 90_000


def opened(chromium: Browser, url: str) -> Page:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PAGE_MS)
    context.add_cookies(COOKIES[url])  # type: ignore[arg-type]
    return context.new_page()


def test_evidence_is_followed_by_keys_saved_as_files_and_kept(
    chromium: Browser, real_project: RealProject
) -> None:
    page = opened(chromium, real_project.url)
    page.goto(f"{real_project.url}/errors")
    number = page.locator("table.alw-errors a[aria-label*='predicted']").first
    expect(number).to_be_visible(timeout=PAGE_MS)
    images, words = number.inner_text(), number.get_attribute("aria-label") or ""
    number.focus()
    page.keyboard.press("Enter")
    root = page.locator("[data-gallery]")
    expect(root).to_have_attribute("data-total", images, timeout=PAGE_MS)
    label, predicted = words.removesuffix(": show").split(" labelled ")[1].split(", predicted ")
    expect(root.get_by_role("combobox", name="Label", exact=True)).to_have_value(label)
    expect(root.get_by_role("combobox", name="Prediction", exact=True)).to_have_value(predicted)
    expect(root.get_by_role("combobox", name="Label and prediction")).to_have_value("audit")
    expect(root.get_by_text("All", exact=False).filter(has_text=" are ")).to_have_count(0)
    page.reload()  # the address is enough
    expect(root).to_have_attribute("data-total", images, timeout=PAGE_MS)

    page.goto(f"{real_project.url}/calibration")
    fold = page.locator("[data-testid=stExpander]").filter(has_text="Reliability: table and files")
    fold.locator("summary").click()
    for button, name, start in (
        ("Save picture (PNG)", "reliability.png", b"\x89PNG"),
        ("Save table (CSV)", "reliability.csv", b"Probabilities,"),
    ):
        with page.expect_download(timeout=PAGE_MS) as saved:
            fold.get_by_role("button", name=button).click()
        assert saved.value.suggested_filename == name
        assert Path(saved.value.path()).read_bytes().startswith(start)

    page.goto(f"{real_project.url}/curves")
    page.get_by_role("button", name="Keep this target").click()
    expect(page.get_by_text("This is the target of the project")).to_be_visible(timeout=PAGE_MS)
    with real_project.reading() as reader:
        assert reader.settings().target_accuracy == 0.9
    page.context.close()
