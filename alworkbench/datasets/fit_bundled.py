"""Makes the posterior of the bundled model: `python -m alworkbench.datasets.fit_bundled`.

It is fitted like any other posterior, from image-caption pairs in a CSV: pairs of the model's training
data, written as files. The machine must have Fashion-MNIST.
"""

from __future__ import annotations

import csv
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import PIL.Image
import torch

from alworkbench.core.assets import BUNDLED_POSTERIOR
from alworkbench.core.progress import silent
from alworkbench.datasets.bundled_recipe import training_pairs
from alworkbench.encoders import load_encoder
from alworkbench.inputs.pairs import open_pairs
from alworkbench.posterior.fit_pairs import fit_posterior
from alworkbench.posterior.posterior_file import save_posterior

PAIRS = 3000
BATCH = 1000
SEED = 0


def make() -> None:
    """Fit it and write it into the package."""
    pairs = training_pairs(PAIRS, SEED)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with (folder / "pairs.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image", "caption"])
            for k, (image, caption) in enumerate(zip(pairs.images, pairs.captions, strict=True)):
                PIL.Image.fromarray(image).save(folder / f"{k}.png")
                writer.writerow([f"{k}.png", caption])
        encoder = load_encoder("bundled", torch.device("cpu"))
        found = fit_posterior(
            encoder, open_pairs(folder / "pairs.csv"), batch=BATCH, seed=SEED, progress=silent
        )
    provenance = {
        **found.provenance,
        "source": "pictures and captions that the model was trained on",
    }
    provenance.pop("seconds")
    save_posterior(
        BUNDLED_POSTERIOR, found.posterior, created_at=datetime.now(UTC), provenance=provenance
    )


if __name__ == "__main__":
    make()
