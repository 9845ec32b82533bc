"""No page has a serious barrier, by axe-core, or words that do not fit, in two widths and two schemes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from alworkbench.api import open_project
from tests.browser import axe, fits, tour
from tests.browser.conftest import RealProject

pytestmark = [pytest.mark.browser, pytest.mark.long]

# A heading below one that is missing is a moderate barrier to axe-core; our pages have none either.
ALSO_WRONG = ("heading-order", "page-has-heading-one", "empty-heading")


@pytest.fixture(scope="module")
def lived_in(
    chromium: Browser, real_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Page, str]]:
    """A tab of the manager of a project with closed rounds, and the address of the project."""
    axe.script()  # without it nothing is started
    folder = tmp_path_factory.mktemp("lived-in") / "project"
    shutil.copytree(real_folder, folder)
    with open_project(folder) as workbench:
        tour.live_in(workbench, rounds=1)
    project = RealProject(folder, {})
    project.start()
    with tour.tour(chromium, project.url) as page:
        yield page, project.url
    project.kill()


@pytest.mark.parametrize("stop", tour.stops(), ids=lambda stop: stop.url)
def test_a_page_has_no_serious_barrier_and_its_words_fit(
    stop: tour.Stop, lived_in: tuple[Page, str]
) -> None:
    page, url = lived_in
    tour.visit(page, url, stop)
    main_actions = page.locator("[data-testid$='Button-primary']:visible")
    assert main_actions.count() <= 1
    found = []
    for scheme in tour.SCHEMES:
        for width in tour.WIDTHS:
            tour.dress(page, width, scheme)
            found += [
                (width, scheme, barrier.rule, barrier.target, barrier.why, barrier.markup)
                for barrier in axe.barriers(page)
                if barrier.serious or barrier.rule in ALSO_WRONG
            ]
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert fits.misfits(page) == []
            assert fits.pale_words_of_charts(page) == []
    assert found == []


@pytest.mark.parametrize("stop", tour.DOORS, ids=lambda stop: stop.url)
def test_a_page_of_the_door_has_no_serious_barrier(
    stop: tour.Stop, lived_in: tuple[Page, str]
) -> None:
    page, url = lived_in
    for scheme in tour.SCHEMES:
        for width in tour.WIDTHS:
            tour.see_door(page, url, stop, width, scheme)
            assert [each for each in axe.barriers(page) if each.serious] == []
            assert fits.misfits(page) == []
