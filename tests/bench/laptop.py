"""A large pool on a laptop: what each step of a project costs, beside plain cosine logits and margin.

`python -m tests.bench.laptop [IMAGES ...]` (500,000, 1,000,000 and 2,000,000). With `groups` as first word,
near-duplicates and clusters are measured too: their seconds grow with the square of the images. The pool is a
features folder of made-up activations (P = 768, D = 512, 100 classes in clusters), and the records of its
images; no picture lies behind them. Steps, each a process of its own: the features folder is taken, a
posterior is fitted from the pool, a batch of 50 is proposed by the default, answered, the round closed, all
images predicted, the gallery opened, searched by an image, and a second batch proposed by margin. Margin, and
cosine logits of the whole pool, are the baseline of all. The map comes last.

Wall seconds, seconds of CPU of all threads, and peak memory (VmHWM, which Python, torch and the imports are
part of: the step `nothing` shows how much). A million images need 4 GB of disk. Needs Linux.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    EncoderRecord,
    FoundImage,
    LabelClass,
    ProjectFolder,
    ProjectSettings,
    Role,
)
from alworkbench.encoders.head import Features, Head
from alworkbench.features.entry import Entry
from alworkbench.features.store import FeatureStore
from alworkbench.project.workbench import Workbench
from store import create_store, open_store
from tests.bench.large_pool import CLASSES, D, P, normal, resident

SIZES = (500_000, 1_000_000, 2_000_000)
BATCH = 50
BLOCK = 16_384


def content(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def make(folder: Path, images: int) -> None:
    """A features folder and a project that has records of its images."""
    names = [f"class {c}" for c in range(CLASSES)]
    centres, texts = normal(1, CLASSES, P), normal(2, CLASSES, D)
    projection = torch.linalg.lstsq(centres, texts).solution.T.contiguous()
    head = Head(projection + 0.1 * normal(4, D, P) / P**0.5, torch.eye(D), 8.0)
    given = FeatureStore(folder / "given")
    given.describe(EncoderRecord("made", "features:made"), head, {})
    classes = ClassList(tuple(LabelClass(name) for name in names))
    prompts = [(prompt, c) for c, each in enumerate(classes.classes) for prompt in each.prompts]
    given.add_prompts([p for p, _ in prompts], texts[torch.tensor([c for _, c in prompts])])
    with given.writer() as writer:
        for start in range(0, images, BLOCK):
            numbers = range(start, min(start + BLOCK, images))
            labels = torch.tensor(numbers) % CLASSES
            noise = normal(5 + start, len(numbers), P)
            entries = [Entry(content(k), f"{k}.png") for k in numbers]
            writer.add(entries, Features((0.5 * centres[labels] + noise).half()))
    settings = ProjectSettings("laptop", "features:made", batch_size=BATCH)
    store = create_store(folder / "project", settings, classes, datetime.now(UTC))

    def found(start: int) -> Iterator[FoundImage]:
        for k in range(start, min(start + BLOCK, images)):
            yield FoundImage(content(k), f"{k}.png", 1000, 64, 64)

    for start in range(0, images, BLOCK):
        with store.write() as writing:
            writing.images.add(found(start), (), root=str(folder), role=Role.POOL)
    store.close()


def opened(folder: Path) -> Workbench:
    workbench = Workbench(ProjectFolder(folder / "project"), open_store(folder / "project"))
    workbench.session.has_files = False
    return workbench


def answer(workbench: Workbench, _: Path) -> None:
    """The classes that the images were made of: `make` numbers them in the order of their ids."""
    ids = [each.id for each in workbench.classes.current().classes]
    answers = [
        Answer(
            event_id=str(item.id),
            image_id=item.image_id,
            kind=AnswerKind.CLASS,
            annotator="ada",
            class_id=ids[(item.image_id - 1) % CLASSES],
            item_id=item.id,
            lease_token=item.lease.token if item.lease else None,
        )
        for item in workbench.labels.claim("ada", BATCH)
    ]
    workbench.labels.record_many(answers)


def predict(workbench: Workbench, folder: Path) -> None:
    from alworkbench.project.prediction_file import write_predictions

    write_predictions(folder / "predictions.parquet", workbench.predictions.of(), 1)


def gallery(workbench: Workbench, _: Path) -> None:
    workbench.gallery.page()


def search(workbench: Workbench, _: Path) -> None:
    from alworkbench.project.image_query import ImageQuery, Order

    workbench.gallery.page(ImageQuery(order=Order.SIMILARITY, like=(content(0),)))


def cosines(workbench: Workbench, _: Path) -> None:
    engine = workbench.session.engine()
    texts = engine.class_activations(workbench.classes.current())
    for _, block in engine.table().blocks():
        engine.head.logits(block, texts)


def take(workbench: Workbench, folder: Path) -> None:
    workbench.features.take(folder / "given")


def lay_out(workbench: Workbench, _: Path) -> None:
    workbench.gallery.map.positions()


STEPS: dict[str, Callable[[Workbench, Path], Any]] = {
    "nothing: imports and an opened project": lambda workbench, _: workbench.features,
    "features folder taken": take,
    "fit from the pool": lambda workbench, _: workbench.posteriors.fit_from_pool(),
    "propose by the default": lambda workbench, _: workbench.rounds.propose(),
    "answers": answer,
    "close": lambda workbench, _: workbench.rounds.close(),
    "predict": predict,
    "gallery, first page": gallery,
    "gallery, like one image": search,
    "propose by margin": lambda workbench, _: workbench.rounds.propose("margin"),
    "cosine logits of the pool": cosines,
    "map (PCA)": lay_out,
}
GROUPS: dict[str, Callable[[Workbench, Path], Any]] = {
    "near-duplicates and clusters": lambda workbench, _: workbench.gallery.group(),
}


def measured(name: str, folder: Path, answers: multiprocessing.Queue) -> None:
    workbench = opened(folder)
    wall, cpu = time.perf_counter(), time.process_time()
    (STEPS | GROUPS)[name](workbench, folder)
    answers.put(
        (time.perf_counter() - wall, time.process_time() - cpu, resident("VmHWM")),
    )
    workbench.close()


def run(images: int, steps: Iterable[str], table: Table, console: Console) -> None:
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="laptop-") as scratch:
        maker = context.Process(target=make, args=(Path(scratch), images))
        maker.start()
        maker.join()
        for name in steps:
            answers: multiprocessing.Queue = context.Queue()
            process = context.Process(target=measured, args=(name, Path(scratch), answers))
            process.start()
            process.join()
            row = [name, f"{images:,}"]
            if process.exitcode:
                row += [f"ended with {process.exitcode}"]
            else:
                wall, cpu, peak = answers.get()
                row += [f"{wall:.1f}", f"{cpu:.1f}", f"{peak:,.0f}", f"{os.getloadavg()[0]:.1f}"]
            console.print(" | ".join(row))
            table.add_row(*row)


def main() -> None:
    console = Console(width=110)
    table = Table(
        title=f"{CLASSES} classes, P = {P}, D = {D}, {torch.get_num_threads()} threads",
        title_justify="left",
        box=None,
    )
    table.add_column("step")
    for heading in ("images", "seconds", "of CPU", "peak, MiB", "load"):
        table.add_column(heading, justify="right")
    words = sys.argv[1:]
    grouped = words[:1] == ["groups"]
    steps = [*STEPS, *(GROUPS if grouped else ())]
    for images in [int(size) for size in words[grouped:]] or SIZES:
        run(images, steps, table, console)
    console.print(table)


if __name__ == "__main__":
    main()
