"""Conformal sets of classes on two collections: how often they hold the class, and how large they are.

First table: 1,000 random splits of the test part into calibration images and other images. The learner has
learned from 50 random labels of the pool, and has seen nothing of the test part.

Second table: campaigns of a project with batches of 10. Of each seed's part of the pool, HELD images are set
aside as an audit set; the learner sees all others without labels. Before each round, sets are calibrated on
100 random images of the audit set (DRAWS times) and compared with the true classes of all images of the pool
that have no answer, and of the images that the strategy chooses for this round. ± is a standard error over
seeds.

Dimensions used in this file
    N  images, C classes
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from jaxtyping import Bool
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import one_hot

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, Strengths
from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.methods import find_method
from alworkbench.core.domain import (
    DEFAULT_ADAPTATION,
    DEFAULT_STRATEGY,
    ProjectFolder,
    ProjectSettings,
    Role,
)
from alworkbench.evaluation.calibration.conformal import conformal_sets
from alworkbench.evaluation.intervals import estimate
from alworkbench.project.class_sets import SetSettings
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.oracles import Oracle
from alworkbench.simulation.plan import OraclePlan, Plan
from alworkbench.simulation.run import SEED_STEP, populate
from store import memory_store

DATA = ("sample", "digits")
ALPHA = SetSettings().alpha
SPLITS, LABELS = 1000, 50
SEEDS, BATCH, ROUNDS = 5, 10, 11
STRATEGIES = ("random", "entropy", DEFAULT_STRATEGY)
HELD, CALIBRATION, DRAWS = 400, 100, 50
GROUPS = {"0": (0, 0), "10-20": (10, 20), "30-50": (30, 50), "60-100": (60, 100)}
"""Labels before the round that are averaged."""

Figures = dict[str, list[float]]


def splits(data: SimulationData, table: Table) -> None:
    """One row for each number of calibration images and kind of set."""
    random = torch.Generator().manual_seed(0)
    order = data.pool[torch.randperm(len(data.pool), generator=random)]
    strengths = Strengths()
    belief = data.posterior.tempered(strengths.image, strengths.text)
    rest = data.table.gather(order[LABELS:][: DEFAULT_SETTINGS.pool_images])
    learner = find_method(DEFAULT_ADAPTATION).fit_base(
        zero_shot(data.head, belief, data.class_activations),
        data.table.gather(order[:LABELS]),
        one_hot(data.labels[order[:LABELS]], len(data.classes)).double(),
        pool=rest[: DEFAULT_SETTINGS.class_prior_images],
        unlabelled=rest,
    )
    p = learner.logits(data.table.gather(data.test)).double().softmax(dim=-1)
    labels, classes = data.labels[data.test], len(data.classes)
    accuracy = float((p.argmax(dim=-1) == labels).double().mean())
    for count in (50, 100):
        for by_class in (False, True):
            covered, sizes, full, of_class = [], [], [], []
            for _ in range(SPLITS):
                order = torch.randperm(len(labels), generator=random)
                fitted, tested = order[:count], order[count:]
                sets = conformal_sets(p[fitted], labels[fitted], ALPHA, by_class)
                inside = sets.sets(p[tested])
                hits = inside.gather(1, labels[tested][:, None])[:, 0].double()
                covered.append(float(hits.mean()))
                sizes.append(float(inside.sum(dim=-1).double().mean()))
                full.append(float(inside.all(dim=-1).double().mean()))
                of_class.append([float(hits[labels[tested] == k].mean()) for k in range(classes)])
            share = torch.tensor(covered)
            low, high = share.quantile(torch.tensor([0.025, 0.975])).tolist()
            expected = sets.coverage_range(count)
            table.add_row(
                f"{data.name}, accuracy {accuracy:.3f}",
                str(count),
                "by class" if by_class else "all images",
                f"{float(share.mean()):.3f}",
                f"{low:.3f} to {high:.3f}",
                "" if by_class else f"{expected[0]:.3f} to {expected[1]:.3f}",
                f"{float(torch.tensor(of_class).mean(dim=0).min()):.3f}",
                f"{sum(sizes) / SPLITS:.2f}",
                f"{sum(full) / SPLITS:.0%}",
            )


def campaign(
    data: SimulationData, strategy: str, seed: int, found: dict[str, Figures], folder: Path
) -> None:
    """Add the figures of one campaign, one value for each group of rounds."""
    inputs = data.run_inputs(seed, Plan((strategy,), audit=HELD))
    truth = data.truth(inputs)
    settings = ProjectSettings(data.name, strategy=strategy, seed=SEED_STEP * seed)
    store = memory_store(settings, data.classes, utc_now())
    populate(store, inputs)
    bench = Workbench(ProjectFolder(folder), store, engine=inputs.engine, take_snapshots=False)
    oracle = Oracle(truth, len(data.classes), OraclePlan(), seed)
    table, random = inputs.engine.table(), torch.Generator().manual_seed(seed)
    sides = {"pool": inputs.pool, "audit": inputs.audit}
    labels = {name: torch.tensor([truth[c] for c in part]) for name, part in sides.items()}
    features = {name: table.gather(table.rows_of(part)) for name, part in sides.items()}
    with store.read() as reader:
        content_of = dict(reader.images.ids_and_hashes(Role.POOL))
    place = {content: k for k, content in enumerate(inputs.pool)}
    open_ = torch.ones(len(inputs.pool), dtype=torch.bool)
    values: dict[int, dict[str, float]] = {}
    for round_ in range(ROUNDS):
        learner = bench.learners.newest()
        p = {name: learner.logits(each).double().softmax(dim=-1) for name, each in features.items()}
        opened = bench.rounds.propose(strategy, BATCH, sets=None)
        asked = [place[content_of[item.image_id]] for item in bench.rounds.items(opened.id)]
        values[round_ * BATCH] = compared(p, labels, open_, asked, random)
        oracle.answer_round(bench)
        bench.rounds.close()
        open_[asked] = False
    store.close()
    for group, (first, last) in GROUPS.items():
        chosen = [values[count] for count in values if first <= count <= last]
        for name in chosen[0]:
            mean = sum(each[name] for each in chosen) / len(chosen)
            found.setdefault(group, {}).setdefault(name, []).append(mean)


def compared(
    p: dict[str, Tensor],
    labels: dict[str, Tensor],
    open_: Bool[Tensor, "N"],
    asked: list[int],
    random: torch.Generator,
) -> dict[str, float]:
    """Coverage and size on the images without an answer and on those that are asked; means over draws."""
    totals: dict[str, float] = {}
    for _ in range(DRAWS):
        drawn = torch.randperm(HELD, generator=random)[:CALIBRATION]
        for by_class in (False, True):
            sets = conformal_sets(p["audit"][drawn], labels["audit"][drawn], ALPHA, by_class)
            inside = sets.sets(p["pool"])
            hits = inside.gather(1, labels["pool"][:, None])[:, 0].double()
            size = inside.sum(dim=-1).double()
            kind = "by class" if by_class else "all images"
            for name, value in (
                (f"{kind}: coverage, pool", hits[open_].mean()),
                (f"{kind}: coverage, asked", hits[asked].mean()),
                (f"{kind}: size, pool", size[open_].mean()),
                (f"{kind}: size, asked", size[asked].mean()),
            ):
                totals[name] = totals.get(name, 0.0) + float(value) / DRAWS
    right = (p["pool"].argmax(dim=-1) == labels["pool"]).double()
    return {
        **totals,
        "accuracy, pool": float(right[open_].mean()),
        "accuracy, asked": float(right[asked].mean()),
    }


def main() -> None:
    torch.set_num_threads(1)
    console = Console(width=150)
    table = Table(title=f"{SPLITS:,} splits of the test part, promise {1 - ALPHA:.0%}", box=None)
    for heading in (
        "data",
        "images",
        "sets",
        "coverage",
        "95 % of splits",
        "expected",
        "worst class",
        "size",
        "full",
    ):
        table.add_column(heading)
    with tempfile.TemporaryDirectory() as cache:
        loaded = [load_collection(name, Path(cache)) for name in DATA]
    for data in loaded:
        splits(data, table)
    console.print(table)
    for data in loaded:
        columns = None
        for strategy in STRATEGIES:
            found: dict[str, Figures] = {}
            for seed in range(SEEDS):
                with tempfile.TemporaryDirectory() as folder:
                    campaign(data, strategy, seed, found, Path(folder))
            if columns is None:
                columns = list(next(iter(found.values())))
                table = Table(
                    title=f"{data.name}, {SEEDS} seeds, {CALIBRATION} audit images", box=None
                )
                for heading in ("strategy", "labels", *columns):
                    table.add_column(heading)
            for group, figures in found.items():
                cells = [estimate(figures[name]) for name in columns]
                words = [f"{each.mean:.3f} ± {each.standard_error:.3f}" for each in cells]
                table.add_row(strategy, group, *words)
        console.print(table)


if __name__ == "__main__":
    main()
