"""The gallery in Chromium over the real service: listed, selected, labelled, taken back, searched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from alworkbench.core.domain import Label, Role
from tests.browser.conftest import RealProject
from tests.browser.desk import COOKIES

pytestmark = pytest.mark.browser

COMPUTED_MS = 60_000


@contextmanager
def gallery(chromium: Browser, url: str) -> Iterator[tuple[Page, Locator]]:
    """The page, and its gallery once images are on screen. No error of a script may come."""
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    context.add_cookies(COOKIES[url])  # type: ignore[arg-type]
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{url}/gallery", timeout=60_000)
    root = page.locator("[data-gallery]")
    expect(root.locator(".cell.seen").first).to_be_visible(timeout=60_000)
    yield page, root
    assert errors == []
    context.close()


def opinions(project: RealProject) -> dict[int, list[Label]]:
    with project.reading() as reader:
        return reader.labels.opinions(Role.POOL) | reader.labels.opinions(Role.AUDIT)


def saved(root: Locator) -> None:
    expect(root).to_have_attribute("data-saving", "0")


def test_a_selection_is_labelled_by_one_key_and_taken_back_by_one(
    chromium: Browser, real_project: RealProject
) -> None:
    before, second = opinions(real_project), real_project.class_ids()[1]
    with gallery(chromium, real_project.url) as (page, root):
        expect(root).to_have_attribute("data-total", "250")
        cells = root.locator(".cell:not([hidden])")
        assert cells.count() < 100  # few elements, however long the list is
        # By the pointer: one image, then with Shift all up to another.
        cells.nth(0).click()
        expect(root).to_have_attribute("data-selected", "1")
        cells.nth(4).click(modifiers=["Shift"])
        expect(root).to_have_attribute("data-selected", "5")
        assert opinions(real_project) == before
        page.keyboard.press("2")
        expect(root.get_by_text("5 images are labelled.")).to_be_visible()
        saved(root)
        now = opinions(real_project)
        fresh = [
            label for image, each in now.items() for label in each if each != before.get(image)
        ]
        assert [label.class_id for label in fresh] == [second] * 5
        assert {label.source for label in fresh} == {"gallery"}
        page.keyboard.press("z")
        expect(root.get_by_text("5 answers are taken back.")).to_be_visible()
        assert opinions(real_project) == before

        # By the keyboard alone: arrows with Shift select, Space adds, Escape selects nothing.
        page.keyboard.press("Home")
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("Shift+ArrowRight")
        expect(root).to_have_attribute("data-selected", "3")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        expect(root).to_have_attribute("data-selected", "4")
        page.keyboard.press("Escape")
        expect(root).to_have_attribute("data-selected", "0")
        # Dragging selects what the band touches.
        first, sixth = cells.nth(0).bounding_box(), cells.nth(2).bounding_box()
        assert first is not None
        assert sixth is not None
        page.mouse.move(first["x"] + 20, first["y"] + 20)
        page.mouse.down()
        page.mouse.move(sixth["x"] + 20, sixth["y"] + 60, steps=4)
        page.mouse.up()
        expect(root).to_have_attribute("data-selected", "3")

        # More than fifty are asked about, and nothing acts below the question.
        page.keyboard.press("Escape")
        page.keyboard.press("Home")
        page.keyboard.press("Shift+End")
        expect(root).to_have_attribute("data-selected", "250")
        page.keyboard.press("1")
        question = root.get_by_role("alertdialog")
        expect(question).to_be_visible()
        page.keyboard.press("2")
        page.keyboard.press("Escape")
        expect(question).to_have_count(0)
        assert opinions(real_project) == before
        page.keyboard.press("Escape")

        # The audit set measures: what would teach from then on is asked about, and moved back by one key.
        root.get_by_text("More filters").click()
        root.get_by_label("Role").select_option("audit")
        expect(root).to_have_attribute("data-total", "100")
        cells.nth(0).click()
        cells.nth(2).click(modifiers=["Shift"])
        moving = root.get_by_role("button", name="Move to the pool")
        moving.click()
        expect(question).to_contain_text("learns from the labels of 3 of them")
        page.keyboard.press("Escape")
        expect(root.get_by_text("Nothing was moved.")).to_be_visible()
        moving.click()
        expect(question).to_be_visible()
        page.keyboard.press("Enter")
        expect(root.locator(".outcome")).to_contain_text("3 images are for the pool.")
        page.keyboard.press("z")
        expect(root.locator(".outcome")).to_contain_text(
            "Moved back. 3 images are for the audit set."
        )
        root.get_by_label("Role").select_option("")
        expect(root).to_have_attribute("data-total", "250")
        assert opinions(real_project) == before

        # Like one image, then the filter, then its empty state.
        cells.nth(0).click()
        root.get_by_role("button", name="Similar to these").click()
        expect(root.get_by_role("button", name="like one image")).to_be_visible()
        nearest = root.locator('.cell[aria-posinset="1"]:not([hidden])')
        expect(nearest).to_have_attribute("aria-label", re.compile("similarity 1.00"))
        root.get_by_label("Answers").select_option("skip")
        expect(root.get_by_text("No image meets these conditions.")).to_be_visible()
        root.get_by_role("button", name="Show all images").click()
        expect(root).to_have_attribute("data-total", "250")

        # What is not computed is offered, computed, and then confirmed as one act.
        root.get_by_label("Sorted by").select_option("uncertainty")
        root.get_by_role("button", name="Predict all images now").click()
        expect(root.locator(".says.predicted .chance").first).not_to_be_empty(timeout=COMPUTED_MS)
        root.get_by_label("Prediction", exact=True).select_option(index=3)
        root.get_by_label("Answers").select_option("no")
        whole = root.get_by_role("button", name="All ")
        expect(whole).to_be_visible()
        count = int(root.get_attribute("data-total") or 0)
        whole.click()
        page.keyboard.press("Enter")
        expect(root.locator(".outcome")).to_contain_text("labelled")
        saved(root)
        acted = [label for each in opinions(real_project).values() for label in each]
        acted = [label for label in acted if label.source == "gallery"]
        assert 0 < len(acted) <= count
        assert len({label.class_id for label in acted}) == 1
        assert all(label.suggested_class_id == label.class_id for label in acted)
        root.get_by_role("button", name="Next: the most similar").click()
        expect(root.get_by_role("button", name="like those answered")).to_be_visible()


def test_an_act_whose_images_are_read_while_the_filter_changes_labels_nothing(
    chromium: Browser, real_project: RealProject
) -> None:
    before = opinions(real_project)
    with gallery(chromium, real_project.url) as (page, root):
        held: list[Route] = []

        def hold(route: Route) -> None:
            """Keep back the second page of the first list, which the act needs."""
            body = route.request.post_data_json or {}
            if body.get("start") == 96 and not body["query"].get("filter"):
                held.append(route)
            else:
                route.continue_()

        page.route("**/images", hold)
        page.reload()
        expect(root).to_have_attribute("data-total", "250")
        root.locator('.cell[aria-posinset="1"]').click()
        for _ in range(95):
            page.keyboard.press("ArrowRight")
        for _ in range(3):
            page.keyboard.press("Shift+ArrowRight")
        expect(root).to_have_attribute("data-selected", "4")
        page.keyboard.press("2")

        # Another list, whose images at the same places are all here when the act goes on.
        root.get_by_text("More filters").click()
        root.get_by_label("Role").select_option("pool")
        expect(root).to_have_attribute("data-total", "150")
        root.locator('.cell[aria-posinset="1"]').click()
        page.keyboard.press("End")
        expect(root.locator('.cell[aria-posinset="150"].seen')).to_be_visible()
        assert held
        for each in held:
            each.continue_()
        expect(root.get_by_text("Nothing was recorded. Try again.")).to_be_visible()
        saved(root)
        assert opinions(real_project) == before
