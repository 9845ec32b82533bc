"""An audit set drawn from the page and labelled by keys, in Chromium over the real service."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from alworkbench.core.domain import AUDIT_STRATEGY, Role
from tests.browser.conftest import RealProject
from tests.browser.desk import Desk

pytestmark = pytest.mark.browser


def test_an_audit_set_is_drawn_labelled_without_suggestions_and_measured(
    chromium: Browser, real_project: RealProject
) -> None:
    desk = Desk.open(chromium, real_project.url)
    desk.ready()
    for _ in range(10):
        desk.press("1")
    desk.finished()
    desk.page.get_by_role("button", name="Close the round and learn").click()
    expect(desk.page.get_by_text("The round is closed")).to_be_visible()

    desk.page.goto(f"{real_project.url}/curves")
    desk.page.get_by_text("Make the audit set larger").first.click()
    desk.page.get_by_role("radio", name="50", exact=True).click()
    expect(desk.page.get_by_text("give about ±")).to_be_visible()
    expect(
        desk.page.get_by_text("The audit set represents the 140 images without one")
    ).to_be_visible()
    desk.page.get_by_role("button", name="Draw 50 images").click()

    expect(desk.page.get_by_text("without suggestions")).to_be_visible()
    desk.ready()
    assert desk.root.locator(".suggestion").get_by_text("%").count() == 0
    asked = [desk.press(key) for key in "12345" * 10]
    desk.finished()
    assert len(set(asked)) == 50
    with real_project.reading() as reader:
        round_ = reader.rounds.current()
        assert round_ is not None
        assert round_.strategy == AUDIT_STRATEGY
        items = reader.rounds.items(round_.id)
        assert all(item.suggestion is None and item.probability for item in items)
        before = reader.computed.learner()
        assert {item.image_id for item in items} <= set(reader.labels.current(Role.AUDIT))

    desk.page.get_by_role("button", name="Close the round and measure").click()
    expect(desk.page.get_by_text("The round is closed")).to_be_visible()
    expect(desk.page.get_by_text("95 % interval").first).to_be_visible()
    expect(desk.page.get_by_text("Measured on 150 audit images")).to_be_visible()
    with real_project.reading() as reader:
        assert reader.computed.learner() == before
        assert {m.audit_images for m in reader.computed.metrics()} == {150}
    assert desk.errors == []
    assert desk.outside == []
    desk.close()
