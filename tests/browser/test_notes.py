"""Notes and flags over the real service: at the desk, in the gallery, on the card, and beside a review."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from alworkbench.api import open_project
from alworkbench.core.domain import Answer, AnswerKind
from alworkbench.project.notes import NotedImage
from tests.browser.conftest import RealProject
from tests.browser.desk import Desk

pytestmark = pytest.mark.browser

WIDTH = 220
TEXT = "1 two? n, f; <img src=x> \u202eאבג"


@pytest.fixture(scope="module")
def project(real_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProject]:
    """A real project with an open round, and one image to which two people gave different classes."""
    folder = tmp_path_factory.mktemp("notes") / "project"
    shutil.copytree(real_folder, folder)
    with open_project(folder) as workbench:
        current = workbench.rounds.current()
        assert current is not None
        asked = {item.image_id for item in workbench.rounds.items(current.id)}
        images = workbench.gallery.page(limit=50).images
        disputed = next(each.id for each in images if each.id not in asked)
        for number, person in enumerate(("ann", "bob"), 1):
            given = Answer(f"{person}-1", disputed, AnswerKind.CLASS, person, class_id=number)
            workbench.labels.record(given)
    served = RealProject(folder, {})
    served.start()
    yield served
    served.kill()


def noted(project: RealProject, *, flagged: bool = False) -> list[NotedImage]:
    with open_project(project.folder) as workbench:
        return workbench.notes.listed(flagged=flagged)


def sidebar(desk: Desk) -> float:
    box = desk.page.get_by_test_id("stSidebar").bounding_box()
    assert box is not None
    return float(box["width"])


def test_a_note_at_the_desk_labels_nothing_and_survives_a_reload_without_the_server(
    chromium: Browser, project: RealProject
) -> None:
    desk = Desk.open(chromium, project.url)
    page, dialog = desk.page, desk.page.locator(".note-dialog")
    before = len(project.stored())
    desk.ready()
    item, field = desk.item(), dialog.locator("textarea")
    page.keyboard.press("n")
    expect(field).to_be_focused()
    page.keyboard.insert_text(TEXT)
    for _ in range(2):  # on its buttons, too, no key acts on the page behind
        page.keyboard.press("Tab")
        page.keyboard.press("2")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert (desk.item(), len(project.stored()), noted(project)) == (item, before, [])

    # What was typed is there again. While the server does not answer, note and flag wait in the browser.
    tries: list[str] = []

    def lost(route: Route) -> None:
        tries.append(route.request.url)
        route.abort()

    page.route("**/note", lost)
    page.keyboard.press("n")
    expect(field).to_have_value(TEXT)
    page.keyboard.press("Enter")
    page.keyboard.press("f")
    expect(desk.root.locator(".image-marks")).to_have_text("⚑ Flagged1 note")
    expect(desk.root).to_have_attribute("data-unsaved", "2")
    desk.wait_until(lambda: len(tries) > 0)
    page.unroute("**/note")
    page.reload()
    desk.ready()
    expect(desk.root).to_have_attribute("data-unsaved", "0")
    (found,) = noted(project)
    assert ([note.text for note in found.notes], found.notes[0].person) == ([TEXT], "annotator")
    assert (found.flagged, len(found.flags)) == (True, 1)

    # Both stay with the image: on the strip after its answer, and on its card, as they were written.
    assert desk.press("1") == item
    desk.saved(1)
    expect(desk.root.locator(".past-marks")).to_have_text("⚑ 1 note")
    expect(desk.root.locator(".image-mark").first).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator(".keys-lines")).to_contain_text("Write a note about this image")
    page.keyboard.press("Escape")
    assert sidebar(desk) == WIDTH

    # A new answer on the card replaces the own one, and a note there is a note of the image.
    page.goto(f"{project.url}/gallery?image={found.hash}")
    card = page.locator("dialog.card")
    expect(card.locator(".note-text bdi")).to_have_text(TEXT)
    card.get_by_label("What the image shows").select_option(index=3)
    card.get_by_role("button", name="Change your answer").click()
    expect(card.locator(".relabel")).to_contain_text("Your new answer is saved.")
    expect(card.locator(".answers .answer-head bdi")).to_have_count(2)
    names = [each.inner_text() for each in card.locator(".answers .answer-head bdi").all()]
    assert len(names) == len(set(names)) == 2
    assert len(project.stored()) == before + 1
    page.keyboard.press("f")
    expect(card.locator(".marking").get_by_role("status")).to_have_text("The flag is off.")
    expect(card.locator(".marking li")).to_have_count(3)
    page.keyboard.press("Escape")
    assert noted(project, flagged=True) == []
    assert desk.errors == []
    assert desk.outside == []
    desk.close()


def test_a_selection_of_the_gallery_is_flagged_listed_and_noted(
    chromium: Browser, project: RealProject
) -> None:
    desk = Desk.open(chromium, project.url)
    page = desk.page
    page.goto(f"{project.url}/gallery")
    cells, outcome = page.locator(".cell"), page.locator("[data-gallery] .outcome")
    expect(cells.nth(3)).not_to_have_attribute("aria-label", "Loading")
    page.locator(".view").focus()
    for key in ("End", "Space", "Shift+ArrowLeft", "f"):
        page.keyboard.press(key)
    expect(outcome).to_contain_text("2 images are flagged.")
    page.keyboard.press(";")
    page.keyboard.type("blurred 1")
    page.keyboard.press("Enter")
    expect(outcome).to_contain_text("2 images have a new note.")
    page.get_by_text("More filters").click()
    page.get_by_role("checkbox", name="Flagged").check()
    expect(page.locator("[data-gallery]")).to_have_attribute("data-total", "2")
    expect(page.get_by_role("option", name=re.compile("flagged, 1 note"))).to_have_count(2)
    found = noted(project, flagged=True)
    assert [[note.text for note in each.notes] for each in found] == [["blurred 1"]] * 2

    # The decision of a reviewer is for one act alone.
    page.get_by_role("checkbox", name="Flagged").uncheck()
    expect(page.locator("[data-gallery]")).to_have_attribute("data-total", "250")
    decide = page.get_by_role("button", name="Decide as reviewer")
    decide.click()
    expect(decide).to_have_attribute("aria-pressed", "true")
    page.locator(".view").focus()
    page.keyboard.press("ArrowRight")
    for _ in range(2):
        page.keyboard.press("2")
        expect(outcome).to_contain_text("1 image is labelled.")
        expect(page.locator("[data-gallery]")).to_have_attribute("data-saving", "0")
        expect(decide).to_have_attribute("aria-pressed", "false")
    with project.reading() as reader:
        found_labels = reader.labels.all()[-2:]
    assert [label.source for label in found_labels] == ["review", "gallery"]
    assert sidebar(desk) == WIDTH
    assert desk.errors == []
    desk.close()


def test_a_reviewer_opens_the_card_only_after_the_own_answer(
    chromium: Browser, project: RealProject
) -> None:
    desk = Desk.open(chromium, project.url)
    page, card = desk.page, desk.page.locator("dialog.card")
    page.goto(f"{project.url}/review")
    root = page.locator("[data-review]")
    expect(root).to_have_attribute("data-armed", "true")
    assert root.locator("a[href*='image=']").count() == 0
    page.keyboard.press("i")
    expect(card).to_be_hidden()
    page.keyboard.press("3")
    expect(root).to_have_attribute("data-step", "decide")
    expect(root).to_have_attribute("data-armed", "true")
    expect(root.get_by_label("Note on your decision")).to_be_visible()
    page.keyboard.press("i")
    expect(card.locator(".answers .answer-head")).to_have_count(2)
    page.keyboard.press("f")
    expect(card.locator(".marking").get_by_role("status")).to_have_text("Flagged.")
    for key in ("y", "k", "p"):  # nothing is decided behind the card
        page.keyboard.press(key)
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(root).to_have_attribute("data-unsaved", "0")
    with project.reading() as reader:
        assert [case.closed_by for case in reader.reviews.all()] == [None]
    assert desk.errors == []
    desk.close()
