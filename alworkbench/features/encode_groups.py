"""Encoding on an engine: each group of batches becomes one shard, which the worker writes itself.

All workers must see the images and the folder of the features under the same paths: on one machine, or on
a network disk. Features stay where they are computed; the engine carries the names of files and counts.

The batches are those of `encode_images`. An image therefore gets the same features, to the last bit where
the tower runs with as many threads; the order of the rows is the same, and only the cuts between shards
differ.
"""

from __future__ import annotations

import math
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import torch

from alworkbench.core.atomic_files import move_aside
from alworkbench.core.errors import OutputUnwritable
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.worker_encoder import worker_encoder
from alworkbench.engines.engine import Engine, GroupFailed, Shared, every
from alworkbench.features.decode import Task, decode_here
from alworkbench.features.decode_workers import decode_apart
from alworkbench.features.encode import EncodeSummary, batches_left, encode_batches
from alworkbench.features.shard import DONE, MAX_ROWS
from alworkbench.features.store import FeatureStore
from alworkbench.features.writer import FeatureWriter, ShardBudget
from alworkbench.inputs.decode_limits import MAX_SECONDS

GROUP_IMAGES = 2048
"""Images of a group at least: a kill loses at most the groups that are being encoded."""
MOST_GROUPS = 2000
"""Larger pools have larger groups, so that shards stay few; none has more rows than a shard may."""
ATTEMPTS = "attempts"
"""Folder of shards that are being written; each gets its number when it is whole."""
WHOLE = ShardBudget(rows=sys.maxsize, bytes=sys.maxsize, seconds=math.inf)
"""A group is one shard."""


@dataclass(frozen=True, slots=True)
class Tower:
    """What all groups need."""

    load: Callable[[], Encoder]
    """Loads the encoder on a worker's device; a function that another process can import."""
    encoder_id: str
    folder: Path
    """Of the features."""
    dtype: torch.dtype
    timeout: float
    """Seconds for one picture, where pictures are decoded in a process of their own."""


@dataclass(frozen=True, slots=True)
class EncodeGroup:
    """Consecutive batches, and the shard that they become."""

    shard: str
    batches: tuple[tuple[Task, ...], ...]
    apart: bool = False
    """Whether pictures are decoded in another process: one of them ended the worker."""


def encode_on(
    engine: Engine,
    load: Callable[[], Encoder],
    encoder_id: str,
    images: Sequence[tuple[str, Path]],
    store: FeatureStore,
    *,
    batch_size: int = 64,
    white: int | None = None,
    dtype: torch.dtype = torch.float16,
    gpus: int = 0,
    group_images: int = GROUP_IMAGES,
    timeout: float = MAX_SECONDS,
    progress: Progress = silent,
) -> EncodeSummary:
    """As `encode_images`, on the workers of an engine; `gpus` devices for each.

    Finished groups are kept whatever happens, and the next call continues. A picture that ends its
    worker is found by decoding its group again in processes that it may end, and is quarantined. Raises
    EngineError for a group that cannot be encoded, and what `encode_images` raises.
    """
    if batch_size < 1:
        raise ValueError(f"a batch needs at least one image, found {batch_size}")
    started = time.perf_counter()
    plan = dict(images)
    batches = batches_left(plan, store.settled(), batch_size, white)
    total = sum(map(len, batches))
    done = refused = 0
    attempts = store.folder / ATTEMPTS
    if batches:
        with store.writer(dtype=dtype) as writer:  # this program alone gives numbers to shards
            shutil.rmtree(attempts, ignore_errors=True)
            each = max(group_images, total // MOST_GROUPS)
            size = max(1, min(each, MAX_ROWS) // batch_size)
            groups = [
                EncodeGroup(
                    f"{writer.next_shard + k:05d}", tuple(map(tuple, batches[at : at + size]))
                )
                for k, at in enumerate(range(0, len(batches), size))
            ]
            shared = engine.broadcast(Tower(load, encoder_id, store.folder, dtype, timeout))
            progress("encoding images", 0, total)
            with closing(_counts(engine, shared, groups, gpus)) as counts:
                for seen, without in counts:
                    done, refused = done + seen, refused + without
                    progress("encoding images", done, total)
            shutil.rmtree(attempts, ignore_errors=True)
    return EncodeSummary(
        done - refused, refused, len(plan) - total, 0, time.perf_counter() - started
    )


def _counts(
    engine: Engine, shared: Shared[Tower], groups: Sequence[EncodeGroup], gpus: int
) -> Generator[tuple[int, int], None, None]:
    """Images and refused images of each group; groups that ended their worker come last."""
    again: list[EncodeGroup] = []
    with closing(engine.map_groups(encode_group, shared, groups, gpus=gpus)) as found:
        for group, counts in zip(groups, found, strict=True):
            if isinstance(counts, GroupFailed) and counts.crashed:
                again.append(replace(group, apart=True))
            else:
                yield from every([counts], f"encoding the shard {group.shard}")
    if again:
        with closing(engine.map_groups(encode_group, shared, again, gpus=gpus)) as found:
            yield from every(found, "encoding images one by one")


def encode_group(tower: Tower, group: EncodeGroup) -> tuple[int, int]:
    """Encode a group and write its shard: images, and how many of them are refused.

    Raises EncoderMismatch where this machine has other weights.
    """
    encoder = worker_encoder(tower.load, tower.encoder_id, "The project's features")
    tasks = list(chain.from_iterable(group.batches))
    ahead = 2 * max(map(len, group.batches))
    decoded = (
        decode_apart(encoder.preprocess, tasks, workers=1, ahead=ahead, timeout=tower.timeout)
        if group.apart
        else decode_here(encoder.preprocess, tasks, threads=1, ahead=ahead)
    )
    attempt = tower.folder / ATTEMPTS / uuid.uuid4().hex
    writer = FeatureWriter(attempt, tower.dtype, WHOLE, time.monotonic)
    with closing(decoded):
        counts = list(encode_batches(encoder, group.batches, decoded, writer, tower.dtype))
    writer.flush()
    target = tower.folder / group.shard
    try:
        move_aside(attempt / "00000", target)
    except OutputUnwritable:
        if not (target / DONE).exists():  # else another try of this group was faster
            raise
    shutil.rmtree(attempt, ignore_errors=True)
    return sum(seen for seen, _ in counts), sum(without for _, without in counts)
