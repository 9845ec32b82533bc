"""Fitting the posterior of an encoder from image-caption pairs, as a stream of batches.

The pairs are read batch by batch; what is kept of a batch is its curvature, so memory does not grow
with their number.
"""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.encoders.base import Encoder
from alworkbench.errors import DataError, NothingToImport, UnreadableSource
from alworkbench.heads import Features, Head
from alworkbench.images import Undecodable, read_image
from alworkbench.posterior.curvature import PairFactors, pair_curvature
from alworkbench.posterior.kronecker import KroneckerPosterior, Posterior
from alworkbench.progress import Progress

PAIR_BATCH = 1024
"""Pairs that the contrastive loss compares at once, unless the user says another number."""
TOWER_ROWS = 64
"""Images that the tower sees at once."""


@dataclass(frozen=True, slots=True)
class Pair:
    image: Path
    caption: str


@dataclass(frozen=True, slots=True)
class FittedPosterior:
    posterior: Posterior
    provenance: dict[str, Any]


def read_pairs(path: Path) -> list[Pair]:
    """Pairs of a CSV with the columns `image` (a path, relative to the file) and `caption`.

    Raises UnreadableSource for a file that is not such a CSV, NothingToImport for an empty one.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := {"image", "caption"} - set(reader.fieldnames or []):
                raise UnreadableSource(
                    f"{path} has no column {' or '.join(sorted(missing))}; found "
                    f"{reader.fieldnames}. Its first line must name the columns: image,caption."
                )
            pairs = [
                Pair(path.parent / row["image"], row["caption"].strip())
                for row in reader
                if row["image"] and row["caption"]
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableSource(
            f"{path} cannot be read as image-caption pairs ({error}). Needed is a CSV in UTF-8 with "
            f"the columns image and caption."
        ) from error
    if len(pairs) < 2:
        raise NothingToImport(
            f"{path} holds {len(pairs)} pairs; contrasts need at least 2, and a posterior some "
            f"thousands."
        )
    return pairs


def posterior_of_pairs(
    head: Head, images: Features, texts: Float[Tensor, "N Q"], encoder_id: str, *, batch: int
) -> Posterior:
    """The posterior of pairs whose activations are at hand; `batch` as in `pair_curvature`."""
    return _posterior(head, pair_curvature(head, images, texts, batch=batch), encoder_id)


def _posterior(head: Head, factors: PairFactors, encoder_id: str) -> Posterior:
    return Posterior(
        KroneckerPosterior.from_factors(head.image_projection.cpu(), factors.image),
        KroneckerPosterior.from_factors(head.text_projection.cpu(), factors.text),
        encoder_id,
    )


def fit_posterior(
    encoder: Encoder, pairs: Sequence[Pair], *, batch: int, seed: int, progress: Progress
) -> FittedPosterior:
    """Sum the curvature over shuffled batches of pairs and take the prior of most evidence.

    `batch` is the denominator of the contrastive loss; see `pair_curvature`. Pairs whose image cannot
    be read are left out and counted.
    """
    started = time.perf_counter()
    order = list(range(len(pairs)))
    random.Random(seed).shuffle(order)  # files are often sorted by class: batches should not be
    total: PairFactors | None = None
    unreadable = done = 0
    for part in _parts(order, batch):
        images, captions = [], []
        for pixels, caption in _decoded(encoder, [pairs[k] for k in part]):
            if pixels is None:
                unreadable += 1
            else:
                images.append(pixels)
                captions.append(caption)
        done += len(part)
        if len(captions) >= 2:
            features = [
                encoder.encode_images(torch.stack(images[k : k + TOWER_ROWS]))
                for k in range(0, len(images), TOWER_ROWS)
            ]
            factors = pair_curvature(
                encoder.head,
                Features.concatenate(features),
                encoder.encode_prompts(captions),
                batch=batch,
            )
            total = factors if total is None else total + factors
        progress("summing curvature", done, len(pairs))
    if total is None:
        raise DataError(
            f"None of the {len(pairs)} pairs could be read; the first image is {pairs[0].image}. Paths "
            f"are taken relative to the CSV."
        )
    posterior = _posterior(encoder.head, total, encoder.id)
    provenance = {
        "pairs": total.image.pairs,
        "unreadable": unreadable,
        "class_batch": batch,
        "loss": encoder.head.loss,
        "prior_precision_image": posterior.image.prior_precision,
        "prior_precision_text": posterior.text.prior_precision,
        "seconds": round(time.perf_counter() - started, 1),
        "seed": seed,
    }
    return FittedPosterior(posterior, provenance)


def _parts(order: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _decoded(encoder: Encoder, pairs: Sequence[Pair]) -> Iterator[tuple[Tensor | None, str]]:
    """Pixels for the tower, or None for an image that cannot be read, in order."""

    def decode(pair: Pair) -> tuple[Tensor | None, str]:
        try:
            return encoder.preprocess(read_image(pair.image)), pair.caption
        except Undecodable:
            return None, pair.caption

    with ThreadPoolExecutor() as pool:
        yield from pool.map(decode, pairs)
