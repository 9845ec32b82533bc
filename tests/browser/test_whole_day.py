"""The whole way in the browser: from an empty home to an exported file and a support set."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import keyboard, tour
from tests.browser.conftest import free_port
from tests.browser.real_project import NAMES, Picture, sample_pictures
from tests.browser.serving import serving_home

pytestmark = [pytest.mark.browser, pytest.mark.long]

COMPUTED_MS = 240_000
"""An import, an encoding or a close may take so long on a busy machine."""
POOL, ROUND = 24, 10


def pictures() -> list[Picture]:
    return [each for each in sample_pictures(POOL) if each.split == "pool"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of pictures without labels."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for picture in pictures():
        (folder / picture.name).write_bytes(picture.data)
    return folder


@pytest.fixture
def home(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """A server over an empty home folder, opened by its printed address."""
    folder = tmp_path / "home"
    folder.mkdir()
    with serving_home(folder, free_port()) as served:
        context = chromium.new_context(viewport={"width": 1440, "height": 1000})
        context.set_default_timeout(tour.PAGE_MS)
        page = context.new_page()
        page.goto(served.address)
        yield page
        context.close()


def press(page: Page, name: str) -> None:
    """Press a button by the keyboard once it is there."""
    button = page.get_by_role("button", name=re.compile("^" + re.escape(name)))
    expect(button.first).to_be_enabled(timeout=COMPUTED_MS)
    keyboard.press(page, name)


def begin(page: Page, photos: Path) -> None:
    """A name, a project, its images and their features, up to the first image on the desk."""
    keyboard.write(page, "Your name", "Ada")
    page.keyboard.press("Enter")
    press(page, "New project")
    keyboard.write(page, "Name", "Clothes")
    keyboard.write(page, "Classes", "\n".join(NAMES))
    press(page, "Make the project")
    expect(page).to_have_url(re.compile("/import"), timeout=tour.PAGE_MS)
    tour.rest(page)
    keyboard.write(page, "Folder or file", str(photos))
    press(page, "Look at it")
    press(page, "Import")
    press(page, f"Encode {POOL} images")
    press(page, "Start the first round")


def label_all(page: Page) -> dict[str, str]:
    """Answer every image by its key; returns the content hash of each picture with the class it was given."""
    desk, given = page.locator("[data-labeller]"), {}
    for number in range(ROUND):
        expect(desk).to_have_attribute("data-answered", str(number), timeout=COMPUTED_MS)
        expect(desk).to_have_attribute("data-armed", "true", timeout=COMPUTED_MS)
        source = desk.locator(".frame img").get_attribute("src") or ""
        shown = re.search("/image/([0-9a-f]{64})", source)
        assert shown is not None
        given[shown[1]] = NAMES[number]
        page.keyboard.press("1234567890"[number])
    expect(desk).to_have_attribute("data-answered", str(ROUND))
    expect(desk).to_have_attribute("data-unsaved", "0")
    assert len(given) == ROUND
    return given


def test_from_an_empty_home_to_an_exported_file_by_the_keyboard_alone(
    home: Page, photos: Path
) -> None:
    begin(home, photos)
    given = label_all(home)
    press(home, "Close the round and learn")
    expect(home.get_by_text("The round is closed")).to_be_visible(timeout=COMPUTED_MS)
    keyboard.follow(home, "Export")
    expect(home.get_by_role("link", name="Download")).to_be_visible(timeout=tour.PAGE_MS)
    with home.expect_download() as waiting:
        keyboard.follow(home, "Download")
    rows = csv.DictReader(io.StringIO(waiting.value.path().read_text(encoding="utf-8")))
    assert {row["hash"]: row["label"] for row in rows} == given

    # And on to a support set, which holds what was labelled.
    keyboard.follow(home, "Support set")
    press(home, "Choose images")
    expect(home.get_by_role("link", name="With pictures")).to_be_visible(timeout=COMPUTED_MS)
    with home.expect_download() as waiting:
        keyboard.follow(home, "With pictures")
    with zipfile.ZipFile(waiting.value.path()) as archive:
        assert any(name.endswith(".png") for name in archive.namelist())
