"""The viewer of the desk: zoom, move, turn, light; the full size comes when a zoom needs it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.browser.conftest import RealProject
from tests.browser.desk import Desk
from tests.browser.picture_project import make_project

pytestmark = pytest.mark.browser

BIG, TALL, CLEAR = (1600, 1200), (60, 3000), (150, 150)


def saved(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProject]:
    clear = Image.new("RGBA", CLEAR, (0, 0, 0, 0))
    clear.paste((200, 60, 40, 255), (60, 40, 140, 110))
    folder = tmp_path_factory.mktemp("viewer") / "project"
    pictures = {
        "big.jpg": saved(Image.linear_gradient("L").resize(BIG).convert("RGB"), "JPEG"),
        "tall.png": saved(Image.linear_gradient("L").resize(TALL).convert("RGB"), "PNG"),
        "clear.png": saved(clear, "PNG"),
    }
    make_project(folder, pictures, len(pictures))
    project = RealProject(folder, {})
    project.start()
    yield project
    project.kill()


class Seen:
    """The viewer as it is on screen."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.keyboard = desk.page.keyboard
        self.frame = desk.root.locator(".frame")
        self.picture = self.frame.locator(".sheet img").first
        self.state = desk.root.locator(".view-state")

    def original(self) -> tuple[int, int]:
        """Width and height of the picture on screen, by its shape: renditions have other sizes."""
        wide, high = self.picture.evaluate("i => [i.naturalWidth, i.naturalHeight]")
        return min((BIG, TALL, CLEAR), key=lambda size: abs(size[0] / size[1] - wide / high))

    def percent(self) -> int:
        return int(self.desk.root.locator(".percent").inner_text().removesuffix("%"))

    def box(self) -> dict[str, float]:
        found: dict[str, float] = self.desk.root.locator(".sheet").bounding_box()
        return found

    def press(self, *keys: str) -> None:
        for key in keys:
            self.keyboard.press(key)


def look_at_big(seen: Seen, fetched: list[str]) -> None:
    frame = seen.frame.bounding_box()
    whole = seen.percent()
    assert not [url for url in fetched if "side=" not in url], "the full size is not needed yet"
    seen.press("+", "+")
    assert seen.percent() > 1.5 * whole
    seen.press("Shift+O", "+")
    assert seen.percent() == 125
    expect(seen.frame.locator(".sharp")).to_have_count(1)
    assert len([url for url in fetched if "side=" not in url]) == 1
    assert seen.frame.locator(".sharp").evaluate("i => i.naturalWidth") == BIG[0]
    # Keys, drag and wheel move and zoom.
    before = seen.box()
    seen.press("ArrowRight")
    assert seen.box()["x"] < before["x"]
    seen.press("Home")
    assert abs(seen.box()["x"] - frame["x"]) <= 2
    mouse, middle = seen.desk.page.mouse, (frame["x"] + 200, frame["y"] + 200)
    mouse.move(*middle)
    mouse.down()
    mouse.move(middle[0] - 60, middle[1] - 30, steps=3)
    mouse.up()
    assert abs(seen.box()["x"] - (frame["x"] - 60)) <= 3
    zoomed = seen.percent()
    mouse.wheel(0, -300)
    seen.desk.wait_until(lambda: seen.percent() > zoomed)
    seen.press("Shift+O")
    assert seen.percent() == 100
    # Turned: the picture is as high as it was wide.
    seen.press("Shift+F")
    lying = seen.box()
    seen.press("Shift+R")
    standing = seen.box()
    assert standing["height"] / standing["width"] == pytest.approx(
        lying["width"] / lying["height"], rel=0.02
    )
    expect(seen.state).to_have_text("Turned right")
    # Light: the arrows belong to the slider, and it is said that the view is changed.
    seen.press("Shift+B")
    expect(seen.desk.root.get_by_label("Brightness", exact=True)).to_be_focused()
    seen.press("ArrowRight", "ArrowRight")
    expect(seen.state).to_contain_text("Brightness 110 %")
    assert "brightness(110%)" in seen.picture.evaluate("i => i.style.filter")
    seen.press("Escape")
    expect(seen.desk.root.locator(".light")).to_be_hidden()
    seen.press("Escape")
    expect(seen.state).to_be_hidden()
    assert seen.percent() == whole
    # The next image begins in neutral light, though this one was left changed.
    seen.press("Shift+B", "ArrowLeft", "+")


def look_at_tall(seen: Seen) -> None:
    assert seen.box()["width"] >= 100, "it begins at a width that can be read"
    expect(seen.frame.locator(".mark.down")).to_be_visible()
    top = seen.box()["y"]
    seen.press("PageDown")
    assert seen.box()["y"] < top - 100
    seen.press("End")
    end = seen.frame.bounding_box()
    assert abs(seen.box()["y"] + seen.box()["height"] - end["y"] - end["height"]) <= 3
    seen.press("Shift+F")
    assert seen.box()["height"] <= end["height"]
    expect(seen.frame.locator(".mark.down")).to_be_hidden()
    seen.press("Shift+W")
    assert seen.box()["width"] >= 100


def look_at_clear(seen: Seen) -> None:
    sheet = seen.desk.root.locator(".sheet")
    button = seen.desk.root.get_by_role("button", name="Transparency on white")
    expect(sheet).to_have_class("sheet squares")
    expect(button).to_be_visible()
    seen.press("Shift+T")
    expect(sheet).to_have_class("sheet")
    button.click()
    expect(sheet).to_have_class("sheet squares")


def test_every_picture_can_be_looked_at_closely_and_nothing_is_labelled_by_that(
    chromium: Browser, served: RealProject
) -> None:
    desk = Desk.open(chromium, served.url)
    fetched: list[str] = []
    desk.page.on(
        "request", lambda request: fetched.append(request.url) if "/image/" in request.url else None
    )
    seen, answered = Seen(desk), []
    looks: dict[tuple[int, int], Any] = {
        BIG: lambda: look_at_big(seen, fetched),
        TALL: lambda: look_at_tall(seen),
        CLEAR: lambda: look_at_clear(seen),
    }
    for number in range(len(looks)):
        desk.ready()
        expect(seen.state).to_be_hidden()
        assert seen.picture.evaluate("i => i.style.filter") == ""
        looks.pop(seen.original())()
        assert len(served.stored()) == number
        answered.append(desk.press("1"))
        desk.saved(number + 1)
    assert [row[1] for row in served.stored()] == answered
    assert desk.errors == []
    assert desk.outside == []
    files = (Path(served.folder) / "thumbnails").rglob("*")
    # The strip of the last answers shows small pictures of its own.
    made = [path.name for path in files if path.is_file() and not path.name.endswith("-256")]
    assert len(made) == 1, "the other pictures are small enough as they are"
    desk.close()
