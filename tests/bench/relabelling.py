"""Whether the advice "review a label, or label a new image" is right: accuracy for the same seconds.

    python -m tests.bench.relabelling [--seeds 8] [--data sample] [--discount 4]

People who are right with probability `a`, whose errors name any other class, label START random images of the
pool of a collection. Reviewers are right with probability `b`. Then SECONDS seconds are spent in one of four
ways; the model learns anew after each of STEPS equal parts:

    new        label random images, one second each
    margin     label the images with the smallest margin, one second each
    review     review the most doubtful label, `review` seconds each; the answer replaces the label
    advised    always what `relabel_advice` says, new images being those of margin

The learner is kernel ridge regression on the activations, around the probabilities of the zero-shot model:
its predictions and its left-out predictions are closed forms, so a run takes a fraction of a second. Ridge
and temperature are those that predict the left-out labels best. Printed is the accuracy on the test part,
mean over seeds, with the standard error of the difference between the advised way and the better of `margin`
and `review`. With `--discount 1` a corrected label counts as a new one.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from alworkbench.adaptation.adaptation_settings import Strengths
from alworkbench.adaptation.learner import zero_shot
from alworkbench.project import relabel_advice as relabel_advice_module
from alworkbench.project.relabel_advice import relabel_advice
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.load.collection import load_collection

ACCURACIES = (0.6, 0.75, 0.9)
STARTS = (50, 200)
REVIEW_SECONDS = (0.5, 1.0)
SECONDS, STEPS = 40, 4
RIDGES = (0.03, 0.1, 0.3, 1.0)
"""The one that predicts left-out labels best is used."""
WAYS = ("new", "margin", "review", "advised")


@dataclass(frozen=True)
class Material:
    """Features of unit length, zero-shot probabilities and classes of pool and test part."""

    pool: np.ndarray
    pool_prior: np.ndarray
    pool_classes: np.ndarray
    test: np.ndarray
    test_prior: np.ndarray
    test_classes: np.ndarray

    @classmethod
    def of(cls, data: SimulationData, most: int = 2000) -> Material:
        belief = data.posterior.tempered(Strengths().image, Strengths().text)
        start = zero_shot(data.head, belief, data.class_activations)
        found = []
        for rows in (data.pool, data.test):
            usable = (data.labels[rows] >= 0) & (data.labels[rows] < len(data.classes))
            rows = rows[usable][:most]
            features = data.table.gather(rows)
            x = features.activations.double().numpy()
            found.append(
                (x, start.logits(features).softmax(-1).double().numpy(), data.labels[rows])
            )
        (x, prior, y), (x_test, prior_test, y_test) = found
        middle = x.mean(axis=0)

        def unit(each: np.ndarray) -> np.ndarray:
            return (each - middle) / np.linalg.norm(each - middle, axis=1, keepdims=True)

        return cls(unit(x), prior, y.numpy(), unit(x_test), prior_test, y_test.numpy())


class Ridge:
    """f(x) = prior(x) + k(x) (K + ridge I)^-1 (Y - prior), with its left-out predictions."""

    def __init__(self, data: Material, rows: list[int], given: list[int]) -> None:
        self._data, self._x = data, data.pool[rows]
        targets = np.eye(data.pool_prior.shape[1])[given]
        rest, gram = targets - data.pool_prior[rows], self._x @ self._x.T
        at, best = np.arange(len(rows)), np.inf
        for ridge in RIDGES:
            inverse = np.linalg.inv(gram + ridge * np.eye(len(rows)))
            dual = inverse @ rest
            left = targets - dual / np.diag(inverse)[:, None]

            def loss(log_scale: float, left: np.ndarray = left) -> float:
                return -float(log_softmax(np.exp(log_scale) * left, axis=1)[at, given].sum())

            found = minimize_scalar(loss, bounds=(0, 5), method="bounded")
            if found.fun < best:
                best, self._dual, self.scale = found.fun, dual, float(np.exp(found.x))
                self.left_out = softmax(self.scale * left, axis=1)[at, given]

    def accuracy(self) -> float:
        found = self._data.test_prior + self._data.test @ self._x.T @ self._dual
        return float((found.argmax(axis=1) == self._data.test_classes).mean())

    def margins(self) -> np.ndarray:
        found = self._data.pool_prior + self._data.pool @ self._x.T @ self._dual
        two = np.sort(softmax(self.scale * found, axis=1), axis=1)[:, -2:]
        return two[:, 1] - two[:, 0]


@dataclass
class Labelling:
    """The labels so far; `a` is how often people are right, `b` how often reviewers are."""

    data: Material
    a: float
    b: float
    random: np.random.Generator
    rows: list[int]
    given: list[int]
    reviewed: set[int]

    def answer(self, row: int, right: float) -> int:
        truth, classes = int(self.data.pool_classes[row]), self.data.pool_prior.shape[1]
        if self.random.random() < right:
            return truth
        return int((truth + self.random.integers(1, classes)) % classes)

    def add(self, rows: list[int]) -> None:
        self.rows += rows
        self.given += [self.answer(row, self.a) for row in rows]

    def free(self) -> np.ndarray:
        return np.setdiff1d(np.arange(len(self.data.pool)), self.rows)

    def doubtful(self, left_out: np.ndarray) -> list[int]:
        """Places of the labels that nobody has reviewed, the most doubtful first."""
        return [at for at in np.argsort(left_out) if self.rows[at] not in self.reviewed]

    def review(self, places: list[int]) -> None:
        for at in places:
            self.given[at] = self.answer(self.rows[at], self.b)
            self.reviewed.add(self.rows[at])


def reviews_now(
    way: str, left_out: np.ndarray, a: float, b: float, classes: int, review: float
) -> int:
    """How many of the doubtful labels are reviewed in this part; the rest of its time goes to new ones."""
    most = round(SECONDS / STEPS / review)
    if way != "advised":
        return most if way == "review" else 0
    agreeing = a**2 + (1 - a) ** 2 / (classes - 1)
    for done in range(min(most, len(left_out))):
        waiting = left_out[done:].tolist()
        if not relabel_advice(waiting, agreeing, classes, 1.0, review, b).relabel:
            return done
    return most


def spent(
    data: Material, way: str, a: float, b: float, start: int, review: float, seed: int
) -> tuple[float, float]:
    """Accuracy at the end, and the share of the time that went to reviews."""
    random = np.random.default_rng(seed)
    first = random.choice(len(data.pool), start, replace=False).tolist()
    labels = Labelling(data, a, b, random, [], [], set())
    labels.add(first)
    classes = data.pool_prior.shape[1]
    time = 0.0
    for _ in range(STEPS):
        learner = Ridge(data, labels.rows, labels.given)
        places = labels.doubtful(learner.left_out)
        count = reviews_now(way, learner.left_out[places], a, b, classes, review)
        labels.review(places[:count])
        time += count * review
        new, free = int(SECONDS / STEPS - count * review), labels.free()
        if way == "new":
            labels.add(random.choice(free, new, replace=False).tolist())
        else:
            labels.add(free[np.argsort(learner.margins()[free], kind="stable")[:new]].tolist())
    return Ridge(data, labels.rows, labels.given).accuracy(), time / SECONDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--data", default="sample")
    parser.add_argument("--discount", type=float, default=relabel_advice_module.REVIEW_DISCOUNT)
    given = parser.parse_args()
    relabel_advice_module.REVIEW_DISCOUNT = given.discount
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as cache:
        data = Material.of(load_collection(given.data, Path(cache)))
    table = Table("labels", "a", "b", "review s", *WAYS, "advised reviews", "advised - better")
    grid = itertools.product(STARTS, ACCURACIES, (None, 1.0), REVIEW_SECONDS)
    for start, a, expert, review in grid:
        b = a if expert is None else expert
        found = np.array(
            [[spent(data, way, a, b, start, review, s) for way in WAYS] for s in range(given.seeds)]
        )
        mean = found[:, :, 0].mean(axis=0)
        better = 1 if mean[1] >= mean[2] else 2
        difference = 100 * (found[:, 3, 0] - found[:, better, 0])
        error = difference.std(ddof=1) / len(difference) ** 0.5
        table.add_row(
            str(start),
            f"{a:.2f}",
            f"{b:.2f}",
            f"{review:.1f}",
            *(f"{100 * x:.1f}" for x in mean),
            f"{100 * found[:, 3, 1].mean():.0f} %",
            f"{difference.mean():+.1f} ± {error:.1f}",
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
