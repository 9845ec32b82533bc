"""How far selection could go at best: labels picked with the classes of the whole pool known.

`python -m tests.bench.hindsight`: among candidates of all classes, each next label is the one after which
the learner has the highest balanced accuracy on other images of the pool. No strategy can do this,
because it looks at the classes. The picks are greedy, so this is not a strict bound. Compare it with what
a strategy saves against random. The output is the accuracy on the test part, mean and standard error over
seeds, and that of random labels with the same seeds.

Dimensions used in this file
    n  labelled images or candidates, N images that accuracy is measured on
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from jaxtyping import Int
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import one_hot

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, Strengths
from alworkbench.adaptation.learner import Learner, zero_shot
from alworkbench.adaptation.learning import learn
from alworkbench.evaluation.intervals import estimate
from alworkbench.simulation.dataset import SimulationData, pool_of_seed
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.plan import Plan

SEEDS, CANDIDATES, JUDGED = 6, 200, 1000
CHOSEN, RANDOM = (3, 5, 8, 10), (50, 100)
DATA = ("sample", "digits")


class _Campaign:
    """One seed's part of the pool, and what the learner makes of any labels of it."""

    def __init__(self, data: SimulationData, seed: int) -> None:
        strengths = Strengths()
        belief = data.posterior.tempered(strengths.image, strengths.text)
        self.start = zero_shot(data.head, belief, data.class_activations)
        self.data = data
        rows = torch.tensor(pool_of_seed(data.pool.tolist(), seed, Plan(("random",)).pool_fraction))
        self.rows = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))]
        self.seen = data.table.gather(self.rows[: DEFAULT_SETTINGS.class_prior_images])

    def learner(self, rows: Int[Tensor, "n"]) -> Learner:
        labels = self.data.labels[rows]
        targets = one_hot(labels, len(self.data.classes)).double()
        labelled = self.data.table.gather(rows)
        return learn(self.start, labelled, targets, residual_head=True, pool=self.seen)

    def accuracy(self, learner: Learner, rows: Int[Tensor, "N"], *, by_class: bool) -> float:
        labels = self.data.labels[rows]
        right = (learner.logits(self.data.table.gather(rows)).argmax(dim=1) == labels).double()
        if not by_class:
            return float(right.mean())
        return float(torch.stack([right[labels == c].mean() for c in labels.unique()]).mean())

    def parts(self) -> tuple[Int[Tensor, "n"], Int[Tensor, "N"]]:
        """Candidates and judges: every other image of each class, classes in turn."""
        labels = self.data.labels[self.rows]
        place = torch.zeros_like(labels)
        for c in labels.unique():
            place[labels == c] = torch.arange(int((labels == c).sum()))
        order = place.argsort(stable=True)
        even = place[order] % 2 == 0
        turns = self.rows[order]
        return turns[even][:CANDIDATES], turns[~even][:JUDGED]


def campaign(name: str, cache: Path, seed: int) -> list[float]:
    """Accuracies after CHOSEN labels and after RANDOM ones."""
    torch.set_num_threads(1)
    found = _Campaign(load_collection(name, cache), seed)
    (candidates, judges), test = found.parts(), found.data.test
    taken: list[int] = []
    accuracies = []
    while len(taken) < max(CHOSEN):
        scores = [
            -1.0
            if int(row) in taken
            else found.accuracy(
                found.learner(torch.tensor([*taken, int(row)])), judges, by_class=True
            )
            for row in candidates
        ]
        taken.append(int(candidates[torch.tensor(scores).argmax()]))
        if len(taken) in CHOSEN:
            learner = found.learner(torch.tensor(taken))
            accuracies.append(found.accuracy(learner, test, by_class=False))
    for count in RANDOM:
        learner = found.learner(found.rows[:count])
        accuracies.append(found.accuracy(learner, test, by_class=False))
    return accuracies


def main() -> None:
    table = Table(title=f"Accuracy, mean ± standard error, {SEEDS} seeds")
    table.add_column("data")
    for count in CHOSEN:
        table.add_column(f"{count} in hindsight")
    for count in RANDOM:
        table.add_column(f"{count} at random")
    with tempfile.TemporaryDirectory() as folder:
        for name in DATA:
            load_collection(name, Path(folder))  # made once, before processes read it
            with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
                seeds = list(processes.map(partial(campaign, name, Path(folder)), range(SEEDS)))
            cells = [estimate(list(each)) for each in zip(*seeds, strict=True)]
            words = [f"{each.mean:.3f} ± {each.standard_error:.3f}" for each in cells]
            table.add_row(name, *words)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
