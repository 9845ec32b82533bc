"""A scripted annotator in Chromium: what is stored is what was pressed on the image on screen."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Project, RealProject
from tests.browser.desk import Desk

pytestmark = [pytest.mark.browser, pytest.mark.long]

KEYS = "1234567890"


def class_of(key: str) -> int:
    """The class id that this key answers with in the fake project."""
    return 100 + KEYS.index(key)


@pytest.fixture
def desk(chromium: Browser, project: Project) -> Iterator[Desk]:
    opened = Desk.open(chromium, project.url)
    yield opened
    assert opened.errors == []
    assert opened.outside == []
    opened.close()


def expected_from(witnessed: list[dict[str, Any]]) -> list[tuple[int, str, int | None]]:
    """What the keys of this record must have stored: those pressed on a painted image."""
    return [
        (press["item"], "class", class_of(press["key"]))
        for press in witnessed
        if press["armed"] and not press["repeat"] and press["key"] in KEYS
    ]


def test_a_round_labelled_by_keyboard_is_stored_and_learned_from(
    chromium: Browser, real_project: RealProject
) -> None:
    """Ten images with a skip and a take-back, then what the labels bought, then the next round."""
    project, ids = real_project, real_project.class_ids()
    desk = Desk.open(chromium, project.url)
    said: list[tuple[int, str, int | None]] = []
    for key in ("1", "4", "0"):
        said.append((desk.press(key), "class", ids[KEYS.index(key)]))
    # A new answer to the last image is taken back: the earlier one stands again.
    desk.ready()
    desk.root.locator(".past").first.click()
    desk.press("2")
    desk.page.keyboard.press("z")
    expect(desk.root.locator(".saying")).to_contain_text("Taken back. Your answer is")
    desk.saved(3)
    said.append((desk.press("s"), "skip", None))
    wrong = desk.press("7")
    desk.ready()
    desk.page.keyboard.press("z")
    expect(desk.root).to_have_attribute("data-item", str(wrong))
    said.append((desk.press("8"), "class", ids[7]))
    said.append((desk.press("u"), "cannot_tell", None))
    desk.ready()
    suggested = desk.root.locator(".suggestion .name").inner_text()
    calibration = desk.root.locator(".suggestion .calibration").inner_text()
    assert calibration == "calibrated on 100 audit images"
    names = [b.inner_text() for b in desk.root.locator(".grid .label").all()]
    said.append((desk.press("Enter"), "class", ids[names.index(suggested)]))
    desk.ready()
    said.append((desk.item(), "class", ids[2]))
    desk.root.get_by_role("button", name="pullover").click()
    for key in ("2", "3"):
        said.append((desk.press(key), "class", ids[KEYS.index(key)]))
    desk.finished()
    stored = project.stored()
    assert [row[1:] for row in stored] == said
    assert len({row[0] for row in stored}) == 10

    desk.page.get_by_role("button", name="Close the round and learn").click()
    expect(desk.page.get_by_text("The round is closed")).to_be_visible()
    expect(desk.page.get_by_text("Accuracy before")).to_be_visible()
    with project.reading() as reader:
        assert reader.rounds.current() is None
        learner = reader.computed.learner()
        assert learner is not None
        assert learner.labels == 8
        assert [m.labels for m in reader.computed.metrics()] == [0, 8]

    desk.page.get_by_role("button", name="Start round 2").click()
    desk.ready()
    expect(desk.root.locator(".title")).to_have_text("Round 2")
    desk.page.goto(f"{project.url}/curves")
    expect(desk.page.get_by_text("By class")).to_be_visible()
    assert (desk.errors, desk.outside) == ([], [])
    desk.close()


def test_fast_typing_answers_exactly_the_image_on_screen(
    chromium: Browser, make_project: Any
) -> None:
    project: Project = make_project(batch_size=40)
    desk = Desk.open(chromium, project.url)
    desk.ready()
    chance = random.Random(0)
    pressed = 0
    while desk.root.get_attribute("data-finished") != "true":
        desk.page.keyboard.press(chance.choice(KEYS))
        pressed += 1
        desk.page.wait_for_timeout(chance.randint(30, 120))
        assert pressed < 400
    desk.finished()
    witnessed = [press for press in desk.witnessed() if press["item"] is not None]
    assert all(press["loaded"] for press in witnessed if press["armed"])
    assert [row[1:] for row in project.stored()] == expected_from(witnessed)
    assert len(project.stored()) == 40
    assert desk.errors == []
    desk.close()


def test_a_held_key_is_one_label(project: Project, desk: Desk) -> None:
    desk.ready()
    for _ in range(15):  # after the first, Chromium marks them as repeats, as a held key does
        desk.page.keyboard.down("3")
        desk.page.wait_for_timeout(30)
    desk.page.keyboard.up("3")
    desk.saved(1)
    assert [press["repeat"] for press in desk.witnessed()] == [False] + [True] * 14
    assert len(project.stored()) == 1


def test_keys_with_modifiers_and_keys_in_text_fields_are_left_alone(
    project: Project, desk: Desk
) -> None:
    desk.ready()
    for keys in ("Control+1", "Alt+2", "Meta+3", "Control+z", "Shift+s"):
        desk.page.keyboard.press(keys)
    desk.page.evaluate(
        """() => { const field = document.createElement("input");
                   document.body.append(field); field.focus(); }"""
    )
    desk.page.keyboard.type("12su")
    desk.page.wait_for_timeout(300)
    assert project.stored() == []
    assert desk.root.get_attribute("data-answered") == "0"


def test_a_killed_server_neither_loses_nor_doubles_an_answer(
    chromium: Browser, real_project: RealProject
) -> None:
    """Keys go on while the server is dead; the answers wait, say so, and arrive once."""
    project, ids = real_project, real_project.class_ids()
    desk = Desk.open(chromium, project.url)
    said = [(desk.press(key), "class", ids[KEYS.index(key)]) for key in "12"]
    desk.saved(2)
    said.append((desk.press("3"), "class", ids[2]))
    project.kill()  # perhaps before the answer arrived, perhaps between commit and reply
    said += [(desk.press(key), "class", ids[KEYS.index(key)]) for key in "456"]
    expect(desk.root.locator(".saved")).to_contain_text("unsaved")
    desk.wait_until(lambda: int(desk.root.get_attribute("data-unsaved") or 0) >= 3)
    project.start()
    desk.saved(6)
    said += [(desk.press(key), "class", ids[KEYS.index(key)]) for key in "789"]
    desk.saved(9)
    stored = project.stored()
    assert [row[1:] for row in stored] == said
    assert len({row[0] for row in stored}) == 9
    assert desk.errors == []
    desk.close()


def test_a_hundred_keys_without_a_network_all_count_when_it_is_back(
    chromium: Browser, make_project: Any
) -> None:
    """Twenty images, each answered, taken back, answered, taken back and answered again."""
    project: Project = make_project(batch_size=30)
    desk = Desk.open(chromium, project.url)
    desk.press("1")
    desk.saved(1)
    # All pictures that wait are here before the network goes.
    desk.page.wait_for_function(
        "() => performance.getEntriesByType('resource')"
        ".filter((entry) => entry.name.includes('/image/')).length >= 24"
    )
    desk.page.context.set_offline(True)
    said = []
    for number in range(20):
        keys = [KEYS[(number + n) % 10] for n in range(3)]
        for wrong in keys[:2]:
            item = desk.press(wrong)
            desk.page.keyboard.press("z")
            expect(desk.root).to_have_attribute("data-item", str(item))
        assert desk.press(keys[2]) == item
        said.append((item, "class", class_of(keys[2])))
    expect(desk.root.locator(".saved")).to_have_text("100 unsaved · waiting for the server")
    assert len(project.stored()) == 1
    desk.page.context.set_offline(False)
    desk.wait_until(lambda: desk.root.get_attribute("data-unsaved") == "0", seconds=200)
    desk.saved(21)
    assert [row[1:] for row in project.stored()][1:] == said
    assert len(project.read()._labels) == 1 + 60
    desk.close()


def test_unsent_answers_survive_a_reload(chromium: Browser, make_project: Any) -> None:
    project: Project = make_project(batch_size=10)
    desk = Desk.open(chromium, project.url)
    desk.press("1")
    desk.saved(1)
    # The answers never arrive while this stands; the page itself can still be loaded again.
    desk.page.route("**/alw/p/*/answer", lambda route: route.abort())
    said = [(desk.press(key), "class", class_of(key)) for key in "234"]
    desk.wait_until(lambda: desk.root.get_attribute("data-unsaved") == "3")
    desk.page.reload()
    desk.ready()
    assert desk.root.get_attribute("data-unsaved") == "3"
    assert desk.item() not in [item for item, _, _ in said]
    desk.page.unroute("**/alw/p/*/answer")
    desk.page.evaluate("window.dispatchEvent(new Event('online'))")
    desk.saved(4)
    assert [row[1:] for row in project.stored()][1:] == said
    desk.close()


def test_the_last_answer_can_be_taken_back_after_a_reload(project: Project, desk: Desk) -> None:
    first = desk.press("1")
    desk.saved(1)
    desk.page.reload()
    desk.ready()
    desk.page.keyboard.press("Backspace")
    expect(desk.root).to_have_attribute("data-item", str(first))
    desk.press("2")
    desk.saved(1)
    assert [row[1:] for row in project.stored()] == [(first, "class", class_of("2"))]

    # On both pages, also where the server gives no image with it: the next one stays on the screen.
    desk.page.route("**/undo", lambda route: _altered(route, item=None))
    desk.page.reload()
    desk.ready()
    desk.page.keyboard.press("z")
    expect(desk.root.get_by_text("Your last answer was taken back.")).to_be_visible()
    assert project.stored() == []
    desk.press("3")
    desk.saved(1)
    desk.page.goto(f"{project.url}/grid")
    grid = desk.page.locator("[data-answer-grid]")
    expect(grid).to_have_attribute("data-open", "9")
    desk.page.keyboard.press("z")
    expect(grid.get_by_text("Your last answer was taken back.")).to_be_visible()
    expect(grid).to_have_attribute("data-open", "10")
    assert project.stored() == []


def test_images_of_another_round_are_given_back_and_not_shown(project: Project, desk: Desk) -> None:
    """The page may show suggestions, and the other round may be an audit set, which is looked at without."""
    desk.ready()
    other = {"round_id": 2, "round": 2, "answered": 0, "total": 10}
    page = desk.page
    for path in ("label", "grid"):
        page.route("**/queue", lambda route: _altered(route, progress=other))
        with page.expect_request("**/release") as given:  # by the page that is left
            page.goto(f"{project.url}/{path}")
        left = (given.value.post_data_json or {})["items"]
        with page.expect_request("**/release") as given:
            expect(page.get_by_text("Loading").first).to_be_visible()
        assert (given.value.post_data_json or {})["items"] == left
        assert page.locator("[data-item], .cell").count() == 0
        page.unroute("**/queue")
        expect(page.locator("[data-open='10'], [data-item]")).to_be_visible()


def _altered(route: Any, **values: Any) -> None:
    """The reply of the server with other values."""
    reply = route.fetch()
    route.fulfill(response=reply, json={**reply.json(), **values})


def test_a_reply_that_is_lost_does_not_double_the_label(project: Project, desk: Desk) -> None:
    lost = []

    def lose(route: Any) -> None:
        if len(lost) < 3:
            lost.append(route.fetch())  # the server has recorded it; the browser never hears of it
            route.abort()
        else:
            route.continue_()

    desk.page.route("**/alw/p/*/answer", lose)
    items = [desk.press(key) for key in "12"]
    desk.saved(2)
    assert [row[1] for row in project.stored()] == items


def test_hostile_and_long_class_names_do_nothing_and_are_told_apart(
    chromium: Browser, make_project: Any
) -> None:
    names = [
        "![x](http://192.0.2.1/p.png)",
        "<img src=http://192.0.2.1/i.png onerror=window.hacked=1>",
        "<script>window.hacked=1</script>",
        "[a](javascript:window.hacked=1)",
        "{{constructor.constructor('window.hacked=1')()}}",
        "a great grey owl of the northern forests, adult",
        "a great grey owl of the northern forests, juvenile",
        "ינשוף עיטים גדול ביער הצפוני, צעיר",
    ]
    project: Project = make_project(batch_size=8, names=names, name=names[1])
    desk = Desk.open(chromium, project.url)
    desk.ready()
    shown = desk.root.locator(".grid .label")
    assert [b.inner_text() for b in shown.all()] == names
    assert {b.evaluate("(node) => node.tagName") for b in shown.all()} == {"BDI"}
    desk.page.set_viewport_size({"width": 800, "height": 900})
    whole = (
        "(node) => node.scrollWidth <= node.clientWidth && node.scrollHeight <= node.clientHeight"
    )
    assert all(b.evaluate(whole) for b in shown.all())
    assert shown.last.evaluate("(node) => getComputedStyle(node).direction") == "rtl"
    # Below a picture of the grid there is room for a part of a name: its end is in it.
    desk.page.goto(f"{project.url}/grid")
    ends = desk.page.locator(".says.predicted .finish")
    expect(ends).to_have_count(8)
    assert {"adult", "juvenile", "צעיר"} <= {each.inner_text().strip() for each in ends.all()}
    assert all(each.evaluate(whole) for each in ends.all())
    desk.page.goto(f"{project.url}/label")
    for key in "12345678":
        desk.press(key)
    desk.finished()
    desk.page.get_by_role("button", name="Close the round and learn").click()
    expect(desk.page.get_by_text("The round is closed")).to_be_visible()
    for path in ("/", "/curves"):
        desk.page.goto(project.url + path)
        expect(desk.page.get_by_role("heading", level=1)).to_be_visible()
        desk.page.wait_for_timeout(700)
    assert desk.page.evaluate("window.hacked") is None
    assert desk.outside == []
    desk.close()


def test_an_image_whose_file_is_gone_can_only_be_skipped(project: Project, desk: Desk) -> None:
    desk.ready()
    desk.page.route("**/alw/p/*/image/**", lambda route: route.fulfill(status=404, body="{}"))
    desk.page.reload()
    expect(desk.root.locator(".waiting")).to_contain_text("gone or was changed")
    desk.page.keyboard.press("1")
    desk.page.keyboard.press("s")
    desk.saved(1)
    assert [row[2] for row in project.stored()] == ["skip"]


def test_more_classes_than_keys_can_be_filtered(chromium: Browser, make_project: Any) -> None:
    names = [f"species number {n}" for n in range(60)]
    project: Project = make_project(batch_size=3, names=names)
    desk = Desk.open(chromium, project.url)
    item = desk.press("/")
    desk.page.keyboard.type("number 47")
    desk.page.keyboard.press("Enter")
    desk.saved(1)
    assert [row[1:] for row in project.stored()] == [(item, "class", 147)]
    desk.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_ten_classes_fit_without_scrolling(project: Project, desk: Desk, scheme: Any) -> None:
    desk.page.emulate_media(color_scheme=scheme)
    desk.ready()
    for width, height in ((1440, 900), (800, 900)):
        desk.page.set_viewport_size({"width": width, "height": height})
        desk.page.wait_for_timeout(300)
        for part in (".bar", ".frame", ".others"):
            for placed in (each.bounding_box() for each in desk.root.locator(part).all()):
                assert placed["x"] >= 0
                assert placed["x"] + placed["width"] <= width
                assert placed["y"] + placed["height"] <= height
        picture = desk.root.locator(".frame img").bounding_box()
        assert picture["width"] % 28 == 0, "tiny images are enlarged by whole multiples"
        assert picture["width"] >= 8 * 28


def test_control_c_ends_the_server_while_a_page_is_open(project: Project, desk: Desk) -> None:
    desk.ready()
    assert project.stop() == 0
    assert "Traceback" not in project.log()
