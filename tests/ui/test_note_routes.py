"""The routes of notes and flags: what they store, what they refuse, and where marks are shown."""

from __future__ import annotations

from typing import Any

import pytest

from alworkbench.core.domain import MOST_OF_NOTE
from alworkbench.project.notes import MOST_IN_ACT
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.test_routes import Browser
from ui.state import UiState

EVENT = "event-0000-0000-0000"
TEXT = "<img src=x> *two* \u202eאבג"


@pytest.fixture
def browser(state: UiState) -> Browser:
    return Browser(state)


def post(browser: Browser, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    reply = browser.call("POST", f"/alw/{path}", json={"event_id": EVENT, **body})
    return reply.status_code, reply.json()


def hash_of(item: dict[str, Any]) -> str:
    return str(item["image_url"].split("/")[-1].split("?")[0])


def test_marks_are_stored_once_and_shown_at_the_desk_on_the_strip_and_on_the_card(
    browser: Browser, workbench: FakeWorkbench
) -> None:
    item, *others = browser.queue()["items"]
    image = hash_of(item)
    assert (item["flagged"], item["notes"]) == (False, 0)
    for _ in range(2):
        status, reply = post(browser, "note", images=[image], text=TEXT)
        assert (status, reply["stored"], reply["event_id"]) == (200, True, EVENT)
    status, reply = post(browser, "flag", images=[image], raised=True, event_id=EVENT + "-2")
    assert (status, reply["images"]) == (200, 1)
    again = {each["item_id"]: each for each in browser.queue()["items"]}
    assert (again[item["item_id"]]["flagged"], again[item["item_id"]]["notes"]) == (True, 1)
    assert not again[others[0]["item_id"]]["flagged"]
    assert browser.answer(item).status_code == 200
    (past,) = browser.call("GET", "/alw/answered").json()["answers"]
    assert (past["flagged"], past["notes"]) == (True, 1)
    card = browser.call("GET", f"/alw/images/{image}/card").json()
    assert [(each["person"], each["text"]) for each in card["notes"]] == [("annotator", TEXT)]
    assert [each["raised"] for each in card["flags"]] == [True]
    assert card["flagged"]


REFUSED: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("note", {"text": "x"}, 422),
    ("note", {"images": [], "text": "x"}, 422),
    ("note", {"images": ["a.png"], "text": "x"}, 422),
    ("note", {"images": ["f" * 64], "text": "x"}, 404),
    ("note", {"images": ["f"] * (MOST_IN_ACT + 1), "text": "x"}, 422),
    ("note", {"images": ["f" * 64], "text": None}, 422),
    ("note", {"images": ["f" * 64], "text": "x" * (2 * MOST_OF_NOTE + 1)}, 422),
    ("note", {"images": ["f" * 64], "text": "x", "person": "Bob"}, 422),
    ("flag", {"images": ["f" * 64], "raised": 1}, 422),
    ("flag", {"images": ["f" * 64], "raised": True, "event_id": "short"}, 422),
    ("flag", {"images": ["f" * 64], "raised": True}, 404),
)


def test_what_is_not_expected_is_refused_for_good(
    browser: Browser, workbench: FakeWorkbench
) -> None:
    before = workbench.writes
    for path, body, status in REFUSED:
        found, reply = post(browser, path, **body)
        assert (found, reply["refused"]) == (status, True)
    assert workbench.writes == before


def test_a_note_that_cannot_be_stored_is_refused_with_a_sentence(
    browser: Browser, workbench: FakeWorkbench
) -> None:
    image = workbench.images.get(3).hash
    status, reply = post(browser, "note", images=[image], text="two\nlines")
    assert (status, reply["refused"]) == (409, True)
    assert "control character" in reply["reason"]
