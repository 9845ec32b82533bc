"""The class list in Chromium over the real service: typed, previewed, stored as one version, and put back."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from alworkbench.api import open_project
from alworkbench.core.domain import ClassList, Role
from tests.browser.conftest import RealProject
from tests.browser.desk import COOKIES

pytestmark = pytest.mark.browser

SLOW_MS = 90_000
MARKUP = "<img src=x onerror=window.harmed=1>"
RIGHT_TO_LEFT = "قميص طويل جدا " * 8
TWINS = ("a name that is long " * 6 + "one", "a name that is long " * 6 + "two")


@pytest.fixture(scope="module")
def served(real_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProject]:
    """A project whose round is closed."""
    folder = tmp_path_factory.mktemp("classes") / "project"
    shutil.copytree(real_folder, folder)
    with open_project(folder) as workbench:
        workbench.rounds.close(force=True)
    project = RealProject(folder, {})
    project.start()
    yield project
    project.kill()


@pytest.fixture
def page(chromium: Browser, served: RealProject) -> Iterator[Page]:
    """The page of classes, once the model has said something. No error of a script may come."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.add_cookies(COOKIES[served.url])  # type: ignore[arg-type]
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto(f"{served.url}/classes", timeout=SLOW_MS)
    expect(tab.locator("[data-state=shown]")).to_be_visible(timeout=SLOW_MS)
    yield tab
    assert errors == []
    assert tab.evaluate("window.harmed") is None
    context.close()


def stored(project: RealProject) -> ClassList:
    with project.reading() as reader:
        return reader.classes.current()


def name_fields(page: Page) -> Locator:
    return page.get_by_label(re.compile("^Name of the class"))


def test_what_is_typed_is_judged_beside_its_field_and_nothing_is_stored(
    page: Page, served: RealProject
) -> None:
    before = stored(served)
    names = name_fields(page)
    expect(names).to_have_count(len(before))
    expect(page.locator(".twelve > li")).to_have_count(12)
    expect(page.locator(".twelve .top").first.locator("li")).to_have_count(3)
    expect(
        page.get_by_text("Accuracy by names and prompts alone, on 100 images of the audit set")
    ).to_be_visible()

    # By the keyboard alone: Enter adds a class behind the last, several lines are several classes.
    names.last.focus()
    page.keyboard.press("Enter")
    expect(names).to_have_count(len(before) + 1)
    expect(names.last).to_be_focused()
    page.keyboard.insert_text(before.names[0].upper())
    expect(names.last).to_have_attribute("aria-invalid", "true")
    words = page.locator(f"[id='{names.last.get_attribute('aria-describedby')}']")
    expect(words).to_contain_text("differ only in upper and lower case")
    expect(page.get_by_role("button", name="Store the changes")).to_be_disabled()
    names.last.fill("\n".join((MARKUP, RIGHT_TO_LEFT, *TWINS)))
    expect(names).to_have_count(len(before) + 4)
    typed = [each.input_value() for each in names.all()[-4:]]
    assert typed == [MARKUP, RIGHT_TO_LEFT.strip(), *TWINS]
    # No name is cut: each field is as high as its text.
    assert all(n.evaluate("e => e.scrollHeight <= e.clientHeight + 1") for n in names.all())
    # Nothing can read other names here, and the page says so.
    expect(page.get_by_label("What the model says")).to_contain_text("came from a file")

    page.keyboard.press("Alt+ArrowUp")
    expect(names.nth(len(before) + 2)).to_be_focused()
    assert names.nth(len(before) + 2).input_value() == TWINS[1]

    # The draft is there after a reload, until it is discarded.
    page.reload()
    expect(names).to_have_count(len(before) + 4, timeout=SLOW_MS)
    page.get_by_role("button", name="Store the changes").click()
    dialog = page.get_by_role("dialog", name="What storing these changes means")
    expect(dialog).to_contain_text(f"'{MARKUP}' is new.")
    expect(dialog).to_contain_text(TWINS[0])
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Discard").click()
    expect(names).to_have_count(len(before))
    assert stored(served) == before


