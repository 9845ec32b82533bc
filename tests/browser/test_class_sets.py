"""Likely classes on the labelling page, in Chromium over the real service: marks are the recorded sets."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import RealProject
from tests.browser.desk import Desk

pytestmark = pytest.mark.browser

WIDTHS = (1440, 800)


def placed(desk: Desk) -> list[Any]:
    """Where the buttons stand."""
    buttons = desk.root.locator("button.class, .others button").all()
    return [button.bounding_box() for button in buttons]


def test_marked_buttons_are_the_recorded_set_and_nothing_moves(
    chromium: Browser, real_project: RealProject
) -> None:
    with real_project.reading() as reader:
        round_ = reader.rounds.current()
        assert round_ is not None
        sets = round_.class_sets
        assert sets is not None
        items = {item.id: item for item in reader.rounds.items(round_.id)}
        names = {c.id: c.name for c in reader.classes.current().classes}
    desk = Desk.open(chromium, real_project.url)
    expect(desk.page.get_by_text("the likely classes include the right one")).to_be_visible()
    before = None
    for _ in range(len(items)):
        desk.ready()
        shown = sets.shown(items[desk.item()].position)
        marked = desk.root.locator(".likely-class .label").all_inner_texts()
        assert marked == [name for id_, name in names.items() if id_ in shown]
        assert desk.root.get_by_role("button", name="likely").count() == len(shown)
        listed = desk.root.locator(".likely .names").all_inner_texts()
        assert listed == ([", ".join(names[id_] for id_ in shown)] if shown else [])
        if shown:  # short in the line, and the whole sentence beside it
            line = desk.root.locator(".likely")
            which = "this" if len(shown) == 1 else "one of these"
            expect(line).to_have_text(f"{listed[0]}: probably {which} ({sets.level})")
            assert sets.words in (line.get_attribute("title") or "")
        before = placed(desk) if before is None else before
        assert placed(desk) == before
        desk.press("1")
    desk.finished()
    assert (desk.errors, desk.outside) == ([], [])
    desk.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_desk_with_marks_fits_without_scrolling(
    chromium: Browser, real_project: RealProject, scheme: Any
) -> None:
    desk = Desk.open(chromium, real_project.url, color_scheme=scheme)
    desk.ready()
    for width in WIDTHS:
        desk.page.set_viewport_size({"width": width, "height": 900})
        desk.page.wait_for_timeout(300)
        for part in (".bar", ".frame", ".likely", ".others"):
            for box in (each.bounding_box() for each in desk.root.locator(part).all()):
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= width
                assert box["y"] + box["height"] <= 900
    desk.close()
