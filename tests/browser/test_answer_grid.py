"""The grid of an open round in Chromium: one key answers a selection, one takes the whole act back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.conftest import Project
from tests.browser.desk import Desk

pytestmark = pytest.mark.browser


def test_a_selection_is_answered_by_one_key_image_by_image_and_taken_back_by_one(
    chromium: Browser, project: Project
) -> None:
    desk = Desk.open(chromium, project.url)
    page = desk.page
    page.evaluate("localStorage.setItem('alworkbench.answer_grid.size', '380')")
    page.goto(f"{project.url}/grid")
    root, said = page.locator("[data-answer-grid]"), page.locator("[data-answer-grid] .saying")
    cells = root.locator(".cell:not([hidden])")
    expect(root).to_have_attribute("data-open", "10")
    expect(root.locator(".cell.seen").first).to_be_visible()

    def stored() -> list[int | None]:
        expect(root).to_have_attribute("data-unsaved", "0")
        return [class_id for _, _, _, class_id in project.stored()]

    # Rows below the screen have their pictures already, and are not answered unseen.
    page.keyboard.press("a")
    expect(root).to_have_attribute("data-selected", "10")
    page.keyboard.press("2")
    expect(said).to_contain_text("not on the screen yet")
    assert stored() == []
    page.keyboard.press("Escape")
    for _ in range(3):
        page.keyboard.press("-")
    expect(root.locator(".cell.seen")).to_have_count(10)

    # Nothing is answered before the person goes to an image; a held key counts once.
    page.keyboard.press("1")
    expect(said).to_have_text("Not taken: go to an image or select some first.")
    cells.nth(0).click()
    cells.nth(2).click(modifiers=["Shift"])
    expect(root).to_have_attribute("data-selected", "3")
    for _ in range(5):
        page.keyboard.down("2")
    page.keyboard.up("2")
    expect(root).to_have_attribute("data-answered", "3")
    assert stored() == [101] * 3
    assert len({event for event, *_ in project.stored()}) == 3
    expect(cells.nth(1)).to_have_attribute(
        "aria-label", "Trouser, Pullover 49\u00a0% predicted, image 2 of the round"
    )

    # One of them was another class. Both acts are taken back, one after the other.
    cells.nth(1).click()
    page.keyboard.press("4")
    assert stored() == [101] * 3 + [103]
    page.keyboard.press("z")
    assert stored() == [101] * 3
    page.keyboard.press("z")
    assert stored() == []
    expect(root).to_have_attribute("data-selected", "3")
    page.keyboard.press("3")
    assert stored() == [102] * 3

    # Whoever leaves gives back what waits; the desk goes on with it, and the grid after the desk.
    with page.expect_request("**/release") as given:
        page.get_by_role("link", name="Label").click()
    assert len((given.value.post_data_json or {})["items"]) == 7
    desk.press("5")
    desk.saved(4)
    page.get_by_role("link", name="Grid").click()
    expect(root).to_have_attribute("data-open", "6")
    expect(root.locator(".cell.seen")).to_have_count(6)
    page.keyboard.press("ArrowRight")  # to the first image, which Enter accepts
    page.keyboard.press("Enter")
    expect(root).to_have_attribute("data-answered", "5")
    page.keyboard.press("Control+a")
    expect(root).to_have_attribute("data-selected", "5")
    page.keyboard.press("Enter")
    expect(said).to_contain_text("the images do not have one suggestion")
    page.keyboard.press("s")
    expect(root).to_have_attribute("data-finished", "true")
    expect(root.get_by_text("All 10 images are answered")).to_be_visible()
    assert stored()[4] == project.read()._suggest(5).class_id
    assert stored()[5:] == [None] * 5
    expect(page.get_by_role("button", name="Close the round and learn")).to_be_visible()
    assert desk.errors == []
    assert desk.outside == []
    desk.close()


def test_what_is_refused_is_put_back_and_all_of_it_is_said_until_the_next_act(
    chromium: Browser, project: Project
) -> None:
    def refuse(route: Route) -> None:
        route.fulfill(status=409, json={"refused": True, "code": "test", "reason": "It is Sunday."})

    desk = Desk.open(chromium, project.url)
    page = desk.page
    page.goto(f"{project.url}/grid")
    root, cells = page.locator("[data-answer-grid]"), page.locator(".cell:not([hidden])")
    notice, outcome = root.locator(".notice"), root.locator(".outcome")
    expect(root.locator(".cell.seen").nth(3)).to_be_visible()

    # A flag is shown at once, and said once it is stored.
    held: list[Route] = []
    page.route("**/flag", lambda route: held.append(route))
    cells.nth(0).click()
    page.keyboard.press("f")
    expect(cells.nth(0)).to_have_attribute("aria-label", re.compile("flagged"))
    expect(root.locator(".saying")).to_have_text("")
    desk.wait_until(lambda: len(held) == 1)
    refuse(held[0])
    expect(notice).to_have_text("1 change of a flag was not recorded: It is Sunday.")
    expect(cells.nth(0)).not_to_have_attribute("aria-label", re.compile("flagged"))
    page.unroute("**/flag")
    page.keyboard.press("f")
    expect(root.locator(".saying")).to_have_text("Flagged.")
    expect(notice).to_be_hidden()

    page.route("**/answer", refuse)
    page.route("**/queue", lambda route: route.abort())
    cells.nth(1).click(modifiers=["Shift"])
    page.keyboard.press("2")
    expect(notice).to_have_text("2 answers were not recorded: It is Sunday.")
    assert project.stored() == []
    page.unroute("**/answer")

    # What others hold now is none of the images that a key is for.
    cells.nth(2).click()
    cells.nth(0).click(modifiers=["Control"])
    expect(cells.nth(0)).to_have_attribute("aria-label", re.compile("Not yours now"))
    page.keyboard.press("Enter")
    expect(notice).to_be_hidden()
    expect(root).to_have_attribute("data-answered", "1")
    cells.nth(2).click()
    page.keyboard.press("3")
    expect(root).to_have_attribute("data-unsaved", "0")
    cells.nth(2).click()
    page.keyboard.press("3")
    expect(outcome).to_contain_text("1 image already had this answer: Pullover.")
    page.unroute("**/queue")

    # A new answer that is taken back leaves the earlier one: the round counts as many, also after a reload.
    page.reload()
    expect(root).to_have_attribute("data-answered", "1")
    page.route("**/undo", lambda route: held.append(route))
    page.keyboard.press("z")
    desk.wait_until(lambda: len(held) == 2)
    expect(root).to_have_attribute("data-answered", "1")
    held[1].continue_()
    expect(root).to_have_attribute("data-unsaved", "0")
    assert desk.errors == []
    desk.close()
