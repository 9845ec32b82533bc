"""The shards of a fit from pairs: sums of curvature over consecutive batches, here or by workers.

A worker writes the shard that it summed into the folder of the partial sums, so that what is finished is kept
whatever ends. All workers must see that folder and the pairs under the same paths. Pairs are read in the
order of the seed: a worker reads up to its part, and goes on from there with its next one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

import torch
from torch import Tensor

from alworkbench.core.errors import EngineError
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.head import Features
from alworkbench.encoders.worker_encoder import worker_encoder
from alworkbench.engines.engine import Engine, GroupFailed, every
from alworkbench.inputs.pairs import Pair, PairSource
from alworkbench.posterior.checkpoints import PartialSums, Shard
from alworkbench.posterior.curvature import PairFactors, pair_curvature
from alworkbench.posterior.pair_pixels import Decoded, decoded, decoded_apart

TOWER_ROWS = 64
"""Images that the tower sees at once."""
SEEN_SECONDS = 60.0
"""So long may a network disk take to show a file that another machine wrote."""


def added(one: PairFactors | None, other: PairFactors | None) -> PairFactors | None:
    """The sum of both; None for no pairs."""
    if one is None or other is None:
        return other if one is None else one
    return one + other


def sum_shard(
    encoder: Encoder,
    stream: Iterator[Decoded],
    batch: int,
    pairs: int,
    told: Callable[[int], None] = lambda seen: None,
) -> Shard:
    """The sums over the next `pairs` of a stream, a multiple of `batch`; `told` hears how many were seen."""
    found = Shard(None, 0, 0)
    while found.seen < pairs:
        part = _Batch.of(encoder, islice(stream, batch))
        if not part.seen:
            break
        found = Shard(
            added(found.factors, part.curvature(encoder, batch)),
            found.seen + part.seen,
            found.unreadable + part.unreadable,
            found.problem or part.problem,
        )
        told(found.seen)
    return found


@dataclass(slots=True)
class _Batch:
    """The pairs that the loss compares with each other: activations and captions."""

    features: list[Features] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    seen: int = 0
    unreadable: int = 0
    problem: str = ""

    @classmethod
    def of(cls, encoder: Encoder, stream: Iterator[Decoded]) -> _Batch:
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


# ------------------------------------------------------------------------------------ on an engine


@dataclass(frozen=True, slots=True)
class PairFit:
    """What the shards of a fit need."""

    load: Callable[[], Encoder]
    """Loads the encoder on a worker's device; a function that another process can import."""
    encoder_id: str
    pairs: PairSource
    seed: int
    batch: int
    shard_pairs: int
    """Pairs of a shard; the last one may have fewer."""
    sums: PartialSums
    """Where the shards are written."""


@dataclass(frozen=True, slots=True)
class PairShard:
    """One shard of a fit."""

    index: int
    apart: bool = False
    """Whether pictures are decoded in another process: one of them ended the worker."""


def sum_on(engine: Engine, fit: PairFit, total: int, gpus: int, told: Callable[[int], None]) -> int:
    """Have the workers write every shard of at most `total` pairs that is missing; how many there are then.

    Finished shards are kept whatever happens, and the next call sums the others. A picture that ends its
    worker is found by decoding its shard again in processes that it may end, and is counted as unreadable.
    Raises EngineError for a shard that cannot be summed, or that was written where this process does not
    see it. `told` hears how many more pairs are done.
    """
    count = -(-total // fit.shard_pairs)
    shards = [PairShard(k) for k in fit.sums.missing(count)]
    told(min(total, (count - len(shards)) * fit.shard_pairs))
    shared = engine.broadcast(fit)
    written: list[int] = []

    def take(shard: PairShard, seen: int) -> None:
        if seen:
            written.append(shard.index)
        told(seen)

    again: list[PairShard] = []
    with closing(engine.map_groups(sum_pair_shard, shared, shards, gpus=gpus)) as found:
        for shard, seen in zip(shards, found, strict=True):
            if isinstance(seen, GroupFailed) and seen.crashed:
                again.append(replace(shard, apart=True))
            else:
                take(shard, next(every([seen], f"summing the pairs of shard {shard.index}")))
    if again:
        with closing(engine.map_groups(sum_pair_shard, shared, again, gpus=gpus)) as found:
            for shard, seen in zip(again, every(found, "summing pairs one by one"), strict=True):
                take(shard, seen)
    deadline = time.monotonic() + SEEN_SECONDS
    while unseen := [index for index in written if not fit.sums.has(index)]:
        if time.monotonic() > deadline:
            raise EngineError(
                f"Workers wrote {len(unseen)} partial sums into {fit.sums.folder}, and this program does not "
                f"see them there. Every machine needs the folder of the project under the same path."
            )
        time.sleep(0.2)
    return count - len(shards) + len(written)


_streams: dict[str, tuple[int, Iterator[Pair]]] = {}
"""The pairs that this worker reads, and how many it has read: a later shard goes on from there."""


def sum_pair_shard(fit: PairFit, shard: PairShard) -> int:
    """Sum one shard and write it; how many pairs it has. Raises EncoderMismatch."""
    encoder = worker_encoder(fit.load, fit.encoder_id, "The posterior")
    start, fresh = shard.index * fit.shard_pairs, (0, fit.pairs.read(fit.seed))
    at, pairs = _streams.pop(str(fit.sums.folder), fresh)
    if at > start:
        at, pairs = fresh
    skipped = sum(1 for _ in islice(pairs, start - at))
    own = islice(pairs, fit.shard_pairs)
    with closing(
        decoded_apart(encoder.preprocess, own)
        if shard.apart
        else decoded(encoder.preprocess, own, threads=1)
    ) as stream:
        found = sum_shard(encoder, stream, fit.batch, fit.shard_pairs)
    _streams.clear()  # one fit at a time
    _streams[str(fit.sums.folder)] = at + skipped + found.seen, pairs
    if found.seen:
        fit.sums.save(shard.index, found)
    return found.seen
