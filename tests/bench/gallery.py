"""The gallery with 100,000 images: `python -m tests.bench gallery`; arguments: IMAGES, and `--no-browser`.

A project in a temporary folder: pictures of 32 x 32 pixels in files, made-up features (P = D = 128, 20
classes), 5,000 answers of two people. Milliseconds of lists, searches, an act on 500 images and its
take-back. Then the grid in Chromium over `alworkbench serve`: from the change of a filter to 48 pictures on
screen, with the thumbnails made already and without; the times between frames while the list is scrolled; the
number of elements; and from the agreement to 500 durable labels.
"""

from __future__ import annotations

import hashlib
import io
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import PIL.Image
from rich.console import Console
from rich.table import Table

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    FoundImage,
    LabelClass,
    PersonRole,
    ProjectFolder,
    ProjectSettings,
    Role,
)
from alworkbench.features.feature_file_io import write_feature_file
from alworkbench.project.bulk_labels import SelectionAnswer
from alworkbench.project.image_query import Answered, ImageFilter, ImageQuery, Order
from alworkbench.project.workbench import Workbench
from store import create_store, open_store
from tests.bench.large_pool import made_features

IMAGES, ANSWERS, ACT = 100_000, 5_000, 500
WIDTH, CLASSES = 128, 20
"""Of activations and embeddings: so small that the project is made within minutes."""
SECONDS = 5
"""Of scrolling."""


