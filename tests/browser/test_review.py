"""The keys of a reviewer in Chromium: each acts once, on the case that was painted when it was pressed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import RealProject
from tests.browser.desk import COOKIES
from tests.browser.review_project import NAMES, make_review_project

pytestmark = pytest.mark.browser

IMAGES = 24
KEYS = "1234uskpyzq"
# Runs before the page's own listeners: what was on the screen at the moment of each key.
WITNESS = """
window.witnessed = [];
window.addEventListener("keydown", (event) => {
  const host = [...document.querySelectorAll("*")].find(
    (node) => node.shadowRoot && node.shadowRoot.querySelector("[data-review]"));
  const page = host && host.shadowRoot.querySelector("[data-review]");
  const picture = page && page.querySelector(".frame img");
  window.witnessed.push({
    key: event.key,
    repeat: event.repeat,
    case: page && page.dataset.case ? Number(page.dataset.case) : null,
    step: page && page.dataset.step,
    armed: Boolean(page) && page.dataset.armed === "true",
    painted: Boolean(picture) && picture.complete && picture.naturalWidth > 0,
    evidence: Boolean(page) && page.textContent.includes("What people answered"),
  });
}, true);
"""


def expected(witnessed: list[dict[str, Any]]) -> list[tuple[int, str, str | None]]:
    """What the presses of this record must have done: (case, state, class of the reviewer)."""
    done, seen = [], {}
    for press in witnessed:
        key, case = press["key"], press["case"]
        if press["repeat"] or not press["armed"]:
            continue
        assert press["painted"]
        if press["step"] == "ask" and key in "1234u":
            seen[case] = None if key == "u" else NAMES[int(key) - 1]
        if press["step"] == "decide":
            assert press["evidence"]
            state = {"y": "resolved", "k": "dismissed", "p": "passed_on"}.get(key)
            if state is not None:
                done.append((case, state, None if key == "k" else seen[case]))
        else:
            assert not press["evidence"], "what others said was shown before the answer"
    return done


def stored(project: RealProject) -> dict[int, tuple[str, str | None]]:
    """What became of each case that was closed by itself: case -> (state, class of the reviewer)."""
    found: dict[int, tuple[str, str | None]] = {}
    with project.reading() as reader:
        names = {c.id: c.name for c in reader.classes.current().classes}
        labels = {label.id: label for label in reader.labels.all()}
        for each in reader.reviews.all():
            if each.event_id is None:
                continue
            chosen = each.opinion_class_id
            if each.label_id is not None:
                chosen = labels[each.label_id].class_id
            found[each.id] = (each.state.value, None if chosen is None else names[chosen])
    return found


@pytest.fixture
def project(tmp_path: Path) -> Iterator[RealProject]:
    make_review_project(tmp_path / "birds", IMAGES)
    made = RealProject(tmp_path / "birds", {})
    made.start()
    yield made
    made.kill()


def test_random_presses_and_a_held_key_act_once_on_the_painted_case(
    chromium: Browser, project: RealProject
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies(COOKIES[project.url])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(WITNESS)
    page.goto(f"{project.url}/review")
    root = page.locator("[data-review]")
    expect(root).to_have_attribute("data-armed", "true", timeout=60_000)
    expect(root.get_by_text("people gave different classes")).to_be_visible()
    expect(root.get_by_text("ann: ")).to_have_count(0)

    first = root.get_attribute("data-case")
    for _ in range(12):  # after the first, Chromium marks them as repeats, as a held key does
        page.keyboard.down("1")
        page.wait_for_timeout(30)
    page.keyboard.up("1")
    expect(root).to_have_attribute("data-step", "decide")
    expect(root).to_have_attribute("data-armed", "true")
    expect(root.get_by_text("bob *b*: ")).to_be_visible()
    for _ in range(12):
        page.keyboard.down("y")
        page.wait_for_timeout(30)
    page.keyboard.up("y")
    expect(root).to_have_attribute("data-unsaved", "0")
    expect(root.get_by_text(f"Case {first} is resolved: {NAMES[0]}.")).to_be_visible()
    assert set(stored(project)) == {int(first or 0)}

    page.keyboard.press("q")  # a key without a meaning is shown, not dropped
    expect(root.get_by_text("the key q means nothing here")).to_be_visible()
    chance = random.Random(0)
    for _ in range(90):
        page.keyboard.press(chance.choice(KEYS))
        page.wait_for_timeout(chance.randint(5, 90))
    expect(root).to_have_attribute("data-unsaved", "0", timeout=60_000)
    wanted = expected(page.evaluate("window.witnessed"))
    assert len(wanted) > 3
    assert stored(project) == {case: (state, seen) for case, state, seen in wanted}
    assert len(wanted) == len(stored(project))
    assert errors == []
    context.close()
