"""Test of the cluster assumption: do images that the model finds similar share a class?

Coverage rests on this assumption. This module estimates the probability that it fails, which is the
probability that similarity is *uninformative* about the class.

**With labels.** A is the area under the ROC curve over pairs of labelled images: the probability that a
pair of one class is more similar than a pair of two classes. Two hypotheses are compared by Bayes' rule:

    uninformative   A = 1/2
    informative     A ~ Normal(0.75, 0.1)

With n pairs of one class and m pairs of two classes, the measured area has approximately the variance

    s^2 = [A (1 - A) + (n - 1) (A / (2 - A) - A^2) + (m - 1) (2 A^2 / (1 + A) - A^2)] / (n m)

(Hanley & McNeil 1982), taken at A = 1/2, where it is largest. Both likelihoods are normal. Only the first
labels are used (`AcquisitionSettings.cluster_test_labels`): later labels are chosen where classes meet,
where similar images often differ in class.

**Before any label.** The mean of rho^2, the squared correlation, over pairs of images of the pool is the
inverse participation ratio: one over the number of dimensions that the pool has for the model. Similarity
needs C - 1 dimensions to tell C classes apart. In a pool with fewer dimensions an image represents more
images than share its class, so

    P(uninformative) = max(0.05, 1 - 2 / ((C - 1) mean rho^2))

Experiment A8 of docs/experiments/acquisition.md measured both quantities on development data.

Dimensions used in this file
    L  labelled images
    M  images of the pool
    C  classes
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from alworkbench.acquisition.acquisition_settings import AcquisitionSettings


def uninformative_before_labels(
    directions: Float[Tensor, "M P"], classes: int, settings: AcquisitionSettings
) -> float:
    """Probability, before any label, that similarity is uninformative about the class.

    `directions` are unit vectors of any part of the pool; their inner products are the similarities.
    """
    moment = directions.T @ directions / len(directions)
    # mean of rho^2 over all pairs; images without activation have no direction and add nothing
    crowding = (classes - 1) * float(moment.square().sum())
    least, limit = settings.least_uninformative, settings.crowding_limit
    return least if crowding <= limit else max(least, 1 - limit / crowding)


def uninformative_given_labels(
    directions: Float[Tensor, "L P"],
    labels: Int[Tensor, "L"],
    prior: float,
    settings: AcquisitionSettings,
) -> float:
    """The same probability given labels. `prior` is the probability before any label.

    Returns `prior` if no two labels agree, or if all labels agree.
    """
    first = settings.cluster_test_labels
    directions, labels = directions[:first], labels[:first]
    left, right = torch.triu_indices(len(labels), len(labels), offset=1, device=labels.device)
    same = labels[left] == labels[right]
    same_pairs, other_pairs = int(same.sum()), int((~same).sum())
    if not same_pairs or not other_pairs:
        return prior
    similarity = (directions @ directions.T)[left, right]
    area = roc_area(similarity.double().cpu(), same.cpu())
    variance = (0.25 + (same_pairs + other_pairs - 2) / 12) / (same_pairs * other_pairs)
    informative_variance = variance + settings.informative_auc_deviation**2
    log_bayes_factor = _log_normal(
        area - settings.informative_auc_mean, informative_variance
    ) - _log_normal(area - 0.5, variance)
    log_odds = math.log(prior) - math.log1p(-prior) - log_bayes_factor
    return 1 / (1 + math.exp(-log_odds)) if log_odds > -700 else 0.0


def _log_normal(distance: float, variance: float) -> float:
    """Log density of a normal distribution at this distance from its mean, up to a constant."""
    return -0.5 * (math.log(variance) + distance**2 / variance)


def roc_area(values: Float[Tensor, "n"], positive: Bool[Tensor, "n"]) -> float:
    """Probability that a positive value is above a negative one. Equal values count one half."""
    negatives = values[~positive].sort().values
    below = torch.searchsorted(negatives, values[positive], right=False)
    up_to = torch.searchsorted(negatives, values[positive], right=True)
    return float((below + up_to).double().mean() / 2 / len(negatives))