def pictures(folder: Path, images: int) -> list[FoundImage]:
    """Pictures in files, each of another colour."""
    folder.mkdir()
    found = []
    for k in range(images):
        file = io.BytesIO()
        colour = (k % 256, k // 256 % 256, 64 + k // 65_536)
        PIL.Image.new("RGB", (32, 32), colour).save(file, "PNG")
        data = file.getvalue()
        (folder / f"{k:06}.png").write_bytes(data)
        content = hashlib.sha256(data).hexdigest()
        found.append(FoundImage(content, f"{k:06}.png", len(data), 32, 32))
    return found


def make_project(folder: Path, images: int, answers: int = ANSWERS) -> None:
    """A project with features, a posterior of the pool and answers."""
    found = pictures(folder / "pictures", images)
    file, labels = made_features(images, WIDTH, WIDTH, CLASSES)
    file = replace(file, hashes=tuple(each.hash for each in found))
    classes = ClassList(tuple(LabelClass(name) for name in file.class_names))
    settings = ProjectSettings("large", "features:made", strategy="random", batch_size=50)
    store = create_store(folder / "project", settings, classes, datetime.now(UTC))
    with store.write() as writer:
        writer.images.add(iter(found), (), root=str(folder / "pictures"), role=Role.POOL)
    write_feature_file(folder / "features.npz", file)
    with Workbench(ProjectFolder(folder / "project"), store) as workbench:
        workbench.features.take(folder / "features.npz")
        workbench.posteriors.fit_from_pool()
        chance, ids = random.Random(0), [c.id for c in workbench.classes.current().classes]
        chosen = chance.sample(range(images), min(answers, images // 2))
        workbench.labels.record_many(
            [
                Answer(
                    str(k), k + 1, AnswerKind.CLASS, chance.choice(("ada", "bob")),
                    class_id=ids[int(labels[k])],
                )
                for k in chosen
            ]
        )  # fmt: skip
        workbench.people.add("mia", PersonRole.MANAGER)


def milliseconds(work: Callable[[], object], times: int = 5) -> list[float]:
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append(1000 * (time.perf_counter() - began))
    return spent


def service(workbench: Workbench, table: Table) -> None:
    gallery = workbench.gallery

    def row(words: str, spent: list[float]) -> None:
        table.add_row(words, f"{spent[0]:,.0f}", f"{statistics.median(spent):,.0f}")

    def listing(query: ImageQuery) -> Callable[[], object]:
        def read() -> object:
            gallery._lists.clear()  # as if another list had been looked at meanwhile
            return gallery.page(query)

        return read

    row("the first list of a server", milliseconds(lambda: gallery.page(), 1))
    row("without an answer", milliseconds(listing(ImageQuery(ImageFilter(answered=Answered.NO)))))
    row("one class", milliseconds(listing(ImageQuery(ImageFilter(classes=("class 3",))))))
    row("one person, newest first",
        milliseconds(listing(ImageQuery(ImageFilter(person="ada"), Order.ANSWERED))))  # fmt: skip
    page = gallery.page()
    row("a part in the middle of a list",
        milliseconds(lambda: gallery.page(ImageQuery(), page.cursor, start=page.total // 2)))  # fmt: skip
    row("predict all images (a job)", milliseconds(gallery.score, 1))
    row("most uncertain", milliseconds(listing(ImageQuery(order=Order.UNCERTAINTY))))
    query = ImageQuery(ImageFilter(predicted=("class 3",)), Order.PROBABILITY, "class 7")
    row("one prediction, by probability", milliseconds(listing(query)))
    likes = iter(page.images)

    def search() -> object:
        return gallery.page(ImageQuery(order=Order.SIMILARITY, like=(next(likes).hash,)))

    row("like one image (another each time)", milliseconds(search))
    images = [
        each.id
        for start in range(0, ACT, 500)
        for each in gallery.page(
            ImageQuery(ImageFilter(answered=Answered.NO)), start=start, limit=500
        ).images
    ][:ACT]
    acts = iter(range(9))

    def label() -> object:
        given = SelectionAnswer(f"act{next(acts)}", "mia", images, AnswerKind.CLASS, 1)
        return workbench.labels.record_selection(given)

    backs = iter(range(9))

    def undo() -> object:
        number = next(backs)
        return workbench.labels.undo_selection("mia", f"act{number}", f"undo{number}")

    row(f"an act on {ACT} images, durable", milliseconds(label, 3))
    row("its take-back, durable", milliseconds(undo, 3))
    row("a list after an act", milliseconds(listing(ImageQuery(ImageFilter(answered=Answered.NO)))))


_LATER = """
([name, value]) => new Promise((resolve) => {
  const find = (root) => root.querySelector("[data-gallery]")
    ?? [...root.querySelectorAll("*")].map((n) => n.shadowRoot && find(n.shadowRoot)).find(Boolean);
  const gallery = find(document);
  const field = [...gallery.querySelectorAll("select")].find((n) => n.getAttribute("aria-label") === name);
  const cells = () => [...gallery.querySelectorAll(".cell:not([hidden])")];
  field.value = value;
  const began = performance.now();
  for (const cell of cells()) cell.classList.remove("seen");
  field.dispatchEvent(new Event("change"));
  const look = () => {
    const there = (n) => n.classList.contains("seen") && n.querySelector("img").complete;
    const seen = cells().filter(there).length;
    if (seen >= 48) resolve(performance.now() - began);
    else if (performance.now() - began > 20000) resolve(-seen);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""
_SCROLL = """
([step, seconds]) => new Promise((resolve) => {
  const find = (root) => root.querySelector("[data-gallery]")
    ?? [...root.querySelectorAll("*")].map((n) => n.shadowRoot && find(n.shadowRoot)).find(Boolean);
  const gallery = find(document);
  const view = gallery.querySelector(".view");
  const spent = [];
  let last = null;
  const began = performance.now();
  const frame = (now) => {
    if (last !== null) spent.push(now - last);
    last = now;
    view.scrollTop += step;
    if (now - began < 1000 * seconds) requestAnimationFrame(frame);
    else resolve([spent, gallery.querySelectorAll("*").length, view.scrollTop]);
  };
  requestAnimationFrame(frame);
})"""


def since(began: float) -> str:
    return f"{1000 * (time.perf_counter() - began):,.0f}"


def browser(folder: Path, table: Table) -> None:
    from playwright.sync_api import expect, sync_playwright

    from tests.browser.conftest import CHROMIUM_FLAGS, CHROMIUM_NAMES, RealProject
    from tests.browser.desk import COOKIES

    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if found is None:
        table.add_row("no Chromium here: the grid was not measured", "", "")
        return
    project = RealProject(folder / "project", {})
    project.start()
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM_FLAGS))
            context = chromium.new_context(viewport={"width": 1440, "height": 1500})
            context.add_cookies(COOKIES[project.url])  # type: ignore[arg-type]
            page = context.new_page()
            began = time.perf_counter()
            page.goto(f"{project.url}/gallery", timeout=120_000)
            root = page.locator("[data-gallery]")
            expect(root.locator(".cell.seen").first).to_be_visible(timeout=120_000)
            table.add_row(
                "the page with its first picture",
                f"{1000 * (time.perf_counter() - began):,.0f}",
                "",
            )
            cold = [page.evaluate(_LATER, ["Answers", value]) for value in ("yes", "no", "")]
            warm = [page.evaluate(_LATER, ["Answers", value]) for value in ("yes", "no", "") * 3]
            for words, spent in (
                ("48 pictures, thumbnails not made yet", cold),
                ("48 pictures, made", warm),
            ):
                table.add_row(words, f"{spent[0]:,.0f}", f"{statistics.median(spent):,.0f}")
            for step in (40, 2000):
                frames, elements, _ = page.evaluate(_SCROLL, [step, SECONDS])
                middle, high = np.percentile(frames, (50, 95))
                late = sum(each > 25 for each in frames) / len(frames)
                table.add_row(
                    f"between frames at {step} px a frame, {elements} elements; {late:.1%} above 25 ms",
                    f"95 %: {high:.1f}", f"{middle:.1f}",
                )  # fmt: skip
            page.evaluate(_LATER, ["Answers", "no"])
            root.locator(".cell:not([hidden])").first.click()
            while int(root.get_attribute("data-selected") or 0) < ACT:
                page.keyboard.press("Shift+PageDown")
            while int(root.get_attribute("data-selected") or 0) > ACT:
                page.keyboard.press("Shift+ArrowLeft")
            page.keyboard.type("class 19")  # with so many classes, letters find one
            expect(page.locator(".palette-choice[aria-selected=true]")).to_contain_text("class 19")
            page.keyboard.press("Enter")  # many images: it asks first
            agree = page.get_by_role("button", name=f"Answer {ACT} images")
            expect(agree).to_be_visible()
            began = time.perf_counter()
            agree.click()
            expect(root.get_by_text(f"{ACT} images are labelled.")).to_be_visible(timeout=60_000)
            table.add_row(
                f"from the answer to the question to {ACT} durable labels",
                f"{1000 * (time.perf_counter() - began):,.0f}",
                "",
            )
            chromium.close()
    finally:
        project.kill()


def main() -> None:
    words = [each for each in sys.argv[1:] if not each.startswith("-")]
    images = int(words[0]) if words else IMAGES
    table = Table(
        title=f"{images:,} images, {ANSWERS:,} answers: milliseconds",
        title_justify="left",
        box=None,
    )
    for heading in ("what", "first", "median"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_project(folder, images)
        with Workbench(
            ProjectFolder(folder / "project"), open_store(folder / "project")
        ) as workbench:
            service(workbench, table)
        if "--no-browser" not in sys.argv:
            browser(folder, table)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
