"""The rank of an image in the pool by a score, from the scores of all other images or of a random sample.

Dimensions used in this file
    N  images
    n  other images that were scored
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.strategy import BLOCK_ROWS
from alworkbench.adaptation.learner import Learner
from alworkbench.core.progress import Progress, silent
from alworkbench.evaluation.intervals import wilson_interval
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.linearisation import WeightUpdate
from alworkbench.project.uncertainty_parts import drawn_logits


@dataclass(frozen=True, slots=True)
class Standing:
    """The rank of a score among the images of the pool, estimated where not all of them were scored."""

    score: float
    rank: int
    """1 is the highest; equal scores share the best rank."""
    of: int
    """Images that the rank is among: the pool, and this image where it is not of the pool."""
    percentile: float
    """Share of the other images with a score not above this one, in percent: 100 at rank 1."""
    compared: int
    """Other images that were scored: all, or a random sample."""
    low: int
    """Lowest rank of the 95 % interval (Wilson); the rank itself where all were scored."""
    high: int
    """Highest rank of the interval."""

    @property
    def exact(self) -> bool:
        """Whether every other image was scored."""
        return self.compared == self.of - 1


def standing(score: float, scored: Float[Tensor, "n"], others: int) -> Standing:
    """The rank of a score among `others` images, from the scores of all of them or of a random sample.

    Without others: rank 1, percentile 100. The interval of an estimated rank is the Wilson interval of the
    share of images above, within what the sample itself leaves possible. Wilson, 1927.
    """
    above, compared = int((scored > score).sum()), len(scored)
    if not compared:
        return Standing(score, 1, others + 1, 100.0, 0, 1, others + 1)
    percentile = 100 * (compared - above) / compared
    if compared == others:
        return Standing(score, above + 1, others + 1, percentile, compared, above + 1, above + 1)
    least, most = wilson_interval(above, compared)
    low = 1 + max(above, math.floor(least * others))
    high = 1 + min(others - (compared - above), math.ceil(most * others))
    rank = 1 + round(above / compared * others)
    return Standing(score, rank, others + 1, percentile, compared, low, high)


@dataclass(frozen=True, slots=True)
class PoolScores:
    """Scores of many images under the same draws, float32 on the CPU."""

    entropy: Float[Tensor, "N"]
    bald: Float[Tensor, "N"]


def pool_scores(
    learner: Learner,
    table: FeatureTable,
    rows: Int[Tensor, "N"],
    draws: WeightUpdate,
    *,
    memory: int = 1 << 27,
    progress: Progress = silent,
) -> PoolScores:
    """Score these rows under the draws, block by block, within the memory (bytes).

    K P D products an image: about 200 images/s at the sizes of a ViT-B/32 on two cores.
    """
    classes = learner.model.classes.unit
    wide = classes.shape[1] + 3 * len(classes)
    block = max(1, min(BLOCK_ROWS, memory // (8 * len(draws) * wide)))
    found = PoolScores(torch.empty(len(rows)), torch.empty(len(rows)))
    done = 0
    for _, features in table.blocks(rows, block, classes.device):
        probabilities = drawn_logits(learner, features, draws).softmax(dim=-1)
        part = slice(done, done + len(features))
        found.entropy[part] = scores.predictive_entropy(probabilities)
        found.bald[part] = scores.bald(probabilities)
        done += len(features)
        progress("ranking the pool", done, len(rows))
    return found
