"""Laws of the routes of a card: parts that stand for themselves, and nothing that is hidden."""

from __future__ import annotations

import json

import pytest

from alworkbench.project.blindness import Hidden
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.test_routes import Browser
from ui.state import UiState

PARTS = ("card", "card/model", "card/nearest")


@pytest.fixture
def browser(state: UiState) -> Browser:
    return Browser(state)


def test_the_parts_of_a_card_are_the_objects_of_the_service(
    browser: Browser, workbench: FakeWorkbench
) -> None:
    image = workbench.images.get(3)
    card, model, nearest = (
        browser.call("GET", f"/alw/images/{image.hash}/{part}").json() for part in PARTS
    )
    assert (card["hash"], card["path"], card["round"]) == (image.hash, "coats/0001.png", 1)
    shown = workbench.cards.of(image.hash).history
    assert [each["event_id"] for each in card["history"]] == [each.event_id for each in shown]
    assert card["history"][0]["taken_back_at"] == shown[0].taken_back_at.isoformat()
    belief = workbench.cards.model(image.hash).belief
    assert model["uncertainty"]["epistemic"] == belief.uncertainty.epistemic
    assert model["conflict"] == list(belief.conflict)
    assert [each["name"] for each in model["classes"]] == [e.name for e in belief.classes[:5]]
    assert (len(model["classes"]), model["others"]) == (5, len(belief.classes) - 5)
    assert [each["hash"] for each in nearest["images"]] == [
        each.hash for each in workbench.cards.nearest(image.hash).images
    ]


def test_what_is_hidden_is_in_no_part(browser: Browser, workbench: FakeWorkbench) -> None:
    workbench.cards.hidden = Hidden("Hidden: model.", "Hidden: others.")
    image = workbench.images.get(3)
    card, model, nearest = (
        browser.call("GET", f"/alw/images/{image.hash}/{part}").json() for part in PARTS
    )
    assert (card["history"], card["hidden"]) == ([], "Hidden: others.")
    assert model == {"words": "Hidden: model.", "classes": None}
    assert nearest == {"words": "Hidden: model.", "images": []}
    assert "Bob" not in json.dumps(card)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["f" * 64, "1.png", "A" * 64, "0" * 63])
def test_an_image_is_named_by_its_content_only(browser: Browser, part: str, name: str) -> None:
    """A path is no name here: a visitor must not find out which files the server has."""
    reply = browser.call("GET", f"/alw/images/{name}/{part}")
    assert reply.status_code == 404
    assert (reply.json()["code"], reply.json()["refused"]) == ("image", True)
