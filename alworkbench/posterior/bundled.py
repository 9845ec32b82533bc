"""The posterior of the bundled model, and how it was made: `python -m alworkbench.posterior.bundled`.

It is fitted as any other is, from image-caption pairs in a CSV: pairs that the model was trained on,
written out as files. Needs Fashion-MNIST on the machine.
"""

from __future__ import annotations

import csv
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import PIL.Image
import torch

import alworkbench.encoders
from alworkbench.datasets.pairs import open_pairs
from alworkbench.encoders import load_encoder
from alworkbench.fitting import fit_posterior
from alworkbench.posterior.files import save_posterior
from alworkbench.progress import silent

PATH = (
    Path(alworkbench.encoders.__file__).parent
    / "bundled"
    / "alworkbench-tiny-posterior.safetensors"
)
PAIRS = 3000
BATCH = 1000
SEED = 0


def bundled_posterior(spec: str) -> Path | None:
    """The posterior file that comes with an encoder of this spec, if one does."""
    return PATH if spec == "bundled" else None


def make() -> None:
    """Fit it and write it into the package."""
    from alworkbench.encoders.train_bundled import training_pairs

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
    save_posterior(PATH, found.posterior, created_at=datetime.now(UTC), provenance=provenance)


if __name__ == "__main__":
    make()
