"""How many wrong labels are found, and how many right ones are suspected: planted errors on dev data.

    python -m tests.bench.label_errors [FEATURES.npz ...] [--data sample] [--seeds 5] [--labels 24 50 100]

Random images of the pool are labelled, and the default learner learns from them and the rest of the pool.
All rules read the same predictions: those of the learner for each label that it had left out. Labels:

    any class        10 % of the labels name another class, drawn at random
    similar class    10 % name the class of the nearest image that is of another class: what people confuse
    none             no label is wrong

Rules:

    odds > x               the most likely class is more than x times as likely as the given one (the product)
    confident learning     another class is the most likely one, and at least as likely as labels of that
                           class are on average when they are left out
    cleanlab: NAME         `find_label_issues` with `filter_by=NAME`, where cleanlab is installed
    first by odds          as many labels as are wrong, those with the largest odds: precision is recall
    first by probability   the same, those whose given class is least likely

Printed are precision and recall over all data sets and seeds together; for `none` the share of labels that
are suspected, all of them wrongly.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import Strengths
from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.leave_one_out import leave_one_out
from alworkbench.adaptation.methods import find_method
from alworkbench.core.domain import DEFAULT_ADAPTATION
from alworkbench.features.feature_file_io import read_feature_file
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.load.feature_data import data_of_features

KINDS = ("any class", "similar class", "none")
SHARE = 0.1
UNLABELLED = 4000
ODDS = (3, 5, 10, 20)
FILTERS = ("prune_by_noise_rate", "both", "low_self_confidence", "low_normalized_margin")


def planted(
    kind: str, labels: Tensor, near: Tensor, classes: int, generator: torch.Generator
) -> Tensor:
    """The labels that are given; `near` is the class of the nearest image that is of another class."""
    given = labels.clone()
    if kind == "none":
        return given
    wrong = torch.randperm(len(labels), generator=generator)[: round(SHARE * len(labels))]
    steps = torch.randint(classes - 1, wrong.shape, generator=generator)
    given[wrong] = (labels[wrong] + 1 + steps) % classes if kind == "any class" else near[wrong]
    return given


def nearest_other(images: Tensor, labels: Tensor, others: Tensor, their_labels: Tensor) -> Tensor:
    unit = torch.nn.functional.normalize
    cosines = unit(images, dim=-1) @ unit(others, dim=-1).T
    cosines[labels[:, None] == their_labels[None, :]] = -2
    return their_labels[cosines.argmax(dim=-1)]


def left_out(
    data: SimulationData, counts: list[int], seeds: int
) -> Iterator[tuple[str, int, np.ndarray, np.ndarray, np.ndarray]]:
    """Kind, number of labels, left-out probabilities (n C), given classes and which are wrong."""
    belief = data.posterior.tempered(Strengths().image, Strengths().text)
    start = zero_shot(data.head, belief, data.class_activations)
    classes = len(data.classes)
    usable = data.pool[(data.labels[data.pool] >= 0) & (data.labels[data.pool] < classes)]
    for count in counts:
        for seed in range(seeds):
            generator = torch.Generator().manual_seed(seed)
            order = usable[torch.randperm(len(usable), generator=generator)]
            rows, rest = order[:count], order[count : count + UNLABELLED]
            images, unlabelled = data.table.gather(rows), data.table.gather(rest)
            truth = data.labels[rows]
            near = nearest_other(
                images.activations.float(),
                truth,
                unlabelled.activations.float(),
                data.labels[rest],
            )
            for kind in KINDS:
                drawn = torch.Generator().manual_seed(1000 + seed)
                given = planted(kind, truth, near, classes, drawn)
                targets = torch.nn.functional.one_hot(given, classes).double()
                learner = find_method(DEFAULT_ADAPTATION)(
                    start, images, targets, None, seed, unlabelled=unlabelled
                )
                p = leave_one_out(learner, targets).logits.double().softmax(dim=-1).numpy()
                yield kind, count, p, given.numpy(), (given != truth).numpy()


def suspected(p: np.ndarray, given: np.ndarray, wrong: int) -> dict[str, np.ndarray]:
    """What each rule finds; `wrong` is how many labels are."""
    at = np.arange(len(given))
    of_given, top, predicted = p[at, given], p.max(axis=1), p.argmax(axis=1)
    odds = top / of_given
    mean = {c: of_given[given == c].mean() for c in np.unique(given)}
    needed = np.array([mean.get(c, np.inf) for c in predicted])
    found = {f"odds > {x}": odds > x for x in ODDS}
    found["confident learning"] = (predicted != given) & (top >= needed)
    found |= by_cleanlab(p, given)
    if wrong:
        for name, score in (("odds", -odds), ("probability", of_given)):
            found[f"first by {name}"] = np.isin(at, np.argsort(score, kind="stable")[:wrong])
    return found


def by_cleanlab(p: np.ndarray, given: np.ndarray) -> dict[str, np.ndarray]:
    """It takes no class without a label, so such classes are left out and the rest sum to 1."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        return {}
    known, compact = np.unique(given, return_inverse=True)
    of_known = p[:, known] / p[:, known].sum(axis=1, keepdims=True)
    return {
        f"cleanlab: {name}": find_label_issues(
            compact, of_known, filter_by=name, min_examples_per_class=1, n_jobs=1
        )
        for name in FILTERS
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--data", action="append")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", type=int, nargs="+", default=[24, 50, 100])
    parser.add_argument("--cache", type=Path, help="where collections are kept encoded")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    tally: dict[tuple[str, str, int], list[np.ndarray]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        cache = asked.cache or Path(scratch)
        sets = [load_collection(name, cache) for name in asked.data or ["sample"]]
        sets += [data_of_features(read_feature_file(path), path) for path in asked.files]
        for data in sets:
            for kind, count, p, given, wrong in left_out(data, asked.labels, asked.seeds):
                for rule, found in suspected(p, given, int(wrong.sum())).items():
                    row = np.array([found.sum(), (found & wrong).sum(), wrong.sum(), len(given)])
                    tally[kind, rule, count].append(row)
    console = Console(width=140)
    for kind in KINDS:
        rules = dict.fromkeys(rule for k, rule, _ in tally if k == kind)
        table = Table("rule", *(f"{count} labels" for count in asked.labels), title=kind)
        for rule in rules:
            sums = [np.sum(tally[kind, rule, count], axis=0) for count in asked.labels]
            table.add_row(rule, *(cell(kind, *each) for each in sums))
        console.print(table)


def cell(kind: str, found: int, right: int, wrong: int, labels: int) -> str:
    if kind == "none":
        return f"{100 * found / labels:.1f} %"
    return f"precision {right / max(found, 1):.2f}, recall {right / max(wrong, 1):.2f}"


if __name__ == "__main__":
    main()
