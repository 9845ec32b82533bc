"""The default on dev data beyond the collections: what the bundled model sees less of, and other models.

`python -m tests.bench.shifted`: accuracy after batches of ten, mean and standard error over paired seeds.
Between the sample, whose similar images share a class, and glyphs, whose do not, digits and sample
turned, cut, inverted, noisy and in pairs of classes lie at every step. The other models are those of
`other_models` and `contrastive`. Made from a seed in minutes, with nothing to download; with a word,
only data sets whose name has it are measured.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from scipy.ndimage import gaussian_filter, rotate

from alworkbench.core.domain import DEFAULT_STRATEGY, NO_CLASS, ClassList
from alworkbench.datasets.collections import find_collection
from alworkbench.datasets.labelled_images import CollectionImages, LabelledImages
from alworkbench.encoders import load_encoder
from alworkbench.evaluation.curves import runs
from alworkbench.evaluation.intervals import estimate
from alworkbench.features.table import FeatureTable
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.load.collection import encode_collection, load_collection
from alworkbench.simulation.plan import Plan
from alworkbench.simulation.runner import simulate
from store import memory_store
from tests.bench.contrastive import Kind, contrastive
from tests.bench.other_models import clusters, letters, rare_letters

STRATEGIES = ("random", "balanced-random", "entropy", "margin", DEFAULT_STRATEGY)
SEEDS, LABELS, BUDGETS = 5, 100, (10, 20, 50, 100)

Pixels = np.ndarray
Shift = Callable[[Pixels, np.random.Generator], Pixels]


def turned(image: Pixels, random: np.random.Generator) -> Pixels:
    angle = random.uniform(0, 360)
    return rotate(image.astype(float), angle, reshape=False, cval=float(image[0].mean()), order=1)


def mosaic(image: Pixels, random: np.random.Generator) -> Pixels:
    """Four quarters in any order: parts stay, their places are lost."""
    half = (image.shape[0] // 2, image.shape[1] // 2)
    quarters = [image[i : i + half[0], j : j + half[1]] for i in (0, half[0]) for j in (0, half[1])]
    one, two, three, four = (quarters[k] for k in random.permutation(4))
    return np.concatenate(
        [np.concatenate([one, two], axis=1), np.concatenate([three, four], axis=1)], axis=0
    )


def cut(image: Pixels, random: np.random.Generator) -> Pixels:
    """About half the width and height, enlarged."""
    height, width = image.shape[:2]
    side = int(0.55 * height)
    top, left = random.integers(0, height - side + 1), random.integers(0, width - side + 1)
    part = Image.fromarray(image[top : top + side, left : left + side])
    return np.asarray(part.resize((width, height), Image.Resampling.BILINEAR))


def inverted(image: Pixels, random: np.random.Generator) -> Pixels:
    blur = (1.2, 1.2) + (0,) * (image.ndim - 2)
    return 255.0 - gaussian_filter(image.astype(float), blur)


def noisy(image: Pixels, random: np.random.Generator) -> Pixels:
    return 0.6 * image + 25.6 + random.normal(0, 60, image.shape)


SHIFTS: dict[str, Shift] = {
    "turned": turned,
    "mosaic": mosaic,
    "cut": cut,
    "inverted": inverted,
    "noisy": noisy,
}
WHOLE = (
    ("digits", "turned"),
    ("digits", "mosaic"),
    ("sample", "turned"),
    ("sample", "mosaic"),
    ("sample", "cut"),
    ("sample", "inverted"),
    ("sample", "noisy"),
)
PAIRS = (
    ("digits", None, 1, 7),
    ("digits", None, 2, 5),
    ("digits", "turned", 1, 3),
    ("sample", None, 0, 3),
    ("sample", None, 4, 6),
    ("sample", "mosaic", 2, 9),
    ("sample", "noisy", 1, 7),
    ("sample", "cut", 3, 5),
)
CONTRASTIVE = {
    "2 classes": Kind(2, related=0.6, spread=3.5, misnamed=1.0, pool=4000, seed=11),
    "10 classes": Kind(10, related=0.3, spread=2.0, misnamed=0.8, seed=12),
    "10 classes, names elsewhere": Kind(10, 0.3, 2.0, misnamed=1.2, elsewhere=0.75, seed=13),
    "20 classes": Kind(20, related=0.5, spread=2.0, misnamed=0.9, seed=14),
    "100 classes": Kind(100, related=0.6, spread=1.8, misnamed=0.7, seed=15),
}


def shifted(name: str, shift: str, cache: Path) -> SimulationData:
    """A dev collection with every picture changed, encoded by the bundled model."""
    collection = find_collection(name)
    images = collection.make()
    random = np.random.default_rng(0)

    def part(of: LabelledImages) -> LabelledImages:
        changed = [np.clip(SHIFTS[shift](image, random), 0, 255) for image in of.images]
        return LabelledImages.originals(np.stack(changed).astype(np.uint8), of.labels)

    found = encode_collection(
        collection.card,
        CollectionImages(part(images.pool), part(images.test)),
        load_encoder("bundled", torch.device("cpu")),
    )
    return replace(
        load_collection(name, cache),
        name=f"{name}, {shift}",
        table=FeatureTable.from_features(found.hashes, found.features),
        labels=found.labels,
    )


def pair(data: SimulationData, one: int, other: int) -> SimulationData:
    """Two classes of it alone."""
    chosen = torch.tensor([one, other])
    labels = torch.full_like(data.labels, NO_CLASS)
    for new, old in enumerate((one, other)):
        labels[data.labels == old] = new
    names = tuple(data.classes.classes[c] for c in (one, other))
    return replace(
        data,
        name=f"{data.name}: {names[0].name} or {names[1].name}",
        pool=data.pool[torch.isin(data.labels[data.pool], chosen)],
        test=data.test[torch.isin(data.labels[data.test], chosen)],
        labels=labels,
        class_activations=data.class_activations[chosen],
        classes=ClassList(names),
    )


def data_sets(cache: Path) -> Iterator[SimulationData]:
    whole = {(name, shift): shifted(name, shift, cache) for name, shift in WHOLE}
    plain = {name: load_collection(name, cache) for name in ("digits", "sample")}
    yield from whole.values()
    for name, shift, one, other in PAIRS:
        yield pair(whole[name, shift] if shift else plain[name], one, other)
    yield clusters("clusters", 1.0)
    yield clusters("clusters, names wrong", 6.0)
    yield clusters("clusters, names meaningless", 60.0)
    yield letters()
    for seed in range(3):
        yield rare_letters(f"letters, four rare ({seed + 1})", seed)
    for name, kind in CONTRASTIVE.items():
        yield contrastive(f"contrastive, {name}", kind)


def main(wanted: str) -> None:
    table = Table(title=f"Accuracy, mean ± standard error, {SEEDS} paired seeds, batches of 10")
    for heading in ("data", "strategy", *(f"at {n}" for n in BUDGETS), "area"):
        table.add_column(heading)
    with tempfile.TemporaryDirectory() as folder:
        for data in data_sets(Path(folder)):
            if wanted not in data.name:
                continue
            plan = Plan(STRATEGIES, seeds=SEEDS, labels=LABELS)
            for found in runs(simulate(data, plan, memory_store, processes=2), "accuracy"):
                cells = [estimate(found.at(n).tolist()) for n in BUDGETS]
                cells.append(estimate(found.areas().tolist()))
                words = [f"{each.mean:.3f} ± {each.standard_error:.3f}" for each in cells]
                table.add_row(data.name, found.arm.strategy, *words)
            table.add_section()
    Console(width=150).print(table)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
