"""Fits that leave out one fold of the labels after the other, each from the optimum of the fold before.

Of every K labels in a row, each is in another of the K folds, in an order that is drawn anew for every K of
them. Were label i in fold i mod K, labels that name the classes in turn would leave out whole classes.

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


def folds_of(count: int, folds: int) -> Int[Tensor, "n"]:
    """The fold of each of n labels. More labels do not change the folds of the earlier ones."""
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randperm(folds, generator=generator) for _ in range(0, count, max(1, folds))]
    return torch.cat([torch.zeros(0, dtype=torch.long), *parts])[:count]


def without_each_fold(
    kernel: LinearisedKernel,
    start: Float[Tensor, "n C"],
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    settings: AdaptationSettings,
) -> Iterator[WithoutFold]:
    """Rough fits as in `optimum`, one for each fold."""
    folds = min(settings.head_input_folds, len(targets))
    fold_of = folds_of(len(targets), folds)
    guess = torch.zeros_like(start)
    for k in range(folds):
        fold = (fold_of == k).nonzero()[:, 0].to(targets.device)
        others = weights.index_fill(0, fold, 0.0)
        guess = guess.index_fill(0, fold, 0.0)
        found = optimum(kernel, start, targets, others, guess, settings.rough_gradient)
        guess = found.dual
        yield WithoutFold(fold, others, found)
