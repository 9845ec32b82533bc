"""Small pools for tests of the default strategy, and its formula computed plainly on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.strategy import AcquisitionContext, Batch
from alworkbench.adaptation.learner import Learner, zero_shot
from alworkbench.adaptation.learning import learn
from alworkbench.core.domain import Goal
from alworkbench.encoders.head import Features
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.kronecker import Posterior
from tests.factories import SmallModel, small_model

ROUNDING = 2e-5
"""Of gains: pools stream in single precision."""
POOL, TARGETS = 30, 18


@dataclass(frozen=True)
class Case:
    """A context, and the posterior that its similarity kernel is defined by."""

    context: AcquisitionContext
    posterior: Posterior

    def with_(self, **changes: object) -> Case:
        return replace(self, context=replace(self.context, **changes))

    def select(self) -> Batch:
        return find_strategy("coverage").select(self.context)

    def correlations(self, rows: Tensor, others: Tensor) -> Tensor:
        """rho under the posterior of the image projection; 0 where it is negative."""
        side = self.posterior.image
        factor = side.activation.dense()
        precision = math.sqrt(side.pseudo_data_weight / side.pairs) * factor
        precision += math.sqrt(side.prior_precision) * torch.eye(len(factor))
        one, other = (
            self.context.table.gather(each).activations.double() for each in (rows, others)
        )
        covariance = precision.inverse()
        for row in self.context.labelled.tolist():  # one observation after the other
            seen = self.context.table.gather(torch.tensor([row])).activations[0].double()
            noise = 0.3 * seen @ precision.inverse() @ seen
            told = covariance @ seen
            covariance = covariance - torch.outer(told, told) / (seen @ told + noise)
        length = [(x @ covariance * x).sum(-1).sqrt() for x in (one, other)]
        return (one @ covariance @ other.T / length[0][:, None] / length[1]).clamp_min(0)

    def probabilities(self, rows: Tensor) -> Tensor:
        return self.context.logits_of(rows).double().softmax(-1)

    def similarity(self, rows: Tensor, probabilities: Tensor) -> Tensor:
        """kappa of these images, with these class probabilities, with the targets."""
        alike = probabilities.sqrt() @ self.probabilities(self.context.targets).sqrt().T
        return self.correlations(rows, self.context.targets).square() * alike

    def uncertainty(self, rows: Tensor) -> Tensor:
        best = self.probabilities(rows).sort(-1).values
        return 1 - (best[:, -1] - best[:, -2])

    def weights(self, contradicting: float, confirming: float) -> Tensor:
        """q of the targets, with these pseudo-labels against the model and for it."""
        p = self.probabilities(self.context.targets)
        uncertainty = self.uncertainty(self.context.targets)
        classes = p.shape[1]
        told = torch.nn.functional.one_hot(self.context.labels, classes).double()
        confirming = confirming + classes * p @ told.sum(0)
        weights = (contradicting + confirming * uncertainty) / (contradicting + confirming)
        if self.context.goal is Goal.BALANCED:
            weights = weights * (p / p.sum(0)).sum(-1)
        return weights / weights.sum()

    def both_weights(self) -> tuple[Tensor, Tensor]:
        """q with weak and with strong shrinkage."""
        return self.weights(1, 9), self.weights(5, 5)

    def covered(self) -> Tensor:
        """How well each target is represented before anything is picked."""
        context = self.context
        found = [torch.zeros(1, len(context.targets), dtype=torch.float64)]
        if len(context.labelled):
            classes = context.size.classes
            told = torch.nn.functional.one_hot(context.labels, classes).double()
            found.append(self.similarity(context.labelled, told))
        if len(context.refused):
            found.append(self.correlations(context.refused, context.targets).square())
        if len(context.pending):
            found.append(self.similarity(context.pending, self.probabilities(context.pending)))
        return torch.cat(found).amax(0)

    def value(self) -> Callable[[Sequence[int]], float]:
        """By how much a batch of rows raises F, averaged over both settings."""
        every = torch.arange(len(self.context.table))
        kernel = self.similarity(every, self.probabilities(every))
        before, weights = self.covered(), sum(self.both_weights()) / 2

        def of(rows: Sequence[int]) -> float:
            return float((torch.maximum(before, kernel[list(rows)].amax(0)) - before) @ weights)

        return of


def small_case(seed: int = 0, *, classes: int = 4, labels: tuple[int, ...] = (0, 1, 2, 3)) -> Case:
    """The first images have labels, all others are candidates, the last 18 are targets."""
    small = small_model(10 * seed, images=POOL, classes=classes, dtype=torch.float32)
    start = zero_shot(small.head, small.posterior, small.classes)
    truth = torch.eye(classes, dtype=torch.float64)[list(labels)]
    context = AcquisitionContext(
        table=FeatureTable.from_features([f"{i}" for i in range(POOL)], small.images),
        candidates=torch.arange(len(labels), POOL),
        targets=torch.arange(POOL)[-TARGETS:],
        learner=learn(start, small.images[: len(labels)], truth) if labels else start,
        batch_size=8,
        seed=5,
        draw_seed=1,
        labelled=torch.arange(len(labels)),
        labels=torch.tensor(labels, dtype=torch.long),
    )
    return Case(context, small.posterior)


@dataclass(frozen=True)
class FromActivations:
    """A predictor whose logits are the first activations: a test can write what is predicted."""

    classes: int

    def logits(self, features: Features) -> Tensor:
        return features.activations[:, : self.classes]


def written(activations: Tensor, classes: int, **changes: object) -> Case:
    """A pool of these images. Their first activations are the logits that are predicted."""
    size = activations.shape[1]
    small: SmallModel = small_model(image_size=size, classes=classes, dtype=torch.float32)
    start = zero_shot(small.head, small.posterior, small.classes)
    every = torch.arange(len(activations))
    context = AcquisitionContext(
        table=FeatureTable.from_features([f"{i}" for i in every.tolist()], Features(activations)),
        candidates=every,
        targets=every,
        learner=Learner(start.model, start.class_activations, None, None, FromActivations(classes)),
        batch_size=1,
        seed=0,
        draw_seed=0,
    )
    return Case(replace(context, **changes), small.posterior)


def apart(counts: tuple[int, int]) -> Case:
    """Two groups of exact copies with similarity 0, each almost certainly a class of its own."""
    small = small_model(image_size=4, classes=2, dtype=torch.float32)
    root = zero_shot(small.head, small.posterior, small.classes).model.image_activation_root
    sure = math.log(999)
    one = torch.tensor([sure, 0.0, 0.0, 0.0])
    other = torch.tensor([0.0, sure, 0.0, 0.0])
    # What is predicted is read from the first two activations: the third makes them orthogonal.
    along, there = one @ root @ (other @ root), one @ root @ root[2]
    other[2] = -along / there
    return written(torch.cat([one.expand(counts[0], 4), other.expand(counts[1], 4)]), 2)
