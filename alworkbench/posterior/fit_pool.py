"""An approximate posterior without captions: the images of the pool against prompts.

A fit from pairs compares every image with the captions of its batch, and every caption with the images.
Without captions, prompts take their place: those of the project's classes, and those of a general
vocabulary, which represents everything else that captions describe. The factors are the expected
factors of a fit in which each of the N images comes with one of the T prompts, drawn at random:

    image side   every image against all prompts                              n = N
    text side    every prompt against batches of images, averaged over the
                 batches, and counted N / T times                             n = N

So both sides have seen the same n pairs, as in a fit from pairs. A larger n narrows the posterior
although the pool teaches the model nothing; therefore at most `POOL_MOST` images are used.

What is lost: no caption is true of its image, and neither images nor words are those of the training.
The posterior treats unfamiliar images of the pool as familiar, and its text side cannot tell which class
names the model knows. Figures: docs/experiments/posterior.md, P1 and P2.

Dimensions used in this file
    T  prompts
    P, Q  activation sizes, D  embedding size
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.core.domain import ClassList
from alworkbench.core.errors import FeaturesMissing, NothingToImport
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.head import Head
from alworkbench.encoders.vocabulary import vocabulary_prompts
from alworkbench.engines.engine import Engine, mapped, parts_alone
from alworkbench.features.feature_rows import FeatureRows
from alworkbench.features.prompts import encode_missing
from alworkbench.features.store import FeatureStore
from alworkbench.features.table import FeatureTable
from alworkbench.features.usable_rows import reasons_against
from alworkbench.posterior.curvature import (
    KroneckerFactors,
    PairFactors,
    activation_factor,
    embedding_factor,
)
from alworkbench.posterior.fit_pairs import FittedPosterior, posterior_of_factors

POOL_MOST = 16_384
"""Images of the pool that are used at most. More would hardly change the shape of the factors, and would
narrow the posterior."""
LEARNING_WEIGHT = 1e-6
"""Pseudo-data weight that learning starts from. The curvature of a pool holds tight the directions in which
the pool varies, and labels must move just those (L19). Draws without labels keep all of it."""


@dataclass(frozen=True, slots=True)
class PoolSide:
    """What the curvature of every part of the pool needs."""

    head: Head
    table: FeatureRows
    prompts: Float[Tensor, "T Q"]


PartSums = tuple[Float[Tensor, "P P"], Float[Tensor, "D D"], Float[Tensor, "D D"]]
"""Sums over a part of the pool, in float64: activations, image side, and text side against this part."""


def part_sums(side: PoolSide, part: Int[Tensor, "n"]) -> PartSums:
    """The curvature of some rows of the pool against all prompts, on the device of the prompts."""
    head = side.head
    scale, bias = head.logit_scale, head.logit_bias
    texts = head.embed_texts(side.prompts)  # T D
    features = side.table.gather(part, side.prompts.device)
    images = head.embed_images(features)  # n D
    return (
        activation_factor(features.activations),
        embedding_factor(images, texts, scale, bias, head.loss),
        embedding_factor(texts, images, scale, bias, head.loss),
    )


def pool_factors(
    head: Head,
    table: FeatureRows,
    rows: Int[Tensor, "N"],
    prompts: Float[Tensor, "T Q"],
    *,
    batch: int,
    engine: Engine | None = None,
    progress: Progress = silent,
) -> PairFactors:
    """Factors of both projections from images (rows of the table) and prompts.

    `batch` is the number of images that a prompt is compared with at once, in the denominator of the
    text side. The batches are averaged, so that their sizes differ by one at most. An `engine` computes
    each batch on the CPU of a worker; they are added in the same order. Raises EngineError.
    """
    side = PoolSide(head, table, prompts)
    d, p = head.image_projection.shape
    parts = rows.tensor_split(max(1, round(len(rows) / batch)))
    what = "summing curvature over the pool"
    sums: Iterable[PartSums]
    if engine is None:
        sums = (part_sums(side, part) for part in parts)
        device = prompts.device
    else:
        apart = PoolSide(head.to("cpu", torch.float32), table.without_names(), prompts.cpu())
        sums = mapped(engine, part_sums, apart, parts_alone(parts), what)
        device = torch.device("cpu")
    activation = torch.zeros(p, p, dtype=torch.float64, device=device)
    image_side = torch.zeros(d, d, dtype=torch.float64, device=device)
    text_side = torch.zeros_like(image_side)
    done = 0
    share = len(rows) / len(prompts)  # pairs that one prompt represents
    for part, (of_activations, of_images, of_texts) in zip(parts, sums, strict=True):
        activation += of_activations
        image_side += of_images
        text_side += of_texts
        done += len(part)
        progress(what, done, len(rows))
    return PairFactors(
        KroneckerFactors(activation, image_side, len(rows)),
        KroneckerFactors(
            share * activation_factor(prompts.to(device)),
            share / len(parts) * text_side,
            len(rows),
        ),
    )


def _usable(
    head: Head, table: FeatureTable, rows: Int[Tensor, "N"], device: torch.device
) -> Int[Tensor, "n"]:
    """The rows whose embedding has a direction, in their order."""
    kept: list[int] = []
    for part, features in table.blocks(rows, device=device):
        wrong = reasons_against(features, head.embed_images)
        kept.extend(row for k, row in enumerate(part.tolist()) if k not in wrong)
    return torch.tensor(kept, dtype=torch.long)


def prompts_of(
    features: FeatureStore, classes: ClassList, encoder: Encoder | None, progress: Progress = silent
) -> Float[Tensor, "T Q"]:
    """Activations of the prompts of the classes and of the vocabulary; they are encoded once and kept.

    Without an encoder (the features came from a file), only those of the classes. Raises
    FeaturesMissing if they were never encoded.
    """
    prompts = list(dict.fromkeys(prompt for c in classes.classes for prompt in c.prompts))
    own = len(prompts)
    if encoder is not None:
        prompts = list(dict.fromkeys([*prompts, *vocabulary_prompts()]))
        encode_missing(features, encoder, prompts, progress)
    found = features.prompt_activations(prompts)
    if found is None:
        raise FeaturesMissing(own, own, what="prompts of the classes")
    return found


def fit_from_pool(
    head: Head,
    table: FeatureTable,
    rows: Int[Tensor, "N"],
    prompts: Float[Tensor, "T Q"],
    encoder_id: str,
    *,
    batch: int,
    seed: int,
    engine: Engine | None = None,
    progress: Progress = silent,
) -> FittedPosterior:
    """The posterior from a seeded sample of at most `POOL_MOST` images and from prompts.

    An `engine` computes the sums; see `pool_factors`.

    Images whose embedding has no direction are left out; see `features.usable_rows`. Raises
    NothingToImport for fewer than two other images or prompts: they have no contrast.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(rows), generator=generator)[:POOL_MOST]
    drawn = rows[order]
    chosen = _usable(head, table, drawn, prompts.device)
    if len(chosen) < 2 or len(prompts) < 2:
        raise NothingToImport(
            f"The pool has {len(chosen)} images with usable features and {len(prompts)} prompts. A fit "
            f"needs at least 2 of each. Import and encode images first (`alworkbench encode`)."
        )
    factors = pool_factors(
        head, table, chosen, prompts, batch=batch, engine=engine, progress=progress
    )
    posterior = posterior_of_factors(
        head, PairFactors(factors.image.to("cpu"), factors.text.to("cpu")), encoder_id
    )
    posterior = replace(posterior, learning_weight=LEARNING_WEIGHT)
    provenance = {
        "source": "pool",
        "approximation": "pool images against prompts instead of image-caption pairs",
        "images": len(chosen),
        "without_direction": len(drawn) - len(chosen),
        "prompts": len(prompts),
        "class_batch": batch,
        "loss": head.loss,
        "learning_weight": LEARNING_WEIGHT,
        "prior_precision_image": posterior.image.prior_precision,
        "prior_precision_text": posterior.text.prior_precision,
        "seed": seed,
    }
    return FittedPosterior(posterior, provenance)
