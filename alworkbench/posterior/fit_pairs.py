"""Fit the posterior of an encoder from image-caption pairs, batch by batch.

Only the curvature of a batch is kept, so that memory does not grow with the number of pairs. Threads
decode images in advance while the tower computes. With a folder for partial sums, a fit that was
interrupted continues after its last finished shard.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.core.errors import DataError, NothingToImport
from alworkbench.core.prefetch import prefetch
from alworkbench.core.progress import Progress
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.head import Features, Head
from alworkbench.inputs.pairs import Pair, PairSource
from alworkbench.inputs.pairs.source import NEEDED
from alworkbench.inputs.picture import Undecodable, read_image
from alworkbench.posterior.checkpoints import PartialSums, Shard, key_of
from alworkbench.posterior.curvature import PairFactors, pair_curvature
from alworkbench.posterior.kronecker import KroneckerPosterior, Posterior

PAIR_BATCH = 1024
"""Pairs that the contrastive loss compares at once, by default."""
TOWER_ROWS = 64
"""Images that the tower sees at once."""
AHEAD = 4 * TOWER_ROWS
"""Images that are decoded in advance."""
SHARD_PAIRS = 1024
MOST_SHARDS = 64
"""An interruption loses at most one shard: a batch, 1,024 pairs or 1/64 of all pairs, whichever is most.
A shard takes 8 (P^2 + Q^2 + 2 D^2) bytes on disk: 11 MB for ViT-B/32 (P = 768, Q = D = 512)."""


@dataclass(frozen=True, slots=True)
class FittedPosterior:
    """A posterior with the record of how it was fitted."""

    posterior: Posterior
    provenance: dict[str, Any]


def posterior_of_pairs(
    head: Head, images: Features, texts: Float[Tensor, "N Q"], encoder_id: str, *, batch: int
) -> Posterior:
    """The posterior from the activations of n pairs; `batch` as in `pair_curvature`."""
    return posterior_of_factors(head, pair_curvature(head, images, texts, batch=batch), encoder_id)


def posterior_of_factors(head: Head, factors: PairFactors, encoder_id: str) -> Posterior:
    """Decompose the factors; the prior precisions maximise the evidence."""
    return Posterior(
        KroneckerPosterior.from_factors(head.image_projection.cpu(), factors.image),
        KroneckerPosterior.from_factors(head.text_projection.cpu(), factors.text),
        encoder_id,
    )


def fit_posterior(
    encoder: Encoder,
    pairs: PairSource,
    *,
    batch: int,
    seed: int,
    progress: Progress,
    partial: Path | None = None,
) -> FittedPosterior:
    """Sum the curvature over shuffled batches of pairs; the prior precisions maximise the evidence.

    `batch` is the number of pairs that the contrastive loss compares; see `pair_curvature`. Pairs whose
    image cannot be read are left out and counted. Partial sums are kept in a folder below `partial`
    until the fit is finished; the same call continues from them and gives the same factors to the bit.
    Raises NothingToImport for fewer than two pairs, DataError where no image could be read.
    """
    started = time.perf_counter()
    total = pairs.count()
    if total < 2:
        raise NothingToImport(
            f"{pairs.name} holds {total} pairs. A fit needs at least 2 pairs, and a good posterior "
            f"needs some thousands. {NEEDED}"
        )
    sums = None
    if partial is not None:
        key = key_of(encoder.id, pairs.files, batch, seed)
        sums = PartialSums(partial / f"partial-{key}", encoder.head)
    found = _sum(encoder, pairs, total, batch, seed, progress, sums)
    if found.factors is None:
        raise DataError(
            f"Every batch of {batch} of the {total} pairs of {pairs.name} has fewer than two readable "
            f"pairs. The first problem: {found.first_problem or 'too few'}. Paths are relative to the "
            f"file that names them."
        )
    posterior = posterior_of_factors(encoder.head, found.factors, encoder.id)
    if sums is not None:
        sums.remove()
    provenance = {
        "source": pairs.name,
        "pairs": found.factors.image.pairs,
        "unreadable": found.unreadable,
        "ignored": pairs.ignored,
        "class_batch": batch,
        "loss": encoder.head.loss,
        "prior_precision_image": posterior.image.prior_precision,
        "prior_precision_text": posterior.text.prior_precision,
        "seconds": round(time.perf_counter() - started, 1),
        "seed": seed,
    }
    return FittedPosterior(posterior, provenance)


@dataclass(slots=True)
class _Total:
    factors: PairFactors | None = None
    seen: int = 0
    unreadable: int = 0
    shards: int = 0
    first_problem: str = ""

    def add(self, shard: Shard) -> None:
        self.factors = _added(self.factors, shard.factors)
        self.seen += shard.seen
        self.unreadable += shard.unreadable
        self.shards += 1


def _sum(
    encoder: Encoder,
    pairs: PairSource,
    total: int,
    batch: int,
    seed: int,
    progress: Progress,
    sums: PartialSums | None,
) -> _Total:
    """Read the finished shards, compute and save the others."""
    done = _Total()
    for shard in sums.finished() if sums is not None else ():
        done.add(shard)
    progress("summing curvature", done.seen, total)
    per_shard = -(-max(SHARD_PAIRS, total // MOST_SHARDS) // batch) * batch
    with closing(_decoded(encoder, islice(pairs.read(seed), done.seen, None))) as stream:
        while True:
            factors, seen, unreadable = None, 0, 0
            while seen < per_shard:
                part = _Batch.of(encoder, islice(stream, batch))
                if not part.seen:
                    break
                factors = _added(factors, part.curvature(encoder, batch))
                seen, unreadable = seen + part.seen, unreadable + part.unreadable
                done.first_problem = done.first_problem or part.problem
                progress("summing curvature", done.seen + seen, max(total, done.seen + seen))
            if not seen:
                break
            shard = Shard(factors, seen, unreadable)
            if sums is not None:
                sums.save(done.shards, shard)
            done.add(shard)
    progress("summing curvature", done.seen, max(done.seen, 1))  # the count is an upper bound
    return done


def _added(one: PairFactors | None, other: PairFactors | None) -> PairFactors | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


@dataclass(slots=True)
class _Batch:
    """The pairs that the loss compares with each other: activations and captions."""

    features: list[Features] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    seen: int = 0
    unreadable: int = 0
    problem: str = ""

    @classmethod
    def of(cls, encoder: Encoder, stream: Iterator[_Decoded]) -> _Batch:
        made, waiting = cls(), list[Tensor]()
        for item in stream:
            made.seen += 1
            if item.pixels is None:
                made.unreadable += 1
                made.problem = made.problem or item.problem
                continue
            made.captions.append(item.caption)
            waiting.append(item.pixels)
            if len(waiting) == TOWER_ROWS:
                made.features.append(encoder.encode_images(torch.stack(waiting)))
                waiting.clear()
        if waiting:
            made.features.append(encoder.encode_images(torch.stack(waiting)))
        return made

    def curvature(self, encoder: Encoder, batch: int) -> PairFactors | None:
        """None for fewer than two pairs: they have no contrast."""
        if len(self.captions) < 2:
            return None
        images, texts = Features.concatenate(self.features), encoder.encode_prompts(self.captions)
        return _on_cpu(pair_curvature(encoder.head, images, texts, batch=batch))


def _on_cpu(factors: PairFactors) -> PairFactors:
    """The sums on the CPU, from where they are written: reading them back gives the same bits."""
    return PairFactors(factors.image.to("cpu"), factors.text.to("cpu"))


# ------------------------------------------------------------------------------------------ decoding


@dataclass(frozen=True, slots=True)
class _Decoded:
    pixels: Tensor | None
    """Input of the tower; None for an image that cannot be read."""
    caption: str
    problem: str = ""


def _decoded(encoder: Encoder, pairs: Iterator[Pair]) -> Generator[_Decoded, None, None]:
    """Pixels in the order of the pairs; threads decode up to AHEAD images in advance."""

    def decode(pair: Pair) -> _Decoded:
        if isinstance(pair.image, Path) and not pair.image.is_file():  # nor a device, nor a pipe
            return _Decoded(None, pair.caption, f"there is no file {pair.image}")
        try:
            return _Decoded(encoder.preprocess(read_image(pair.image)), pair.caption)
        except Undecodable as error:
            where = pair.image if isinstance(pair.image, Path) else "a picture"
            return _Decoded(None, pair.caption, f"{where}: {error.detail}")

    return prefetch(decode, pairs, threads=min(8, os.cpu_count() or 1), ahead=AHEAD)
