"""Laws of the keys: a press answers the image that it was meant for, and nothing under what covers it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.browser.conftest import Project
from tests.browser.desk import Desk
from tests.ui.fake_workbench import FakeWorkbench

pytestmark = pytest.mark.browser

BIRDS = (
    "great cormorant", "shag", "grey heron", "little egret", "great egret", "white stork",
    "black stork", "glossy ibis", "greater flamingo", "mute swan", "whooper swan", "Zaïre swift",
)  # fmt: skip


def on_digit(folder: Path, item: int, digit: str) -> int:
    """The class id that the digit stands for on this item of the first round."""
    likeliest = FakeWorkbench(folder, names=BIRDS)._likeliest(item - 1000 + 1)
    return likeliest[int(digit) - 1]


def test_random_presses_from_slow_to_fast_label_no_wrong_image(
    chromium: Browser, make_project: Any, tmp_path: Path
) -> None:
    """Digits change their class from image to image: each answers what stood beside it at that moment."""
    project: Project = make_project(batch_size=200, names=list(BIRDS))
    desk = Desk.open(chromium, project.url)
    desk.ready()
    chance = random.Random(1)
    for gap, presses in ((600, 6), (250, 8), (120, 12), (60, 20), (30, 24)):
        for _ in range(presses):
            desk.page.keyboard.press(chance.choice("123456789"))
            desk.page.wait_for_timeout(gap)
    desk.wait_until(lambda: desk.root.get_attribute("data-unsaved") == "0", seconds=120)
    taken = [each for each in desk.witnessed() if each["armed"] and not each["repeat"]]
    aside = tmp_path / "aside"
    assert [row[1:] for row in project.stored()] == [
        (each["item"], "class", on_digit(aside, each["item"], each["key"])) for each in taken
    ]
    assert all(each["loaded"] for each in taken)
    assert len(taken) >= 20
    assert desk.errors == []
    desk.close()


def test_nothing_is_labelled_under_the_search_or_a_menu_and_every_refusal_is_said(
    chromium: Browser, make_project: Any
) -> None:
    slow: list[Route] = []
    arrived = False

    def hold(route: Route) -> None:
        if arrived:
            route.continue_()
        else:
            slow.append(route)

    project: Project = make_project(batch_size=10, names=list(BIRDS))
    desk = Desk.open(chromium, project.url, intercept={"**/alw/p/*/image/**": hold})
    page, said = desk.page, desk.page.locator(".saying")
    expect(desk.root.locator(".waiting")).to_have_text("Loading the image")
    page.keyboard.press("1")
    expect(said).to_have_text("Not taken: no picture is on the screen yet.")
    arrived = True
    for route in slow:
        route.continue_()
    desk.ready()
    page.keyboard.press("0")
    expect(said).to_have_text("Not taken: the key 0 means nothing here.")

    # Typed by habit: the letters find a class, and nothing else.
    page.keyboard.type("snz")
    search = page.get_by_role("dialog", name="Find a class")
    expect(search.get_by_text("No class has these words.")).to_be_visible()
    page.keyboard.press("Enter")
    expect(search.get_by_role("combobox")).to_have_value("snz")
    page.keyboard.press("Escape")
    expect(search).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.press("Enter")
    expect(search).to_be_visible()
    page.keyboard.press("Escape")

    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keys")
    expect(sheet).to_contain_text("Find a class by words of its name")
    for key in ("3", "a", "Backspace", ","):
        page.keyboard.press(key)
    expect(said).to_have_text("Not taken: the sheet of keys is open.")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(search).to_be_hidden()

    page.get_by_role("button", name="Close the round early").click()
    expect(page.get_by_test_id("stPopoverBody")).to_be_visible()
    page.keyboard.press("2")
    expect(said).to_have_text("Not taken: a menu is open.")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)
    assert project.stored() == []

    # Words in any order, without accents; the highlight decides; a held Enter answers once.
    first = desk.press("e")
    page.keyboard.type("gret gr")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(search.locator("[aria-selected=true] bdi")).to_have_text("great egret")
    for _ in range(12):
        page.keyboard.down("Enter")
        page.wait_for_timeout(30)
    page.keyboard.up("Enter")
    second = desk.press("z")
    page.keyboard.type("aire")
    page.keyboard.press("Enter")
    desk.saved(2)
    third = desk.press(",")
    fourth = desk.press(".")
    desk.saved(4)

    # A held Enter on a focused button is one press of it.
    desk.ready()
    fifth = desk.item()
    desk.root.locator(".grid").get_by_role("button", name="mute swan").focus()
    for _ in range(12):
        page.keyboard.down("Enter")
        page.wait_for_timeout(30)
    page.keyboard.up("Enter")
    desk.saved(5)
    assert [row[1:] for row in project.stored()] == [
        (first, "class", 104),
        (second, "class", 111),
        (third, "skip", None),
        (fourth, "cannot_tell", None),
        (fifth, "class", 109),
    ]
    assert desk.errors == []
    desk.close()


def test_an_answered_image_opens_again_and_its_new_answer_replaces_the_earlier(
    chromium: Browser, project: Project
) -> None:
    """Offline too, in order behind the answer that it corrects; after a reload the server lists them."""
    desk = Desk.open(chromium, project.url)
    strip = desk.root.get_by_role("group", name="Your last answers")
    lost = [desk.press(key) for key in "123"]
    desk.saved(3)
    desk.page.route("**/alw/p/*/answer", lambda route: route.abort())
    last = desk.press("4")
    open_item = desk.root.get_attribute("data-item")
    expect(strip.get_by_role("button")).to_have_count(4)

    strip.get_by_role("button").nth(0).click()
    expect(desk.root).to_have_attribute("data-item", str(last))
    desk.ready()
    expect(desk.root.locator(".again")).to_contain_text("Your answer: Dress")
    desk.page.keyboard.press("5")
    expect(strip.get_by_role("button").nth(0)).to_contain_text("Coat")
    desk.ready()
    assert desk.root.get_attribute("data-item") == open_item

    # Opened again and left: nothing is changed, and the keys are those of the open image again.
    strip.get_by_role("button").nth(3).click()
    expect(desk.root).to_have_attribute("data-item", str(lost[0]))
    desk.page.keyboard.press("Escape")
    expect(desk.root).to_have_attribute("data-item", str(open_item))
    desk.page.unroute("**/alw/p/*/answer")
    desk.saved(4)

    desk.page.reload()
    desk.ready()
    expect(strip.get_by_role("button")).to_have_count(4)
    strip.get_by_role("button").nth(2).click()
    expect(desk.root).to_have_attribute("data-item", str(lost[1]))
    desk.ready()
    desk.page.keyboard.press("s")
    desk.saved(4)
    stored = {item: (kind, class_id) for _, item, kind, class_id in project.stored()}
    assert stored == {
        lost[0]: ("class", 100),
        lost[1]: ("skip", None),
        lost[2]: ("class", 102),
        last: ("class", 104),
    }
    assert len(project.stored()) == 6, "earlier answers are kept"
    assert desk.errors == []
    desk.close()


def test_blind_images_have_no_digits_and_own_keys_keep_theirs(
    chromium: Browser, project: Project
) -> None:
    """The rules of the digits, in the browser's own code."""
    desk = Desk.open(chromium, project.url)
    desk.ready()
    address = desk.page.evaluate(
        "performance.getEntriesByType('resource').map((e) => e.name).find((n) => n.endsWith('meanings.js'))"
    )
    found = desk.page.evaluate(
        """async (address) => {
            const { digitsOf, meaningOf } = await import(address);
            const classes = Array.from({ length: 12 }, (_, n) => ({ id: n, key: null }));
            classes[3].key = "2";
            classes[5].key = "h";
            const press = (key, digit = null, shift = false) => ({ key, digit, shift, event: { key } });
            const many = { classes, many: true };
            const digits = digitsOf([3, 4, 5, 6, 7, 8, 9, 10, 11], classes);
            const meant = (key, digit) => meaningOf(press(key, digit), many, digits);
            return {
                digits: [...digits],
                own: [meant("2", "2"), meant("h")],
                letters: ["a", "s", "u", "z", "n", "f"].map((key) => meant(key).act),
                blind: [...digitsOf([], classes)],
                blindOwn: meaningOf(press("2", "2"), many, new Map()),
                blindDigit: meaningOf(press("1", "1"), many, new Map()),
            };
        }""",
        address,
    )
    assert found["digits"] == [
        ["1", 4],
        ["3", 6],
        ["4", 7],
        ["5", 8],
        ["6", 9],
        ["7", 10],
        ["8", 11],
    ]
    assert found["own"] == [{"act": "choose", "id": 3}, {"act": "choose", "id": 5}]
    assert found["letters"] == ["find"] * 6
    assert found["blind"] == []
    assert found["blindOwn"] == {"act": "choose", "id": 3}
    assert found["blindDigit"] is None
    desk.close()
