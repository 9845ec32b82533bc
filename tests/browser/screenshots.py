"""Pictures of every page, of Home and of the door in four forms: 1440 and 800 pixels wide, light and dark.

    python -m tests.browser.screenshots OUT [--project FOLDER] [--only label gallery] [--height 900]

Without `--project`, a project of the bundled sample is made and given some history. With `--readme`, the
pictures of README.md are made, in `docs/`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from alworkbench.api import open_project
from tests.browser import tour
from tests.browser.conftest import CHROMIUM_FLAGS, CHROMIUM_NAMES, RealProject
from tests.browser.home_folder import Home
from tests.browser.real_project import make_project

README = ("label", "gallery", "map", "curves")
"""Pages whose pictures README.md shows."""
PROJECTS = ("birds", "coins", "moths")
"""Copies of the project that Home shows."""


def picture_all(page: Page, url: str, out: Path, stops: Iterable[tour.Stop], height: int) -> None:
    """Each page in each form."""
    for stop in stops:
        tour.visit(page, url, stop)
        for scheme in tour.SCHEMES:
            for width in tour.WIDTHS:
                tour.dress(page, width, scheme, height)
                page.screenshot(path=out / tour.picture_name(stop, width, scheme))
        print(stop.url)


def picture_doors(page: Page, url: str, out: Path, stops: Iterable[tour.Stop]) -> None:
    """Each page without Streamlit in each form."""
    for stop in stops:
        for scheme in tour.SCHEMES:
            for width in tour.WIDTHS:
                tour.see_door(page, url, stop, width, scheme)
                page.screenshot(path=out / tour.picture_name(stop, width, scheme))
        print(stop.url)


def picture_home(browser: Browser, project: Path, folder: Path, out: Path) -> None:
    """Home with three projects, for the manager of all, and the door of its server."""
    home = Home(folder, {})
    cookies = [home.add(project, key, "Mira", "four quiet words here") for key in PROJECTS]
    home.start()
    with tour.tour(browser, home.url) as page:
        picture_doors(page, home.url, out, [tour.SIGN_IN])
        page.context.add_cookies(cookies)  # type: ignore[arg-type]
        picture_all(page, home.url, out, [tour.Stop("home", "Projects")], tour.HEIGHT)
    home.stop()


def picture_readme(page: Page, url: str) -> None:
    """The pictures of README.md, light and 1440 pixels wide; the card is opened over the gallery."""
    docs = Path(__file__).parents[2] / "docs"
    for stop in tour.stops():
        if stop.url in README:
            tour.visit(page, url, stop)
            page.screenshot(path=docs / f"{stop.url}.png")
        if stop.url == "gallery":
            page.locator("[data-gallery] .cell.seen").nth(2).click()
            page.keyboard.press("i")
            page.get_by_role("dialog").first.wait_for()
            page.wait_for_timeout(3000)  # the parts of the card that the model computes
            page.screenshot(path=docs / "card.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("out", type=Path, nargs="?", help="folder for the pictures")
    parser.add_argument("--project", type=Path, help="a project; it is copied")
    parser.add_argument("--only", nargs="*", default=[], help="addresses of pages")
    parser.add_argument("--height", type=int, default=tour.HEIGHT, help="pixels")
    parser.add_argument("--readme", action="store_true")
    given = parser.parse_args()
    if (given.out is None) == (not given.readme):
        parser.error("Name a folder for the pictures, or --readme.")
    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if found is None:
        sys.exit(f"None of {', '.join(CHROMIUM_NAMES)} is installed.")
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        folder = Path(made) / "project"
        if given.project is not None:
            shutil.copytree(given.project, folder)
        else:
            make_project(folder)
            with open_project(folder) as workbench:
                tour.live_in(workbench)
        project = RealProject(folder, {})
        project.start()
        browser = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM_FLAGS))
        with tour.tour(browser, project.url) as page:
            if given.readme:
                picture_readme(page, project.url)
            else:
                given.out.mkdir(parents=True, exist_ok=True)
                stops = [each for each in tour.stops() if each.url in given.only or not given.only]
                picture_all(page, project.url, given.out, stops, given.height)
                if not given.only:
                    picture_doors(page, project.url, given.out, tour.DOORS)
        project.stop()
        if not (given.readme or given.only):
            picture_home(browser, folder, Path(made) / "home", given.out)
        browser.close()


if __name__ == "__main__":
    main()
