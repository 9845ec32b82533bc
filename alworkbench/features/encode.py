"""Encoding: images pass through the image tower, and their features are written into shards.

Encoding can be interrupted at any time; the next call continues. Files are decoded ahead of the
tower, so that only the slower of the two costs time. Batches are cut from the whole plan and not
from the rest of it. After an interruption an image is therefore encoded in the same batch as
without one, and its features are the same to the last bit.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

import torch

from alworkbench.core.domain import QuarantineCode
from alworkbench.core.errors import EncoderError
from alworkbench.core.progress import Progress, silent
from alworkbench.core.worker_process import cores
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.head import Features, Head
from alworkbench.features.decode import Decoded, Preprocess, Task, decode, decode_here
from alworkbench.features.decode_workers import decode_apart
from alworkbench.features.entry import Entry
from alworkbench.features.store import FeatureStore
from alworkbench.features.usable_rows import reasons_against
from alworkbench.features.writer import FeatureWriter, ShardBudget
from alworkbench.inputs.decode_limits import MAX_SECONDS

MEASURED = 32
"""Images that are decoded first, to measure how the rest is decoded best."""
WORKER_START = 4.0
"""Seconds until a worker process is useful: a fresh interpreter that imports torch (2 to 4
measured). On few cores the tower waits for it too."""
WORKER_IMAGE = 0.0003
"""Seconds of this process for each image that a worker decodes: JSON, and a copy of the pixels."""
MAX_WORKERS = 16
WORTH_A_WORKER = 10.0
"""Seconds of decoding that justify one worker; with less work, fewer workers are started."""
THREADS_AS_ONE = 2.0
"""The most processors that threads keep busy: about half of decoding holds the interpreter lock."""


@dataclass(frozen=True, slots=True)
class EncodeSummary:
    """The counts of one call. Images of the plan = encoded + quarantined + known."""

    encoded: int
    quarantined: int
    """Refused by this call; `FeatureStore.quarantined` has the reasons."""
    known: int
    """Settled before: encoded, or quarantined with a code that another try cannot mend."""
    workers: int
    """Decoding processes; 0 where threads did it."""
    seconds: float
    waited: float | None = field(default=None, compare=False)
    """Seconds of them in which the tower waited for pictures: most of them, where decoding is the slower.
    None where the workers of an engine encode: each has a tower of its own."""


def encode_images(
    encoder: Encoder,
    images: Sequence[tuple[str, Path]],
    store: FeatureStore,
    *,
    workers: int | None = None,
    batch_size: int = 64,
    timeout: float = MAX_SECONDS,
    white: int | None = None,
    dtype: torch.dtype = torch.float16,
    budget: ShardBudget | None = None,
    progress: Progress = silent,
) -> EncodeSummary:
    """Encode every (content hash, file) of the plan that the store has not settled.

    Pass the whole plan each time, in the same order. `workers` is the number of decoding processes;
    0 decodes in threads, None decides by the measured cost of the first images. `white` counts for files
    of 16 bits that do not say what is white. `dtype` is the type of the stored features. A file that
    cannot be decoded, has changed, or gives features without a direction (`usable_rows`) is quarantined in
    the store, and encoding continues. After an
    exception (Ctrl-C too) what was encoded is kept.

    Raises FeaturesLocked while another process writes, EncoderError when a batch does not fit into
    the device's memory or decoding processes cannot be kept alive.
    """
    if batch_size < 1:
        raise ValueError(f"a batch needs at least one image, found {batch_size}")
    started = time.perf_counter()
    plan = dict(images)
    batches = batches_left(plan, store.settled(), batch_size, white)
    tasks = list(chain.from_iterable(batches))
    done = refused = 0
    used, waited = 0, 0.0
    if tasks:
        with store.writer(dtype=dtype, budget=budget) as writer:
            used, decoded = _start(encoder.preprocess, tasks, workers, batch_size, timeout)
            with closing(decoded):
                progress("encoding images", 0, len(tasks))
                clocked = _Clocked(decoded)
                for seen, without in encode_batches(encoder, batches, clocked, writer, dtype):
                    done, refused = done + seen, refused + without
                    progress("encoding images", done, len(tasks))
                waited = clocked.seconds
    return EncodeSummary(
        encoded=done - refused,
        quarantined=refused,
        known=len(plan) - len(tasks),
        workers=used,
        seconds=time.perf_counter() - started,
        waited=waited,
    )


class _Clocked:
    """Pictures, and the seconds that somebody waited for them."""

    def __init__(self, decoded: Iterator[Decoded]) -> None:
        self._decoded = decoded
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Decoded]:
        return self

    def __next__(self) -> Decoded:
        began = time.perf_counter()
        try:
            return next(self._decoded)
        finally:
            self.seconds += time.perf_counter() - began


def batches_left(
    plan: Mapping[str, Path], settled: Collection[str], batch_size: int, white: int | None
) -> list[list[Task]]:
    """The batches of the whole plan (content hash -> file), without the images that are settled."""
    tasks = [Task(content, str(path), white) for content, path in plan.items()]
    cuts = (tasks[at : at + batch_size] for at in range(0, len(tasks), batch_size))
    left = ([task for task in batch if task.hash not in settled] for batch in cuts)
    return [batch for batch in left if batch]


def encode_batches(
    encoder: Encoder,
    batches: Iterable[Sequence[Task]],
    decoded: Iterator[Decoded],
    writer: FeatureWriter,
    dtype: torch.dtype,
) -> Iterator[tuple[int, int]]:
    """Encode and add one batch after the other: images, and how many of them are refused.

    `decoded` are the pictures of all batches in their order.
    """
    head = encoder.head.to("cpu", torch.float32)
    for batch in batches:
        found = list(islice(decoded, len(batch)))
        pixels = [each.pixels for each in found if each.pixels is not None]
        features = _encode(encoder, pixels) if pixels else None
        entries, features = _usable([each.entry for each in found], features, head, dtype)
        recorded = writer.add(entries, features)
        yield len(batch), sum(entry.code is not None for entry in recorded)


def _usable(
    entries: list[Entry], features: Features | None, head: Head, dtype: torch.dtype
) -> tuple[list[Entry], Features | None]:
    """The batch without images whose embedding has no direction; their entries say so.

    Looks at the features as they will be stored. Values that are not finite are left to the writer.
    """
    if features is None:
        return entries, None
    stored = features.to("cpu", dtype).to("cpu", torch.float32)
    finite = stored.activations.isfinite().all(dim=1)
    if stored.residuals is not None:
        finite &= stored.residuals.isfinite().all(dim=1)
    found = reasons_against(stored, head.embed_images)
    against = {row: reason for row, reason in found.items() if bool(finite[row])}
    if not against:
        return entries, features
    good = [k for k, entry in enumerate(entries) if entry.code is None]
    marked = list(entries)
    for row, reason in against.items():
        marked[good[row]] = replace(marked[good[row]], code=QuarantineCode.NONFINITE, detail=reason)
    kept = [row for row in range(len(features)) if row not in against]
    return marked, features[torch.tensor(kept)] if kept else None


def _encode(encoder: Encoder, pixels: Sequence[torch.Tensor]) -> Features:
    try:
        return encoder.encode_images(torch.stack(list(pixels)))
    except torch.OutOfMemoryError as error:
        smaller = max(1, len(pixels) // 2)
        raise EncoderError(
            f"A batch of {len(pixels)} images does not fit into the memory of the device. "
            f"Run `alworkbench encode --batch {smaller}`. Features that are finished are kept."
        ) from error


def _start(
    preprocess: Preprocess,
    tasks: Sequence[Task],
    workers: int | None,
    batch_size: int,
    timeout: float,
) -> tuple[int, Generator[Decoded, None, None]]:
    """How many worker processes are used, and what they, or threads, decode, in order."""
    measured: list[Decoded] = []
    if workers is None:
        began = time.perf_counter()
        measured = [decode(preprocess, task) for task in tasks[:MEASURED]]
        each = (time.perf_counter() - began) / len(measured)
        workers = choose_workers(each, len(tasks) - len(measured), cores())
    return workers, _decoded(preprocess, tasks, measured, workers, 2 * batch_size, timeout)


def _decoded(
    preprocess: Preprocess,
    tasks: Sequence[Task],
    measured: Sequence[Decoded],
    workers: int,
    ahead: int,
    timeout: float,
) -> Generator[Decoded, None, None]:
    rest = tasks[len(measured) :]
    if workers:
        pool = decode_apart(preprocess, rest, workers=workers, ahead=ahead, timeout=timeout)
    else:
        pool = decode_here(preprocess, rest, threads=min(cores(), 4), ahead=ahead)
    try:
        yield from measured
        yield from pool
    finally:
        pool.close()


def choose_workers(seconds_each: float, images: int, processors: int) -> int:
    """How many decoding processes pay for themselves; 0 where threads of this process do better.

    `seconds_each` is the measured time to decode one image; one processor stays with the tower.
    """
    work = seconds_each * images
    workers = min(processors - 1, MAX_WORKERS, int(work / WORTH_A_WORKER))
    if workers < 1:
        return 0
    in_threads = work / min(processors, THREADS_AS_ONE)
    in_workers = WORKER_START + max(work / workers, WORKER_IMAGE * images)
    return workers if in_workers < in_threads else 0