def test_a_draft_is_stored_as_one_version_and_an_earlier_one_comes_back(
    page: Page, served: RealProject, tmp_path: Path
) -> None:
    before = stored(served)
    names = name_fields(page)
    first, second, third = before.names[:3]
    # People read keys and descriptions, the model does not: they are stored at once.
    page.get_by_role("button", name=f"Details of the class {first}").click()
    page.get_by_label("Key", exact=True).fill("q")
    page.get_by_label("Description").fill("with short sleeves")
    with served.reading() as reader:
        contents, paths = zip(*reader.images.hashes_and_paths(Role.POOL), strict=True)
    examples = page.get_by_label("Example images of the class").locator("li")
    by_name = page.get_by_label("Example image by its name")
    by_name.fill("nowhere.png")
    by_name.press("Enter")
    expect(by_name).to_have_attribute("aria-invalid", "true")
    by_name.fill(paths[0])
    by_name.press("Enter")
    expect(examples).to_have_count(1)
    page.get_by_role("button", name="Choose among its labelled images").click()
    offered = page.get_by_label("Labelled images of the class").get_by_role("button")
    offered.first.click()
    expect(offered.first).to_have_attribute("aria-pressed", "true")
    expect(examples).to_have_count(2)
    page.get_by_role("button", name="Remove example 2").click()
    expect(examples).to_have_count(1)
    # The draft goes through a file, and is the same one.
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as a file").click()
    file = tmp_path / "classes.json"
    saved.value.save_as(file)
    page.get_by_role("button", name="Discard").click()
    page.get_by_label("File with a class list").set_input_files(file)
    expect(page.get_by_text("The draft is that of classes.json")).to_be_visible()
    page.get_by_role("button", name="Store the changes").click()
    page.get_by_role("button", name="Store as a new version").click()
    expect(page.get_by_text(f"Version {before.id + 1} of the class list")).to_be_visible(
        timeout=SLOW_MS
    )
    shown = stored(served)
    assert (shown.classes[0].key, shown.classes[0].description) == ("q", "with short sleeves")
    assert shown.classes[0].examples == (contents[0],)
    assert shown.same_for_model(before)

    # A merge is for the model: what it means is said first, then a job does it.
    page.get_by_role("button", name=f"Details of the class {second}").click()
    page.get_by_label("Merge into").select_option(label=third)
    expect(names).to_have_count(len(before) - 1)
    expect(page.get_by_text(f"{second} is merged into {third}")).to_be_visible()
    page.get_by_role("button", name="Store the changes").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile(f"labels? of {second} will count for {third}"))
    expect(dialog).to_contain_text("measured again")
    page.get_by_role("button", name="Store as a new version").click()
    expect(page.get_by_text(f"Version {before.id + 2} of the class list")).to_be_visible(
        timeout=SLOW_MS
    )
    merged = stored(served)
    assert [c.name for c in merged.former] == [second]
    assert merged.former[0].into == before.classes[2].id

    # The way back is a draft, too.
    page.get_by_role("button", name="Put it into the draft").click()
    expect(names).to_have_count(len(before))
    page.get_by_role("button", name="Store the changes").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"'{second}' is in use again.")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Discard").click()
    assert stored(served) == merged


def test_a_mended_text_is_not_marked_while_the_model_is_asked(
    page: Page, served: RealProject
) -> None:
    """Faults are about the draft as it is, also where the model needs long or nobody answers."""
    present = stored(served)
    names = name_fields(page)
    page.get_by_role("button", name=f"Details of the class {present.names[0]}").click()
    key = page.get_by_label("Key", exact=True)
    key.fill("?")
    expect(key).to_have_attribute("aria-invalid", "true")
    names.last.press("Enter")
    page.keyboard.insert_text("twin")
    page.keyboard.press("Enter")
    page.keyboard.insert_text("twin")
    twins = [names.nth(len(present)), names.nth(len(present) + 1)]
    for each in twins:
        expect(each).to_have_attribute("aria-invalid", "true")

    held: list[Route] = []
    page.route(
        "**/classes/preview", lambda route: held.append(route)
    )  # a model that needs very long
    key.fill("q")
    expect(key).to_have_attribute("aria-invalid", "false")
    expect(twins[0]).to_have_attribute("aria-invalid", "true")  # it is still so
    twins[1].fill("another")
    for each in (key, *twins):
        expect(each).to_have_attribute("aria-invalid", "false")
    expect(page.get_by_text("The model reads the names")).to_be_visible()
    expect(page.get_by_role("button", name="Store the changes")).to_be_enabled()

    # Nobody answers: nothing is known of the other row, and nothing is said of it.
    twins[1].fill("twin")
    expect(twins[0]).to_have_attribute("aria-invalid", "true")
    page.route("**/classes/faults", lambda route: route.abort())
    twins[1].fill("another")
    expect(page.get_by_text("The server does not answer")).to_be_visible()
    for each in twins:
        expect(each).to_have_attribute("aria-invalid", "false")

    # What is typed while storing is asked about is not marked by the reply, which is about the text before.
    asked: list[Route] = []
    page.route("**/classes/effect", lambda route: asked.append(route))
    twins[1].fill("twin")
    with page.expect_request("**/classes/effect"):
        page.get_by_role("button", name="Store the changes").click()
    twins[1].fill("another")
    with page.expect_response("**/classes/effect"):
        asked[0].continue_()
    expect(page.get_by_text("The server does not answer")).to_be_visible()
    for each in twins:
        expect(each).to_have_attribute("aria-invalid", "false")
    page.unroute_all()
    page.get_by_role("button", name="Discard").click()
    expect(names).to_have_count(len(present))
