"""A linear probe on the activations, which knows nothing but the labels.

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
from alworkbench.adaptation.method import Lesson, Settings, adaptation
from alworkbench.encoders.head import Features

INVERSE_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
UNTAUGHT = math.log(1e-6)
"""Log-odds of a class without any label against all that have one."""
_FOLDS = 5


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """Logits W (phi - mean) / scale + b of the classes that have a label; the others far below."""

    mean: Float[Tensor, "P"]
    scale: Float[Tensor, "P"]
    coefficients: Float[Tensor, "L P"]
    intercepts: Float[Tensor, "L"]
    taught: Int[Tensor, "L"]
    classes: int

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """Logits (N, C); classes without labels stay below every class that has some."""
        activations = features.activations
        scaled = (activations - self.mean.to(activations)) / self.scale.to(activations)
        own = scaled @ self.coefficients.to(activations).T + self.intercepts.to(activations)
        below = own.logsumexp(dim=-1, keepdim=True) + UNTAUGHT  # N 1
        logits = below.expand(-1, self.classes).clone()
        logits[:, self.taught] = own
        return logits


@adaptation("probe", "logistic regression on the activations: knows nothing but the labels")
def probe(learner: Learner, lesson: Lesson, settings: Settings) -> Predictor:
    """Multinomial logistic regression of scikit-learn on standardised activations, float64.

    Its C is the one of least negative log-likelihood in a 5-fold cross-validation (seeded) on the
    given labels; the smallest of equals, and 1e-2 for fewer than five labels. **Zero-shot knowledge is
    not used: a class without any label is as good as never predicted** (one in a million against the
    others), and is not silently scored by the model. A soft label counts as a share of each class.
    """
    activations = lesson.labelled.activations  # n P
    mean = activations.mean(dim=0)
    scale = activations.std(dim=0, correction=0)
    scale = torch.where(scale > 1e-9 * activations.abs().max(), scale, torch.ones_like(scale))
    scaled = (activations - mean) / scale
    counts = lesson.weights[:, None] * lesson.targets  # n C
    count = len(scaled)
    chosen = INVERSE_STRENGTHS[2]
    if count >= _FOLDS:
        order = torch.randperm(count, generator=torch.Generator().manual_seed(settings.seed))
        fold_of = torch.empty(count, dtype=torch.long)
        fold_of[order] = torch.arange(count) % _FOLDS
        losses = [
            sum(
                _loss(
                    _fitted(mean, scale, scaled, counts, fold_of != fold, strength),
                    lesson,
                    fold_of == fold,
                )
                for fold in range(_FOLDS)
            )
            for strength in INVERSE_STRENGTHS
        ]
        chosen = INVERSE_STRENGTHS[int(np.argmin(losses))]
    return _fitted(mean, scale, scaled, counts, torch.ones(count, dtype=torch.bool), chosen)


def _fitted(
    mean: Float[Tensor, "P"],
    scale: Float[Tensor, "P"],
    scaled: Float[Tensor, "n P"],
    counts: Float[Tensor, "n C"],
    rows: Tensor,
    inverse_strength: float,
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
        taught = torch.as_tensor(present, device=device)
        return LinearProbe(mean, scale, zero, zero.sum(dim=-1), taught, classes)
    # Here, since listing the ways of learning should not load scikit-learn.
    from sklearn.linear_model import LogisticRegression

    found = LogisticRegression(C=inverse_strength, max_iter=10_000, tol=1e-6)
    found.fit(x, y, sample_weight=weight)
    coefficients = torch.as_tensor(found.coef_, device=device)
    intercepts = torch.as_tensor(found.intercept_, device=device)
    if len(present) == 2:  # one row: the second class against the first
        coefficients = torch.cat([-coefficients / 2, coefficients / 2])
        intercepts = torch.cat([-intercepts / 2, intercepts / 2])
    taught = torch.as_tensor(present, device=device)
    return LinearProbe(mean, scale, coefficients, intercepts, taught, classes)


def _loss(found: LinearProbe, lesson: Lesson, rows: Tensor) -> float:
    rows = rows.to(lesson.targets.device).nonzero()[:, 0]
    logits = found.logits(lesson.labelled[rows]).log_softmax(dim=-1)
    errors = -(lesson.targets[rows] * logits).sum(dim=-1)
    return float((lesson.weights[rows] * errors).sum())
