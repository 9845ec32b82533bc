"""What an engine costs and gains: `python -m tests.bench engines`.

Features in shards, four jobs: the curvature of 16,384 images against 1,000 prompts, the best 100 of 60,000
candidates by BALD and by coverage, and the nearest other image of each of 24,576. Computed in this process
with one thread, by the local engine, and on two Ray nodes of this machine. The last row loses a node after
two seconds. Every row must give the same bits.
"""

from __future__ import annotations

import importlib.util
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.score import highest_batch
from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.acquisition.uncertainty import BALD
from alworkbench.adaptation.learner import zero_shot
from alworkbench.encoders.head import Features, Head
from alworkbench.engines.engine import Engine
from alworkbench.engines.local_engine import LocalEngine
from alworkbench.features.entry import Entry
from alworkbench.features.store import FeatureStore
from alworkbench.posterior.fit_pairs import posterior_of_factors
from alworkbench.posterior.fit_pool import pool_factors
from alworkbench.project.most_similar import most_similar
from tests.engines.clusters import two_nodes

POOL, FITTED, COMPARED, PROMPTS = 60_000, 16_384, 24_576, 1_000
CLASSES, DRAWS = 20, 32


def stored(folder: Path) -> FeatureStore:
    store, generator = FeatureStore(folder), torch.Generator().manual_seed(0)
    with store.writer() as writer:
        for at in range(0, POOL, 5_000):
            rows = torch.randn(5_000, 256, generator=generator)
            entries = [Entry(f"{k:064d}", "") for k in range(at, at + 5_000)]
            writer.add(entries, Features(rows))
    return store


@contextmanager
def ray_engine(folder: Path, lose: bool) -> Iterator[Engine]:
    from alworkbench.engines.ray_engine import RayEngine

    with two_nodes(folder) as cluster, RayEngine(cluster.address) as engine:
        if lose:
            node = cluster.worker_nodes.copy().pop()
            late = threading.Timer(2.0, cluster.remove_node, (node,), {"allow_graceful": False})
            late.start()
        yield engine


def main() -> None:
    torch.set_num_threads(1)
    jobs = ("curvature s", "BALD s", "coverage s", "neighbours s")
    table = Table("", "start s", *jobs, "same bits", box=None)
    wanted: tuple[Any, ...] | None = None
    with tempfile.TemporaryDirectory(prefix="b") as scratch:
        features = stored(Path(scratch, "features")).open_table()
        generator = torch.Generator().manual_seed(1)
        head = Head(
            torch.randn(128, 256, generator=generator) / 16,
            torch.randn(128, 192, generator=generator) / 14,
            50.0,
        )
        prompts = torch.randn(PROMPTS, 192, generator=generator)
        kinds = ["one process", "local:1", "local:2"]
        if importlib.util.find_spec("ray") is not None:
            kinds += ["ray, two nodes", "ray, one lost"]
        for kind in kinds:
            started = time.perf_counter()
            folder = Path(scratch, kind[-4:].strip())
            folder.mkdir()
            with (
                ray_engine(folder, "lost" in kind)
                if kind.startswith("ray")
                else LocalEngine(int(kind[-1]) if kind[-1].isdigit() else 1)
            ) as opened:
                engine = None if kind == "one process" else opened
                begun = time.perf_counter()
                factors = pool_factors(
                    head, features, torch.arange(FITTED), prompts, batch=1024, engine=engine
                )
                summed = time.perf_counter()
                posterior = posterior_of_factors(head, factors, "bench")
                asked = AcquisitionContext(
                    features,
                    torch.arange(POOL),
                    torch.arange(0, POOL, 100),
                    zero_shot(head, posterior, prompts[:CLASSES]),
                    100,
                    0,
                    0,
                    draws=DRAWS,
                    memory=256 << 20,
                    pool_is_target=True,
                    engine=engine,
                )
                ranked = time.perf_counter()
                batch = highest_batch(asked, BALD)
                scored = time.perf_counter()
                covering = find_strategy("coverage").select(asked)
                covered = time.perf_counter()
                near = most_similar(features, torch.arange(COMPARED), engine=engine)
                done = time.perf_counter()
            found = (
                factors.image.embedding.tolist(),
                batch,
                covering,
                *(each.tolist() for each in near),
            )
            wanted = wanted or found
            table.add_row(
                kind,
                f"{begun - started:.1f}",
                f"{summed - begun:.1f}",
                f"{scored - ranked:.1f}",
                f"{covered - scored:.1f}",
                f"{done - covered:.1f}",
                "yes" if found == wanted else "NO",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
