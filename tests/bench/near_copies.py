"""Which cosine of whitened activations means a near-copy: `python -m tests.bench near_copies`.

Dev collections with altered copies of 200 test images beside the pool (the changes of `near_duplicates`).
Share of the copies whose most similar image is their original and has at least this cosine; and the share of
images of the pool, which has no copies, with such a neighbour. The last column: plain cosine of embeddings.
"""

from __future__ import annotations

import tempfile
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
from alworkbench.project.most_similar import most_similar
from alworkbench.simulation.load.collection import load_collection
from tests.bench.near_duplicates import CHANGES, COPIES

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
PLAIN = 0.99
"""Of the plain cosine."""


def nearest(features: Features) -> tuple[np.ndarray, np.ndarray]:
    table = FeatureTable.from_features([str(row) for row in range(len(features))], features)
    return most_similar(table, torch.arange(len(features)))


def plainly(embeddings: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    cosines = embeddings @ embeddings.T
    cosines.fill_diagonal_(-2)
    best = cosines.max(dim=1)
    return best.values.numpy(), best.indices.numpy()


def main() -> None:
    torch.set_num_threads(1)
    table = Table("", *(f"{each:.1f}" for each in THRESHOLDS), f"plain {PLAIN}", box=None)
    encoder = load_encoder("bundled", torch.device("cpu"))
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("sample", "digits", "glyphs"):
            data = load_collection(name, Path(scratch))
            pool, test = (data.table.gather(part) for part in (data.pool, data.test))
            images = find_collection(name).make().test.images
            random = np.random.default_rng(5)
            chosen = random.permutation(len(images))[:COPIES]
            originals = test[torch.from_numpy(chosen)]

            def embedded(features: Features) -> torch.Tensor:
                return normalize(data.head.embed_images(features), dim=-1)  # noqa: B023

            near, plain = nearest(pool)[0], plainly(embedded(pool))[0]
            shares = [f"{(near >= each).mean():.3f}" for each in THRESHOLDS]
            table.add_row(f"{name}: no copies", *shares, f"{(plain >= PLAIN).mean():.3f}")
            for what, change in CHANGES.items():
                pixels = [
                    encoder.preprocess(PIL.Image.fromarray(change(random, images[row])))
                    for row in chosen
                ]
                copies = encoder.encode_images(torch.stack(pixels))
                all_of_them = Features.concatenate([originals, copies, pool])
                found = []
                for value, at in (nearest(all_of_them), plainly(embedded(all_of_them))):
                    own = at[COPIES : 2 * COPIES] == np.arange(COPIES)
                    found.append((value[COPIES : 2 * COPIES], own))
                shares = [f"{(found[0][1] & (found[0][0] >= t)).mean():.3f}" for t in THRESHOLDS]
                by_plain = f"{(found[1][1] & (found[1][0] >= PLAIN)).mean():.3f}"
                table.add_row(f"{name}: {what}", *shares, by_plain)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
