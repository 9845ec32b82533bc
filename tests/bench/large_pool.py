"""A large pool: learning beside it, and explaining one of its images.

`python -m tests.bench.large_pool [IMAGES ...]` (100,000 and 1,000,000). A real project of made-up features
(P = 768, D = 512, 100 classes in clusters) with a store on disk, and 200 labels. Seconds of `learn` (what
closing a round costs, without an audit set), the largest growth of the process while it learns, with the
features open, and seconds of `explain` after that. Each size has a process of its own. A million images
need 5 GB of disk and 8 GB of memory while the project is made. Needs Linux.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    FoundImage,
    LabelClass,
    ProjectFolder,
    ProjectSettings,
    Role,
)
from alworkbench.encoders.head import Features, Head
from alworkbench.features.feature_file import FeatureFile
from alworkbench.features.feature_file_io import write_feature_file
from alworkbench.project.workbench import Workbench
from store import create_store

P, D, CLASSES, LABELS = 768, 512, 100, 200


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made_features(
    images: int, width: int = P, size: int = D, count: int = CLASSES
) -> tuple[FeatureFile, torch.Tensor]:
    """Activations of this width in float16, and the class of each image; embeddings have this size."""
    centres, texts = normal(1, count, width), normal(2, count, size)
    labels = torch.arange(images) % count
    activations = torch.empty(images, width, dtype=torch.float16)
    for part in torch.arange(images).split(65_536):
        noise = normal(3 + int(part[0]), len(part), width)
        activations[part] = (0.5 * centres[labels[part]] + noise).half()
    head = Head(
        torch.linalg.lstsq(centres, texts).solution.T.contiguous()
        + 0.1 * normal(4, size, width) / width**0.5,
        torch.eye(size),
        8.0,
    )
    hashes = tuple(hashlib.sha256(b"%d" % k).hexdigest() for k in range(images))
    file = FeatureFile(
        encoder="made",
        head=head,
        features=Features(activations),
        class_names=tuple(f"class {c}" for c in range(count)),
        prompt_activations=texts,
        prompt_classes=torch.arange(count),
        hashes=hashes,
        labels=labels,
        split=("pool",) * images,
    )
    return file, labels


def make_project(folder: Path, images: int) -> Workbench:
    """A project with features, a posterior from the pool and one round of answered images."""
    file, labels = made_features(images)
    classes = ClassList(tuple(LabelClass(name) for name in file.class_names))
    settings = ProjectSettings("large", "features:made", strategy="random", batch_size=LABELS)
    store = create_store(folder / "project", settings, classes, datetime.now(UTC))
    found = (FoundImage(name, f"{name}.png", 1000, 64, 64) for name in file.hashes)
    with store.write() as writer:
        writer.images.add(found, (), root=str(folder), role=Role.POOL)
    write_feature_file(folder / "features.npz", file)
    workbench = Workbench(ProjectFolder(folder / "project"), store)
    workbench.session.has_files = False  # no picture lies behind the made features
    workbench.features.take(folder / "features.npz")
    workbench.posteriors.fit_from_pool()
    workbench.rounds.propose()
    position = {name: k for k, name in enumerate(file.hashes)}
    current = workbench.classes.current().classes
    answers = [
        Answer(
            event_id=str(item.id),
            image_id=item.image_id,
            kind=AnswerKind.CLASS,
            annotator="ada",
            class_id=current[int(labels[position[workbench.images.get(item.image_id).hash]])].id,
            item_id=item.id,
            lease_token=item.lease.token if item.lease else None,
        )
        for item in workbench.labels.claim("ada", LABELS)
    ]
    workbench.labels.record_many(answers)
    return workbench


def resident(which: str) -> float:
    """Resident memory in MiB, from Linux: now (VmRSS), or the most since `forget_peak` (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(which))


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def learned(folder: Path, answers: multiprocessing.Queue) -> None:
    """Open the project again and learn; a first, warming look at the features is not counted."""
    from store import open_store

    workbench = Workbench(ProjectFolder(folder / "project"), open_store(folder / "project"))
    engine = workbench.session.engine()
    engine.table().has([""])  # makes its index
    forget_peak()
    before, began = resident("VmRSS"), time.perf_counter()
    workbench.learners.learn()
    first = time.perf_counter() - began
    began = time.perf_counter()
    workbench.learners.learn()
    again, growth = time.perf_counter() - began, resident("VmHWM") - before
    began = time.perf_counter()
    workbench.explanations.of(hashlib.sha256(b"0").hexdigest())
    answers.put((first, again, growth, time.perf_counter() - began))


def main() -> None:
    context = multiprocessing.get_context("spawn")
    table = Table(
        title=f"Learning from {LABELS} labels of {CLASSES} classes, P = {P}, "
        f"{torch.get_num_threads()} threads",
        title_justify="left",
        box=None,
    )
    for heading in ("images", "first time, s", "again, s", "growth, MiB", "explain, s"):
        table.add_column(heading, justify="right")
    for images in [int(size) for size in sys.argv[1:]] or (100_000, 1_000_000):
        with tempfile.TemporaryDirectory() as scratch:
            make_project(Path(scratch), images).session.store.close()
            answers: multiprocessing.Queue = context.Queue()
            process = context.Process(target=learned, args=(Path(scratch), answers))
            process.start()
            first, again, growth, explained = answers.get()
            process.join()
        table.add_row(
            f"{images:,}", f"{first:.1f}", f"{again:.1f}", f"{growth:,.0f}", f"{explained:.1f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
