"""Scoring a pool of a million images: predictive entropy of all, and the thousand highest.

Activations (P = 768, fp16 shards on disk, made here from a seed), D = 512, 100 classes, probit
posterior predictions. Each size runs in a process of its own: CPU seconds and peak memory are its.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from alworkbench.acquisition.scores import best, entropy
from alworkbench.encoders.head import Features, Head
from alworkbench.features.entry import Entry
from alworkbench.features.store import FeatureStore
from alworkbench.posterior.curvature import KroneckerFactors
from alworkbench.posterior.kronecker import KroneckerPosterior, Posterior
from alworkbench.posterior.predictive import probit_logits, stream_moments

P, D, CLASSES, TOP = 768, 512, 100, 1000
SHARD = 65_536


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def make_pool(folder: Path, images: int) -> None:
    """Write a pool of random activations through the ordinary writer."""
    with FeatureStore(folder).writer() as writer:
        for start in range(0, images, SHARD):
            count = min(SHARD, images - start)
            names = [hashlib.sha256(b"%d" % k).hexdigest() for k in range(start, start + count)]
            entries = [Entry(name, f"{name}.jpg") for name in names]
            writer.add(entries, Features(normal(start, count, P).half()))


def model() -> tuple[Head, Posterior, torch.Tensor]:
    head = Head(normal(1, D, P) / P**0.5, normal(2, D, D) / D**0.5, 100.0)

    def belief(mean: torch.Tensor, seed: int) -> KroneckerPosterior:
        a, b = (normal(seed + k, 2 * n, n).double() for k, n in enumerate(mean.shape[::-1]))
        return KroneckerPosterior.from_factors(mean, KroneckerFactors(a.T @ a, b.T @ b, 10_000))

    posterior = Posterior(belief(head.image_projection, 10), belief(head.text_projection, 20), "b")
    return head, posterior, normal(3, CLASSES, D)


def score(folder: Path, answers: multiprocessing.Queue) -> None:
    head, posterior, classes = model()
    table = FeatureStore(folder).open_table()
    began, cpu = time.perf_counter(), time.process_time()
    scores = torch.empty(len(table))
    for rows, moments in stream_moments(table, None, head, posterior, classes):
        scores[rows] = entropy(probit_logits(moments).softmax(dim=-1))
    top = best(scores, TOP)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    scale = 1024 if sys.platform == "linux" else 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
    answers.put((len(table), wall, cpu, peak, float(scores[top[-1]])))


def main() -> None:
    context = multiprocessing.get_context("spawn")
    title = f"Predictive entropy and top {TOP}, P = {P}, D = {D}, {CLASSES} classes"
    table = Table(
        title=f"{title}, {torch.get_num_threads()} threads", title_justify="left", box=None
    )
    for heading in ("images", "wall s", "CPU s", "peak MiB"):
        table.add_column(heading, justify="right")
    for images in (1_000_000, 2_000_000):
        with tempfile.TemporaryDirectory() as scratch:
            make_pool(Path(scratch), images)
            answers: multiprocessing.Queue = context.Queue()
            process = context.Process(target=score, args=(Path(scratch), answers))
            process.start()
            count, wall, cpu, peak, _ = answers.get()
            process.join()
        table.add_row(f"{count:,}", f"{wall:.1f}", f"{cpu:.1f}", f"{peak:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
