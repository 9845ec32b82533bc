"""A linear probe: logistic regression on the activations, from the labels alone.

Dimensions used in this file
    n  labelled images, N images
    C  classes, L those with a label
    P  activation size
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.learner import Learner, Predictor
from alworkbench.adaptation.method import LabelledSet
from alworkbench.encoders.head import Features

INVERSE_REGULARISATION = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
_UNLABELLED_LOG_ODDS = math.log(1e-6)
"""Log-odds of a class without labels against all classes that have one."""
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """Logits W (phi - mean) / scale + b of the classes that have a label; the others far below."""

    mean: Float[Tensor, "P"]
    scale: Float[Tensor, "P"]
    coefficients: Float[Tensor, "L P"]
    intercepts: Float[Tensor, "L"]
    labelled_classes: Int[Tensor, "L"]
    classes: int

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """Logits of a block of images, in the dtype and on the device of the features."""
        activations = features.activations
        scaled = (activations - self.mean.to(activations)) / self.scale.to(activations)
        fitted = scaled @ self.coefficients.to(activations).T + self.intercepts.to(activations)
        below = fitted.logsumexp(dim=-1, keepdim=True) + _UNLABELLED_LOG_ODDS  # N 1
        logits = below.expand(-1, self.classes).clone()
        logits[:, self.labelled_classes] = fitted
        return logits


def linear_probe(base: Learner, labelled: LabelledSet, seed: int) -> Predictor:
    """Fit scikit-learn's multinomial logistic regression to standardised activations, in float64.

    C minimises the negative log-likelihood in a seeded 5-fold cross-validation on the given labels (the
    smallest C of equals; 1e-2 for fewer than five labels). The probe does not use what the model knows
    without labels: **a class without labels is practically never predicted** (odds of one to a million
    against all other classes). A soft label counts as a share of each class.
    """
    activations = labelled.features.activations  # n P
    mean = activations.mean(dim=0)
    scale = activations.std(dim=0, correction=0)
    scale = torch.where(scale > 1e-9 * activations.abs().max(), scale, torch.ones_like(scale))
    scaled = (activations - mean) / scale
    counts = labelled.weights[:, None] * labelled.targets  # n C
    count = len(scaled)
    chosen = INVERSE_REGULARISATION[2]
    if count >= _FOLDS:
        order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
        fold_of = torch.empty(count, dtype=torch.long)
        fold_of[order] = torch.arange(count) % _FOLDS
        losses = [
            sum(
                _loss(
                    _fitted(mean, scale, scaled, counts, fold_of != fold, c),
                    labelled,
                    fold_of == fold,
                )
                for fold in range(_FOLDS)
            )
            for c in INVERSE_REGULARISATION
        ]
        chosen = INVERSE_REGULARISATION[int(np.argmin(losses))]
    return _fitted(mean, scale, scaled, counts, torch.ones(count, dtype=torch.bool), chosen)


def _fitted(
    mean: Float[Tensor, "P"],
    scale: Float[Tensor, "P"],
    scaled: Float[Tensor, "n P"],
    counts: Float[Tensor, "n C"],
    rows: Tensor,
    c: float,
) -> LinearProbe:
    """A probe of these rows: every (row, class) of some count is an example with that weight."""
    device, classes = scaled.device, counts.shape[1]
    rows = rows.to(device)
    examples = counts[rows].nonzero()  # examples 2: row, class
    x = scaled[rows][examples[:, 0]].cpu().numpy()
    y = examples[:, 1].cpu().numpy()
    weight = counts[rows][examples[:, 0], examples[:, 1]].cpu().numpy()
    present = np.unique(y)
    if len(present) < 2:  # nothing to tell apart
        zero = scaled.new_zeros(len(present), scaled.shape[1])
        labelled_classes = torch.as_tensor(present, device=device)
        return LinearProbe(mean, scale, zero, zero.sum(dim=-1), labelled_classes, classes)
    # Imported here, so that listing the methods does not load scikit-learn.
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=c, max_iter=10_000, tol=1e-6)
    found.fit(x, y, sample_weight=weight)
    coefficients = torch.as_tensor(found.coef_, device=device)
    intercepts = torch.as_tensor(found.intercept_, device=device)
    if len(present) == 2:  # one row: the second class against the first
        coefficients = torch.cat([-coefficients / 2, coefficients / 2])
        intercepts = torch.cat([-intercepts / 2, intercepts / 2])
    labelled_classes = torch.as_tensor(present, device=device)
    return LinearProbe(mean, scale, coefficients, intercepts, labelled_classes, classes)


def _loss(found: LinearProbe, labelled: LabelledSet, rows: Tensor) -> float:
    rows = rows.to(labelled.targets.device).nonzero()[:, 0]
    logits = found.logits(labelled.features[rows]).log_softmax(dim=-1)
    errors = -(labelled.targets[rows] * logits).sum(dim=-1)
    return float((labelled.weights[rows] * errors).sum())
