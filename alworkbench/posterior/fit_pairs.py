"""Fit the posterior of an encoder from image-caption pairs, batch by batch.

Only the curvature of a batch is kept, so that memory does not grow with the number of pairs. Threads
decode images in advance while the tower computes. With a folder for partial sums, a fit that was
interrupted continues after its last finished shard.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from alworkbench.core.errors import DataError, EngineError, NothingToImport
from alworkbench.core.progress import Progress
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.head import Features, Head
from alworkbench.engines.engine import Engine
from alworkbench.inputs.pairs import PairSource
from alworkbench.inputs.pairs.source import NEEDED
from alworkbench.posterior.checkpoints import PartialSums, Shard, key_of
from alworkbench.posterior.curvature import PairFactors, pair_curvature
from alworkbench.posterior.kronecker import KroneckerPosterior, Posterior
from alworkbench.posterior.pair_pixels import decoded
from alworkbench.posterior.pair_shards import PairFit, added, sum_on, sum_shard

PAIR_BATCH = 1024
"""Pairs that the contrastive loss compares at once, by default."""
SHARD_PAIRS = 1024
MOST_SHARDS = 64
"""An interruption loses at most one shard: a batch, 1,024 pairs or 1/64 of all pairs, whichever is most.
A shard takes 8 (P^2 + Q^2 + 2 D^2) bytes on disk: 11 MB for ViT-B/32 (P = 768, Q = D = 512)."""
WHAT = "summing curvature"


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
    engine: Engine | None = None,
    load: Callable[[], Encoder] | None = None,
    gpus: int = 0,
) -> FittedPosterior:
    """Sum the curvature over shuffled batches of pairs; the prior precisions maximise the evidence.

    `batch` is the number of pairs that the contrastive loss compares; see `pair_curvature`. Pairs whose
    image cannot be read are left out and counted. Partial sums are kept in a folder below `partial`
    until the fit is finished; the same call continues from them and gives the same factors to the bit.
    With an `engine` its workers sum the shards: `load` loads the encoder there, `gpus` devices for each, and
    `partial` is a folder that all of them see. Raises NothingToImport for fewer than two pairs, DataError
    where no image could be read, EngineError.
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
    shard_pairs = -(-max(SHARD_PAIRS, total // MOST_SHARDS) // batch) * batch
    if engine is None:
        found = _sum(encoder, pairs, total, batch, seed, shard_pairs, progress, sums)
        ignored = pairs.ignored
    else:
        if sums is None or load is None:
            raise ValueError(
                "an engine needs a folder for partial sums, and how to load the encoder"
            )
        ignored = (
            pairs.ignored
        )  # as counting found; what only reading finds is missing from the sums
        fit = PairFit(load, encoder.id, pairs, seed, batch, shard_pairs, sums)
        found = _sum_on(engine, fit, total, gpus, progress)
        ignored += total - found.seen
    if found.factors is None:
        raise DataError(
            f"Every batch of {batch} of the {total} pairs of {pairs.name} has fewer than two readable "
            f"pairs. The first problem: {found.problem or 'too few'}. Paths are relative to the "
            f"file that names them."
        )
    posterior = posterior_of_factors(encoder.head, found.factors, encoder.id)
    if sums is not None:
        sums.remove()
    provenance = {
        "source": pairs.name,
        "pairs": found.factors.image.pairs,
        "unreadable": found.unreadable,
        "ignored": ignored,
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
    problem: str = ""
    """The first."""

    def add(self, shard: Shard) -> None:
        self.factors = added(self.factors, shard.factors)
        self.seen += shard.seen
        self.unreadable += shard.unreadable
        self.shards += 1
        self.problem = self.problem or shard.problem


def _sum(
    encoder: Encoder,
    pairs: PairSource,
    total: int,
    batch: int,
    seed: int,
    shard_pairs: int,
    progress: Progress,
    sums: PartialSums | None,
) -> _Total:
    """Read the finished shards, compute and save the others."""
    done = _Total()
    for shard in sums.finished() if sums is not None else ():
        done.add(shard)

    def told(seen: int) -> None:
        progress(WHAT, done.seen + seen, max(total, done.seen + seen))

    told(0)
    left = islice(pairs.read(seed), done.seen, None)
    threads = min(8, os.cpu_count() or 1)
    with closing(decoded(encoder.preprocess, left, threads)) as stream:
        while (shard := sum_shard(encoder, stream, batch, shard_pairs, told)).seen:
            if sums is not None:
                sums.save(done.shards, shard)
            done.add(shard)
    progress(WHAT, done.seen, max(done.seen, 1))  # the count is an upper bound
    return done


def _sum_on(engine: Engine, fit: PairFit, total: int, gpus: int, progress: Progress) -> _Total:
    """Have the workers write the shards that are missing, and read them all in their order."""
    seen = 0

    def told(more: int) -> None:
        nonlocal seen
        seen += more
        progress(WHAT, min(seen, total), total)

    shards = sum_on(engine, fit, total, gpus, told)
    done = _Total()
    for shard in fit.sums.finished():
        done.add(shard)
    if done.shards < shards:
        raise EngineError(
            f"The partial sum {done.shards} of {shards} in {fit.sums.folder} is missing or damaged. Fit "
            "again with the same command: the sound ones stay, and this one is computed again."
        )
    progress(WHAT, done.seen, max(done.seen, 1))
    return done
