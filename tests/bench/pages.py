"""How long each page takes to open with 100,000 images: `python -m tests.bench pages [IMAGES | FOLDER]`.

The project of the bench `gallery` with 1,000 answers in two closed rounds, an audit set of 500 labelled
images, and predictions of all images; or that of FOLDER/project, which an earlier run left there: a FOLDER
that is not there yet is made. `alworkbench serve`, and each page opened TIMES times in Chromium by address:
seconds until Streamlit has drawn it, and until the picture, the cells or the points of our own components are
there. The first opening of a page reads what the server then keeps; it is shown apart. Each line is printed
when it is measured, and a page that fails is named and left. The load of the machine is printed, because
browser and server share it.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, sync_playwright

from alworkbench.api import open_project
from alworkbench.core.domain import Answer, AnswerKind
from alworkbench.project.workbench import Workbench
from tests.bench.gallery import IMAGES, make_project
from tests.browser import tour
from tests.browser.conftest import CHROMIUM_FLAGS, CHROMIUM_NAMES, RealProject

TIMES, BATCH, ROUNDS = 5, 500, 2


def answer_rounds(workbench: Workbench) -> None:
    """Close rounds of random images, whose answers are what the model suggests; one stays open.

    The first of them is drawn for the audit set.
    """
    for number in range(1 + ROUNDS):
        round_ = (
            workbench.rounds.propose("random", BATCH) if number else workbench.audit.draw(BATCH)
        )
        items = workbench.rounds.items(round_.id)
        first = workbench.classes.current().classes[0].id
        answers = [
            Answer(
                f"{round_.id} {item.id}", item.image_id, AnswerKind.CLASS, "mia", item_id=item.id,
                class_id=item.suggestion.class_id if item.suggestion else first,
            )
            for item in items
        ]  # fmt: skip
        workbench.labels.record_many(answers)
        workbench.rounds.close()
    workbench.rounds.propose("random", 50)
    workbench.gallery.score()


def measure(page: Page, url: str, stop: tour.Stop) -> tuple[float, ...]:
    """Seconds of the first opening, and the median and the longest of the later ones."""
    spent = []
    for _ in range(1 + TIMES):
        began = time.perf_counter()
        tour.visit(page, url, stop, still=False)
        spent.append(time.perf_counter() - began)
    return spent[0], statistics.median(spent[1:]), max(spent[1:])


def make(folder: Path, images: int) -> None:
    """The project, and how long its parts took."""
    began = time.perf_counter()
    make_project(folder, images, answers=0)
    print(f"project of {images:,} images: {time.perf_counter() - began:,.0f} s", flush=True)
    with open_project(folder / "project") as workbench:
        answer_rounds(workbench)
    print(f"with its rounds: {time.perf_counter() - began:,.0f} s", flush=True)


def visit_all(folder: Path) -> None:
    """Serve the project, and measure each page."""
    browser_path = next(path for name in CHROMIUM_NAMES if (path := shutil.which(name)))
    project = RealProject(folder / "project", {})
    project.start()
    print(f"{'page':22}{'first, s':>10}{'median, s':>10}{'longest, s':>11}{'load':>7}", flush=True)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=browser_path, args=list(CHROMIUM_FLAGS)
            )
            with tour.tour(browser, project.url) as page:
                for stop in tour.stops():
                    try:
                        first, median, longest = measure(page, project.url, stop)
                    except (AssertionError, PlaywrightError) as problem:
                        print(f"{stop.title:22}failed: {str(problem).splitlines()[0]}", flush=True)
                        continue
                    load = f"{os.getloadavg()[0]:7.1f}"
                    print(
                        f"{stop.title:22}{first:10.2f}{median:10.2f}{longest:11.2f}{load}",
                        flush=True,
                    )
            browser.close()
    finally:
        project.kill()


def main() -> None:
    given = sys.argv[1] if len(sys.argv) > 1 else str(IMAGES)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made if given.isdigit() else given)
        if not (folder / "project").is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            make(folder, int(given) if given.isdigit() else IMAGES)
        visit_all(folder)


if __name__ == "__main__":
    main()
