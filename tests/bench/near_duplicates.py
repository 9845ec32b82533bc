"""Which copies of test images are found in the pool by their features, and how often a chance pair looks
like a copy.

`python -m tests.bench.near_duplicates`: the dev collections without copies, and 200 test images whose
altered copies are put into the pool. The rule that a cosine above 0.999 means a copy is measured too.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from rich.console import Console
from rich.table import Table
from torch.nn.functional import normalize

from alworkbench.datasets.collections import find_collection
from alworkbench.encoders import load_encoder
from alworkbench.encoders.head import Features
from alworkbench.features.table import FeatureTable
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.near_duplicates import near_duplicates

COPIES = 200
COSINE = 0.999

Change = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def grey(levels: np.ndarray) -> np.ndarray:
    return levels.round().clip(0, 255).astype(np.uint8)


def saved_again(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=60)
    return np.asarray(PIL.Image.open(file))


def cropped(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    side = len(image)
    inner = PIL.Image.fromarray(image).crop((1, 1, side - 1, side - 1))
    return np.asarray(inner.resize((side, side), PIL.Image.Resampling.BICUBIC))


def moved(random: np.random.Generator, image: np.ndarray) -> np.ndarray:
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    return np.roll(image, shifts[random.integers(len(shifts))], (0, 1))


CHANGES: dict[str, Change] = {
    "brighter or darker by up to 20 %": lambda random, image: grey(
        image * random.uniform(0.8, 1.2)
    ),
    "saved again as JPEG, quality 60": saved_again,
    "noise of 6 levels": lambda random, image: grey(image + 6 * random.normal(size=image.shape)),
    "moved by one pixel": moved,
    "cropped by one pixel, resized": cropped,
}


def by_cosine(data: SimulationData, pool: Features, test: Features) -> int:
    one, other = (normalize(data.head.embed_images(part), dim=-1) for part in (test, pool))
    return int(((one @ other.T).amax(dim=1) >= COSINE).sum())


def found(data: SimulationData, pool: Features, test: Features) -> str:
    together = Features.concatenate([pool, test])
    table = FeatureTable.from_features([str(row) for row in range(len(together))], together)
    rows = torch.arange(len(together))
    count = near_duplicates(table, rows[: len(pool)], rows[len(pool) :])
    return f"{count / len(test):.3f}  ({by_cosine(data, pool, test) / len(test):.3f})"


def main() -> None:
    torch.set_num_threads(1)
    shown = Table("", *(names := ("sample", "digits", "glyphs")), box=None)
    lines: dict[str, list[str]] = {"no copies": [], **{name: [] for name in CHANGES}}
    encoder = load_encoder("bundled", torch.device("cpu"))
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            data = load_collection(name, Path(scratch))
            pool, test = (data.table.gather(part) for part in (data.pool, data.test))
            lines["no copies"].append(found(data, pool, test))
            images = find_collection(name).make().test.images
            random = np.random.default_rng(5)
            chosen = random.permutation(len(images))[:COPIES]
            for what, change in CHANGES.items():
                pixels = [
                    encoder.preprocess(PIL.Image.fromarray(change(random, images[row])))
                    for row in chosen
                ]
                copies = encoder.encode_images(torch.stack(pixels))
                larger = Features.concatenate([pool, copies])
                lines[what].append(found(data, larger, test[torch.from_numpy(chosen)]))
    for what, cells in lines.items():
        shown.add_row(what, *cells)
    console = Console(width=100)
    console.print(
        f"Share of test images said to have a copy (by a cosine of {COSINE} of embeddings)"
    )
    console.print(shown)


if __name__ == "__main__":
    main()
