"""Home in Chromium: two tabs of one browser show two projects, and a new project is made in the browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from alworkbench.api import open_project
from alworkbench.core.domain import Role
from tests.browser.desk import Desk
from tests.browser.home_folder import Home

pytestmark = pytest.mark.browser
PASSWORD = "four quiet words here"


def answers(folder: Path, name: str) -> int:
    with open_project(folder) as workbench, workbench.session.store.read() as reader:
        standing = reader.labels.current(Role.POOL).values()
        return sum(each.annotator == name for each in standing)


def test_two_tabs_show_two_projects_and_a_new_one_is_made(
    chromium: Browser, real_folder: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home", {})
    cookies = [home.add(real_folder, key, "Ada", PASSWORD) for key in ("birds", "coins")]
    home.start()
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(60_000)
    context.add_cookies(cookies)  # type: ignore[arg-type]
    tabs = {}
    for key in ("birds", "coins"):
        page = context.new_page()
        page.goto(home.url)
        card = page.get_by_role("article").filter(has_text=f"Folder {key}")
        card.get_by_role("link", name="Start labelling").press("Enter")
        page.wait_for_url(f"{home.url}/label?p={key}")
        tabs[key] = Desk(page)
    tabs["birds"].press("1")
    for _ in range(2):
        tabs["coins"].press("2")
    for key, number in (("birds", 1), ("coins", 2)):
        tabs[key].saved(number)
        assert answers(home.folder / key, "Ada") == number

    # The address keeps its project over a reload, and so do the links of the navigation.
    page = tabs["coins"].page
    page.reload()
    tabs["coins"].ready()
    assert page.url == f"{home.url}/label?p=coins"
    links = page.locator('[data-testid="stSidebarNavLink"]')
    expect(links.filter(has_text="Gallery")).to_have_attribute("href", "/gallery?p=coins")
    links.filter(has_text="Home").click()
    page.wait_for_url(f"{home.url}/home?p=coins")

    page.get_by_role("button", name="New project").click()
    page.get_by_role("textbox", name="Name").fill("moths")
    page.get_by_role("textbox", name="Classes").fill("hawk moth\nsilk moth")
    page.get_by_role("button", name="Make the project").click()
    page.wait_for_url(f"{home.url}/import?p=moths")
    expect(page.get_by_text("Signed in as Ada (manager)")).to_be_visible()
    context.close()
    assert home.stop() == 0
    with open_project(home.folder / "moths") as workbench:
        assert workbench.people.sign_in("Ada", PASSWORD)
