"""Pictures of every page in four forms: 1440 and 800 pixels wide, light and dark.

    python -m tests.browser.screenshots OUT [--project FOLDER] [--only label gallery] [--height 900]

Without `--project`, a project of the bundled sample is made and given some history. With `--readme`, the
pictures of README.md are made, in `docs/`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from alworkbench.api import open_project
from tests.browser import tour
from tests.browser.conftest import CHROMIUM_FLAGS, CHROMIUM_NAMES, RealProject
from tests.browser.real_project import make_project

README = ("label", "gallery", "map", "curves")
"""Pages whose pictures README.md shows."""


def picture_all(page: Page, url: str, out: Path, only: list[str], height: int) -> None:
    """Each page in each form."""
    for stop in tour.stops():
        if only and stop.url not in only:
            continue
        tour.visit(page, url, stop)
        for scheme in tour.SCHEMES:
            for width in tour.WIDTHS:
                tour.dress(page, width, scheme, height)
                page.screenshot(path=out / tour.picture_name(stop, width, scheme))
        print(stop.url)


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
                picture_all(page, project.url, given.out, given.only, given.height)
        browser.close()
        project.stop()


if __name__ == "__main__":
    main()
