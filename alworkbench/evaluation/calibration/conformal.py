"""Sets of classes that hold the true one with a stated probability: split conformal prediction.

The set of an image is {k : 1 - p_k <= q}, with q the ceil((n + 1)(1 - alpha))-th smallest of the n scores
1 - p_y of the calibration images (Vovk et al., 2005; Sadinle, Lei & Wasserman, 2019, arXiv:1609.00451).

Guarantee. If calibration images and new images are drawn at random from the same images, and nothing was
learned from the calibration labels, a set holds the true class with a probability of at least 1 - alpha,
whatever the model. The probability is over the calibration images too: with one set of calibration images
the share that is covered is Beta distributed (`coverage_range`). It is an average over images: for some
kinds of images it may be lower. Class-conditional sets (one q for each class) give the guarantee for the
images of every class. Labels that a strategy chose have no guarantee.

With fewer than (1 - alpha) / alpha calibration images no finite q has the guarantee, so that every class is
in every set. The same holds for a single class of class-conditional sets.

A set always holds the most probable class. The empty set, which the rule allows, would tell a reader
nothing, and a larger set keeps the guarantee. The price is a coverage above 1 - alpha where the model is
right more often than that.

Dimensions used in this file
    n  calibration images
    M  images
    C  classes
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_ROUNDING = 1e-9
"""(n + 1)(1 - alpha) of 0.1 and 9 images is 9.000000000000002 in floating point."""


@dataclass(frozen=True, slots=True)
class ConformalSets:
    """Thresholds of the score 1 - p, made by `conformal_sets`."""

    alpha: float
    """Largest probability that a set misses the true class."""
    thresholds: Float[Tensor, "C"]
    """Of each class; all are equal if the guarantee is over all images. Infinite: always in the set."""
    images: tuple[int, ...]
    """Calibration images behind each threshold."""

    def sets(self, probabilities: Float[Tensor, "M C"]) -> Bool[Tensor, "M C"]:
        """Whether each class is in the set of each image; the most probable class always is."""
        scores = 1 - probabilities.double()
        found = scores <= self.thresholds.to(scores)
        return found.scatter(1, scores.argmin(dim=-1, keepdim=True), True)

    def coverage_range(self, images: int) -> tuple[float, float]:
        """95 % range of the share that a threshold from so many calibration images covers in the long run.

        For continuous scores, before the most probable class is added: Beta(k, n + 1 - k) with the rank
        k of the threshold.
        """
        from scipy.special import betaincinv

        rank = _rank(images, self.alpha)
        if rank > images:
            return 1.0, 1.0
        low, high = (float(betaincinv(rank, images + 1 - rank, q)) for q in (0.025, 0.975))
        return low, high


def conformal_sets(
    probabilities: Float[Tensor, "n C"],
    labels: Int[Tensor, "n"],
    alpha: float = 0.1,
    by_class: bool = False,
) -> ConformalSets:
    """Thresholds from calibration images; `by_class` gives the guarantee to every class.

    Raises ValueError for an alpha outside of (0, 1).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, found {alpha}")
    classes = probabilities.shape[1]
    scores = 1 - probabilities.double().gather(1, labels[:, None])[:, 0]  # n
    groups = [scores[labels == k] if by_class else scores for k in range(classes)]
    thresholds = torch.stack([_quantile(group, alpha) for group in groups])
    return ConformalSets(alpha, thresholds.cpu(), tuple(len(group) for group in groups))


def _quantile(scores: Float[Tensor, "n"], alpha: float) -> Float[Tensor, ""]:
    """The finite-sample quantile: infinite if there are too few scores."""
    rank = _rank(len(scores), alpha)
    if rank > len(scores):
        return scores.new_full((), math.inf)
    return scores.sort().values[rank - 1]


def _rank(count: int, alpha: float) -> int:
    return math.ceil((count + 1) * (1 - alpha) - _ROUNDING)
