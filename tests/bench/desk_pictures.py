"""The desk with 12-megapixel files beside small ones: from the press of a key to the next picture.

python -m tests.bench.desk_pictures [FILES]

It makes a project of JPEGs of 4000 x 3000 pixels and one of 400 x 300, serves each, and labels all images in
Chromium by key. The clock starts in a listener of the key, before the page's own, and stops when the desk is
armed again, which is one frame after the picture was put on the page, and two frames later, by when it was
painted. Needs Chromium. The load of the machine is printed, because the browser, the server and this
program share it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from tests.bench.renditions import photo
from tests.browser.conftest import CHROMIUM_FLAGS, RealProject
from tests.browser.picture_project import make_project

FILES = 60
PAUSE = 0.4
"""Seconds between two presses: a fast person."""
CLOCK = """
window.times = [];
window.addEventListener("keydown", () => {
  const began = performance.now();
  const root = [...document.querySelectorAll("*")]
    .map((node) => node.shadowRoot && node.shadowRoot.querySelector("[data-labeller]")).find(Boolean);
  const item = root.dataset.item;
  const look = () => {
    if (root.dataset.armed === "true" && root.dataset.item !== item) {
      const armed = performance.now() - began;
      requestAnimationFrame(() => requestAnimationFrame(() =>
        window.times.push([armed, performance.now() - began])));
    } else if (root.dataset.finished !== "true") requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}, true);
"""
"""Runs before the page's own scripts, so that its listener is asked first."""


def photos(width: int, height: int, count: int) -> dict[str, bytes]:
    """Name -> JPEG. All have the same scene, and differ in a few pixels."""
    import io

    picture, made = photo(width, height, 3), {}
    for number in range(count):
        picture.paste((number * 40 % 256, 90, 200), (0, 0, width // 8, height // 8 + number))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=92)
        made[f"{number:03d}.jpg"] = buffer.getvalue()
    return made


def open_desk(page: Page, project: RealProject) -> None:
    from tests.browser.desk import COOKIES

    page.context.add_cookies(COOKIES[project.url])  # type: ignore[arg-type]
    page.goto(f"{project.url}/label")
    page.locator("[data-labeller][data-armed=true]").wait_for()


def measure(folder: Path, files: int) -> tuple[list[list[float]], float]:
    """Milliseconds to armed and to painted of each press, and seconds of CPU of the server."""
    project = RealProject(folder, {})
    project.start()
    assert project.process is not None
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=list(CHROMIUM_FLAGS)
            )
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(120_000)
            page.add_init_script(CLOCK)
            open_desk(page, project)
            page.wait_for_timeout(2000)
            server = psutil.Process(project.process.pid)
            before = sum(server.cpu_times()[:2])
            for _ in range(files - 1):
                page.locator("[data-labeller][data-armed=true]").wait_for()
                page.keyboard.press("1")
                time.sleep(PAUSE)
            page.wait_for_timeout(500)
            spent = sum(server.cpu_times()[:2]) - before
            times: list[list[float]] = page.evaluate("window.times")
            browser.close()
    finally:
        project.kill()
    return times, spent


def main() -> None:
    files = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    console = Console(width=120)
    table = Table(
        "files", "MB", "presses", "armed, ms: median", "95 %", "painted: median", "95 %",
        "server CPU, ms", "cache, MB", "load", box=None,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        for what, width, height in (("400 x 300", 400, 300), ("4000 x 3000", 4000, 3000)):
            folder = Path(name) / what
            pictures = photos(width, height, files)
            make_project(folder, pictures, files)
            times, spent = measure(folder, files)
            cache = subprocess.run(
                ["du", "-sb", folder / "thumbnails"], capture_output=True, text=True, check=False
            )
            row = []
            for column in (0, 1):
                values = sorted(each[column] for each in times)
                row += [
                    f"{statistics.median(values):.0f}",
                    f"{values[int(0.95 * len(values))]:.0f}",
                ]
            table.add_row(
                what,
                f"{statistics.mean(map(len, pictures.values())) / 1e6:.1f}",
                str(len(times)),
                *row,
                f"{1e3 * spent / files:.0f}",
                f"{int((cache.stdout or '0').split()[0]) / 1e6:.1f}",
                f"{os.getloadavg()[0]:.1f}",
            )
    console.print(table)


if __name__ == "__main__":
    main()
