"""The frame around every page: code that arrives late, the menu of narrow windows, a lost connection."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import Project
from tests.browser.desk import Desk

pytestmark = pytest.mark.browser


def test_code_that_does_not_arrive_is_said_and_tried_again(
    chromium: Browser, project: Project
) -> None:
    """The first two addresses lose one module of many; the desk is there after the third."""
    lost: list[str] = []

    def lose(route: Route) -> None:
        if re.search(r"/[0-9a-f]{16}(-1)?/desk/queue.js$", route.request.url):
            lost.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    desk = Desk.open(chromium, project.url, intercept={"**/alw/modules/**": lose})
    expect(desk.page.get_by_text("could not be loaded")).to_be_visible()
    desk.ready()
    assert len(set(lost)) == 2, "each try asks another address"
    expect(desk.page.get_by_text("could not be loaded")).to_have_count(0)
    desk.press("1")
    desk.saved(1)
    assert [row[2] for row in project.stored()] == ["class"]
    assert desk.errors == []

    # The title names page and project; a narrow window has a menu, which keeps the keys while it is open.
    expect(desk.page).to_have_title("Label · Fashion sample")
    page, sidebar = desk.page, desk.page.locator("[data-testid=stSidebar]")
    expect(sidebar.get_by_role("link", name="Curves")).to_be_in_viewport()
    for section in ("Work", "Evidence", "Set-up"):
        expect(sidebar.get_by_text(section, exact=True)).to_be_visible()
    page.set_viewport_size({"width": 800, "height": 900})
    expect(sidebar).to_have_attribute("data-collapsed", "true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    page.get_by_role("button", name="Expand sidebar").click()
    expect(sidebar).to_have_attribute("data-collapsed", "false")
    page.keyboard.press("2")
    page.keyboard.press("Escape")
    expect(sidebar).to_have_attribute("data-collapsed", "true")
    desk.press("3")
    desk.saved(2)
    assert [row[3] for row in project.stored()] == [100, 102]
    page.get_by_role("button", name="Expand sidebar").click()
    sidebar.get_by_role("link", name="Curves").click()
    expect(page).to_have_title("Curves · Fashion sample")
    expect(sidebar).to_have_attribute("data-collapsed", "true")
    desk.close()


def banner(page: Page, text: str) -> Any:
    return page.locator(".banner", has_text=text)


def test_a_lost_connection_is_a_banner_and_the_desk_goes_on_unless_signed_out(
    chromium: Browser, project: Project
) -> None:
    desk = Desk.open(chromium, project.url)
    page = desk.page
    desk.ready()
    project.kill()
    expect(banner(page, "your answers wait in this browser")).to_be_visible()
    desk.press("1")
    page.wait_for_timeout(4000)  # Streamlit gives up and would open its dialog
    expect(page.locator("[data-testid=stDialog]")).to_have_count(0)
    desk.press("2")
    desk.wait_until(lambda: desk.root.get_attribute("data-unsaved") == "2")

    page.route("**/shared/keys.js", lambda route: route.fulfill(status=401, body="{}"))
    expect(banner(page, "You are signed out")).to_be_visible()
    page.keyboard.press("3")
    page.unroute("**/shared/keys.js")
    expect(banner(page, "your answers wait in this browser")).to_be_visible()
    desk.press("4")
    project.start()
    expect(page.locator(".banner")).to_be_hidden()
    desk.saved(3)
    assert [row[3] for row in project.stored()] == [100, 101, 103]
    assert desk.errors == []
    desk.close()
