"""Fits that leave out one fold of the labels after the other, each from the optimum of the fold before.

Dimensions used in this file
    n  labelled images
    C  classes
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import AdaptationSettings
from alworkbench.adaptation.map_fit import Optimum, optimum
from alworkbench.posterior.covariance import LinearisedKernel


@dataclass(frozen=True, slots=True)
class WithoutFold:
    """The fit to the labels of the other folds."""

    fold: Int[Tensor, "f"]
    """Positions of the labels that were left out."""
    weights: Float[Tensor, "n"]
    """Weights of the labels, zero for those."""
    found: Optimum


def without_each_fold(
    kernel: LinearisedKernel,
    start: Float[Tensor, "n C"],
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    settings: AdaptationSettings,
) -> Iterator[WithoutFold]:
    """Rough fits as in `optimum`, one for each fold. Label i is in fold i mod K."""
    folds = settings.head_input_folds
    guess = torch.zeros_like(start)
    for k in range(min(folds, len(targets))):
        fold = torch.arange(k, len(targets), folds, device=targets.device)
        others = weights.index_fill(0, fold, 0.0)
        guess = guess.index_fill(0, fold, 0.0)
        found = optimum(kernel, start, targets, others, guess, settings.rough_gradient)
        guess = found.dual
        yield WithoutFold(fold, others, found)
