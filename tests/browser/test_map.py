"""The map in Chromium over the real service: drawn, searched by pointer and keys, handed to the gallery."""

from __future__ import annotations

import json

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from alworkbench.project.map_regions import STEPS
from tests.browser.conftest import RealProject
from tests.browser.desk import COOKIES
from ui.state import key_of

pytestmark = pytest.mark.browser


def columns(data: bytes) -> dict[str, np.ndarray]:
    size = int.from_bytes(data[:4], "little")
    head = json.loads(data[4 : 4 + size])
    return {
        each["name"]: np.frombuffer(data, each["type"], each["length"], 4 + size + each["at"])
        for each in head["columns"]
    }


def test_the_map_is_drawn_and_a_rectangle_by_keys_selects_what_it_holds(
    chromium: Browser, real_project: RealProject
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    context.add_cookies(COOKIES[real_project.url])  # type: ignore[arg-type]
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{real_project.url}/map", timeout=60_000)
    root = page.locator("[data-map]")
    expect(root).to_have_attribute("data-points", "250", timeout=60_000)
    drawn = root.locator("canvas").first.evaluate(
        "(canvas) => new Set(new Uint32Array(canvas.getContext('2d')"
        ".getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"
    )
    assert drawn > 2
    routes = f"{real_project.url}/alw/p/{key_of(real_project.folder)}"
    points = columns(context.request.get(f"{routes}/map?layout=pca").body())

    # By the keyboard alone: a rectangle, moved and made larger, selects exactly what it holds.
    for key in ("r", "ArrowRight", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    line = json.loads(root.get_attribute("data-region") or "")
    (left, right), (low, high) = ((min(side), max(side)) for side in zip(*line, strict=True))
    x, y = points["x"].astype(int), points["y"].astype(int)
    held = (x >= left) & (x < right) & (y >= low) & (y < high)
    assert 0 < held.sum() < 250
    expect(root).to_have_attribute("data-selected", str(held.sum()))
    expect(root.get_by_text(f"{held.sum()} images are selected.")).to_be_visible()
    counted = root.locator("table tbody td:nth-of-type(1)").all_inner_texts()
    assert sum(map(int, counted)) == held.sum()

    # The pointer: a point says its name, a click opens its card, and Shift draws a lasso.
    page.keyboard.press("Escape")
    box = root.locator(".stage").bounding_box()
    assert box is not None
    side = min(box["width"], box["height"]) - 2 - 36
    right, down = (x[0] - STEPS / 2) / STEPS * side, (STEPS / 2 - y[0]) / STEPS * side
    page.mouse.move(box["x"] + box["width"] / 2 + right, box["y"] + box["height"] / 2 + down)
    expect(root.locator(".tip .name")).to_contain_text(".png")
    page.mouse.down()
    page.mouse.up()
    expect(page.locator("dialog.card[open]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog.card[open]")).to_have_count(0)

    # The keys: from the middle to the nearest image, on to the next and back; its card.
    page.mouse.move(2, 2)
    root.locator(".stage").focus()
    names = []
    for key in ("p", "p", "Shift+P"):
        page.keyboard.press(key)
        expect(root.locator(".tip .name")).not_to_have_text(names[-1] if names else "")
        expect(root.locator(".tip .name")).to_contain_text(".png")
        names.append(root.locator(".tip .name").inner_text())
    assert names[0] == names[2] != names[1]
    page.keyboard.press("i")
    expect(page.locator("dialog.card h2 bdi")).to_have_text(names[0].split("/")[-1])
    page.keyboard.press("Escape")
    expect(page.locator("dialog.card[open]")).to_have_count(0)
    corners = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]
    places = [(box["x"] + a * box["width"], box["y"] + b * box["height"]) for a, b in corners]
    page.keyboard.down("Shift")
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()
    page.keyboard.up("Shift")
    number = int(root.get_attribute("data-selected") or 0)
    assert number > held.sum()

    # Nothing is answered without a yes; the answer counts for the selection and is taken back whole.
    root.get_by_role("button", name="Label all").click()
    expect(root.get_by_role("alertdialog")).to_contain_text(f"Answer {number} images with")
    page.keyboard.press("Escape")
    expect(root.get_by_role("alertdialog")).to_have_count(0)
    root.get_by_role("button", name="Label all").click()
    page.keyboard.press("Enter")
    expect(root.get_by_text("labelled.")).to_be_visible()
    root.get_by_role("button", name="Undo").click()
    expect(root.get_by_text("taken back.")).to_be_visible()

    # The gallery lists the same images.
    expect(root).to_have_attribute("data-selected", str(number))
    root.get_by_role("link", name="Show in the gallery").click()
    grid = page.locator("[data-gallery]")
    expect(grid).to_have_attribute("data-total", str(number), timeout=60_000)
    grid.get_by_role("button", name=f"{number} images of the map").click()
    expect(grid).to_have_attribute("data-total", "250")
    assert errors == []
    context.close()
