"""The card of an image: opened over the desk by key, nothing behind it labels, and it can be left again."""

from __future__ import annotations

import itertools

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Project
from tests.browser.desk import Desk

pytestmark = pytest.mark.browser

FOCUS_INSIDE = """() => {
  let found = document.activeElement;
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  return found === null || found === document.body || found.closest("dialog.card") !== null;
}"""
"""Between its last and its first element the focus is on the browser itself, which is the body here."""

UNDRAWN = """() => {
  const card = window[Symbol.for("alworkbench.card")], root = card.node.parentNode;
  card.dispose();
  window.draw = async () => {
    const code = document.querySelector('link[rel=modulepreload][href$="/card/card.js"]').href;
    (await import(code)).mount(root, card.data);
  };
}"""
"""The page as it was before its card was drawn; `draw` draws the card."""

AT_REST = "node => Promise.all(node.getAnimations().map(each => each.finished)).then(() => null)"


def on_screen(desk: Desk) -> str:
    """The content hash of the picture that is painted on the desk."""
    painted = desk.page.locator("[data-labeller] .frame img").first.get_attribute("src") or ""
    return painted.split("/image/")[1].split("?")[0]


def test_a_card_takes_all_keys_until_it_is_closed(chromium: Browser, project: Project) -> None:
    desk = Desk.open(chromium, project.url)
    desk.ready()
    page, card = desk.page, desk.page.locator("dialog.card")
    content = on_screen(desk)
    desk.press("i")
    expect(card).to_be_visible()
    expect(card.get_by_role("heading", level=2)).to_contain_text("0001.png")
    expect(card.get_by_role("link", name="Link to this card")).to_have_attribute(
        "href", f"?image={content}"
    )

    # What is drawn is text, too; headings are in order; a name that turns the text around stays in its place.
    expect(card.locator(".belief")).to_have_count(5)
    expect(card.locator(".belief").first).to_have_text("T-shirt/top50 % 40 % to 70 %")
    expect(card.locator("section", has_text="In conflict")).to_contain_text(
        "T-shirt/top and Trouser."
    )
    expect(card.locator("dl.pairs").last).to_contain_text("(epistemic)0.25 nats")
    levels = card.locator("h2, h3, h4").evaluate_all("all => all.map(h => Number(h.tagName[1]))")
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    expect(card.locator(".answers li").last.locator("bdi").nth(1)).to_contain_text("Ada")
    expect(card.locator(".answers li").first).to_contain_text(
        "Decided in the review of a disagreement."
    )

    # No key labels behind it, and the focus stays inside.
    for key in ("1", "2", "s", "z"):
        page.keyboard.press(key)
    for _ in range(30):
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUS_INSIDE)
    assert project.stored() == []

    # A labelled image that looks like it opens its own card; Back leads to the first.
    card.locator(".near").first.click()
    expect(card.get_by_role("button", name="Back")).to_be_visible()
    card.get_by_role("button", name="Back").click()
    expect(card.get_by_role("link", name="Link to this card")).to_have_attribute(
        "href", f"?image={content}"
    )
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    desk.press("1")
    desk.saved(1)
    assert [row[3] for row in project.stored()] == [100]

    # A link opens the card of its image, on a narrow screen at full width.
    page.set_viewport_size({"width": 800, "height": 900})
    page.goto(f"{project.url}/label?image={content}")
    expect(card).to_be_visible()
    expect(card.locator(".near")).to_have_count(6)
    card.evaluate(AT_REST)  # it slides in
    box = card.bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 800)

    # A page draws its card last: asked for before, it opens as soon as it is drawn.
    page.keyboard.press("Escape")
    page.evaluate(UNDRAWN)
    desk.press("i")
    expect(card).to_have_count(0)
    page.evaluate("draw()")
    following = on_screen(desk)
    assert following != content
    expect(card.get_by_role("link", name="Link to this card")).to_have_attribute(
        "href", f"?image={following}"
    )
    assert desk.errors == []
    assert desk.outside == []
    desk.close()
