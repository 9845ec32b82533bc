"""Algorithms for EPIG against the truth from 20,000 joint draws: `python -m tests.bench.epig`.

300 candidates and 200 targets of the bundled sample with the bundled model, without labels and with 30.
Each algorithm gets Spearman's rank correlation with the truth, its seconds (draws included, median of
three) and their share of the seconds of the truth. The last table counts how many of the stated intervals
contain the truth. One thread, one process.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr
from torch import Tensor

from alworkbench.acquisition.epig.draw_space import DrawSpace, TargetSummary
from alworkbench.acquisition.epig.sampled import epig_sums, sampled_epig, sampled_interval
from alworkbench.adaptation.adaptation_settings import Strengths
from alworkbench.adaptation.learner import Learner, zero_shot
from alworkbench.adaptation.learning import learn
from alworkbench.cli.demo import DEMO_CLASSES, DEMO_SETTINGS
from alworkbench.core.domain import ProjectFolder, Role
from alworkbench.datasets.sample import bundled_sample
from alworkbench.encoders.head import Features
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.load.project_data import sample_truth
from store import create_store

CANDIDATES, TARGETS, LABELS = 300, 200, 30
TRUTH_DRAWS, CHUNK = 20_000, 500


@dataclass(frozen=True)
class Case:
    """A learner with the images that are scored and those that matter."""

    name: str
    learner: Learner
    candidates: Features
    targets: Features

    def drawn(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """Class probabilities of candidates and targets under the same draws (K N C, K M C)."""
        learner = self.learner
        draws = learner.draws(count, seed)
        found = []
        for features in (self.candidates, self.targets):
            change = learner.model.jvp(learner.model.images(features), draws)
            found.append((learner.logits(features) + change).softmax(dim=-1))
        return found[0], found[1]


def cases(folder: Path) -> list[Case]:
    """The bundled sample, seen by the bundled model; images and labels drawn with a fixed seed."""
    project = ProjectFolder(folder / "project")
    store = create_store(project.database, DEMO_SETTINGS, DEMO_CLASSES, utc_now())
    workbench = Workbench(project, store)
    workbench.images.add(bundled_sample())
    workbench.features.encode()
    with store.read() as reader:
        hashes = [content for _, content in reader.images.ids_and_hashes(Role.POOL)]
    engine, table = workbench.session.engine(), workbench.session.engine().table()
    posterior = workbench.posteriors.newest().tempered(Strengths().image, Strengths().text)
    classes = engine.class_activations(workbench.classes.current())
    truth = sample_truth(workbench).pool
    names = [c.name for c in workbench.classes.current().classes]
    labels = torch.tensor([names.index(truth[content]) for content in hashes])
    rows = table.rows_of(hashes)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    first, second, third = order.split([CANDIDATES, TARGETS, len(order) - CANDIDATES - TARGETS])
    start = zero_shot(engine.head, posterior, classes)
    asked = third[:LABELS]
    targets = torch.eye(len(names), dtype=torch.float64)[labels[asked]]
    learned = learn(start, table.gather(rows[asked]), targets)
    store.close()
    seen = table.gather(rows[first]), table.gather(rows[second])
    return [Case("no label", start, *seen), Case(f"{LABELS} labels", learned, *seen)]


def truth_of(case: Case, draws: int = TRUTH_DRAWS) -> Tensor:
    """EPIG of every candidate by many joint draws, summed up chunk by chunk in float64."""
    joint, own, theirs = 0.0, 0.0, 0.0
    for chunk in range(draws // CHUNK):
        pool, targets = case.drawn(CHUNK, 10_000 + 2 * chunk)
        flat = pool.flatten(1).T @ targets.flatten(1)
        joint = joint + flat.double()
        own, theirs = own + pool.sum(0).double(), theirs + targets.sum(0).double()
    assert isinstance(own, Tensor)
    assert isinstance(theirs, Tensor)
    assert isinstance(joint, Tensor)
    shape = (*own.shape, *theirs.shape)
    return epig_sums(joint.reshape(shape) / draws, own / draws, theirs / draws)


def in_draw_space(case: Case, draws: int, seed: int, *, corrected: bool = True) -> Tensor:
    learner = case.learner
    update = learner.draws(draws, seed)
    spaces = []
    for features in (case.candidates, case.targets):
        change = learner.model.jvp(learner.model.images(features), update)
        spaces.append(DrawSpace.of(change, learner.logits(features)))
    wanted = TargetSummary.of(spaces[1], torch.ones(len(spaces[1])))
    return wanted.scores(spaces[0], corrected=corrected)


def by_sampling(case: Case, draws: int, seed: int) -> Tensor:
    return sampled_epig(*case.drawn(draws, seed))


WAYS: dict[str, Callable[[Case, int], Tensor]] = {
    "draw space, K = 128": lambda case, seed: in_draw_space(case, 128, seed),
    "draw space, K = 128, bias left in": lambda case, seed: in_draw_space(
        case, 128, seed, corrected=False
    ),
    "draw space, K = 512": lambda case, seed: in_draw_space(case, 512, seed),
    "sampled, K = 128": lambda case, seed: by_sampling(case, 128, seed),
    "sampled, K = 512": lambda case, seed: by_sampling(case, 512, seed),
}


def timed(work: Callable[[], Tensor], repeats: int) -> tuple[Tensor, float]:
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - began)
    return found, statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="Sets of draws for each way.")
    given = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=110)
    with tempfile.TemporaryDirectory() as folder:
        prepared = cases(Path(folder))
    for case in prepared:
        truth, whole = timed(lambda case=case: truth_of(case), 1)
        table = Table(
            title=f"{case.name}: EPIG of {len(truth)} images about {TARGETS} others, truth "
            f"{float(truth.min()):.4f} to {float(truth.max()):.4f} nats, {whole:.1f} s",
            title_justify="left",
        )
        for name in ("way", "rank correlation, worst", "mean", "seconds", "share of the truth's"):
            table.add_column(name, justify="left" if name == "way" else "right")
        for name, way in WAYS.items():
            agreed = []
            for seed in range(given.seeds):
                found = way(case, seed)
                agreed.append(float(spearmanr(truth, found).statistic))
            _, seconds = timed(lambda way=way, case=case: way(case, 0), 3)
            table.add_row(
                name,
                f"{min(agreed):.3f}",
                f"{statistics.mean(agreed):.3f}",
                f"{seconds:.3f}",
                f"1/{whole / seconds:.0f}",
            )
        console.print(table)
        for draws in (128, 512):
            held = total = 0
            widths = []
            for seed in range(given.seeds):
                interval = sampled_interval(*case.drawn(draws, seed))
                held += int(((interval.lower <= truth) & (truth <= interval.upper)).sum())
                total += len(truth)
                widths.append(float((interval.upper - interval.lower).median()))
            console.print(
                f"K = {draws}: {held} of {total} intervals hold the truth, "
                f"median width {statistics.mean(widths):.4f} nats\n"
            )


if __name__ == "__main__":
    main()
