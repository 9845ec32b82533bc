"""Whether images that the model holds for similar have the same class: what coverage rests on.

Two hypotheses about A, the probability that a pair of one class is more similar than a pair of two
classes (the area under the ROC curve over pairs of labelled images):

    strangers   A = 1/2: similarity says nothing of the class
    kin         A ~ Normal(0.75, 0.1): what collections have that a model was made for

With n pairs of one class and m others the area that is found has about the variance

    s^2 = [A(1-A) + (n-1)(A/(2-A) - A^2) + (m-1)(2A^2/(1+A) - A^2)] / (n m)

of Hanley & McNeil (1982), taken at A = 1/2, where it is largest. Bayes' rule with the two normal
likelihoods gives the probability of `strangers`, and that is the doubt. Only the first hundred labels
are looked at: later ones are chosen where classes meet, and similar there are strangers.

Before there are labels, crowding speaks. One image stands for another to the degree rho^2, their
squared correlation; on average over pairs of the pool, that is one over the number of dimensions that
the pool has for the model (the participation ratio). C classes that are told apart by similarity have
C - 1 dimensions between them. Where the pool has fewer, images stand for many more others than share
their class, so that not all kin can be told:

    doubt beforehand = 1 - min(1, 2 / ((C - 1) mean rho^2)), at least 1/20

Measured on development data with the bundled model, area with random labels (8 samples of 100) and
(C - 1) mean rho^2: .66 to .70 and .09 (bundled sample), .75 to .84 and 1.5 (digits), .51 to .56 and 7.7
(glyphs, whose 53 classes the model cannot see). The numbers 2 and 1/20 and the normal were chosen on these.

Dimensions used in this file
    L  labelled images
    M  images of the pool
    C  classes
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

FIRST = 100
"""Labels that are looked at, in the order in which they were given."""

LEAST = 0.05
"""Doubt that no pool is without before its labels speak."""

_KIN_MEAN, _KIN_SPREAD = 0.75, 0.1
_ROOM = 2.0
"""How much more than its share of images one may stand for before that is crowded."""


def doubt_beforehand(directions: Float[Tensor, "M P"], classes: int) -> float:
    """Probability, without any label, that similarity says nothing about the class.

    `directions` are unit vectors whose inner products are the similarities, of any part of the pool.
    """
    moment = directions.T @ directions / len(directions)
    crowding = (classes - 1) * float(moment.square().sum())  # mean rho^2 over all pairs
    # Images without any activation have no direction, and crowd nobody.
    return LEAST if crowding <= _ROOM else max(LEAST, 1 - _ROOM / crowding)


def doubt_of_kinship(
    directions: Float[Tensor, "L P"], labels: Int[Tensor, "L"], beforehand: float
) -> float:
    """The same probability, given labels and what was thought without them."""
    directions, labels = directions[:FIRST], labels[:FIRST]
    one, other = torch.triu_indices(len(labels), len(labels), offset=1, device=labels.device)
    same = labels[one] == labels[other]
    alike, unlike = int(same.sum()), int((~same).sum())
    if not alike or not unlike:
        return beforehand
    similarity = (directions @ directions.T)[one, other]
    area = _area(similarity.double().cpu(), same.cpu())
    strangers = (0.25 + (alike + unlike - 2) / 12) / (alike * unlike)
    kin = strangers + _KIN_SPREAD**2
    against = _log_normal(area - _KIN_MEAN, kin) - _log_normal(area - 0.5, strangers)
    odds = math.log(beforehand) - math.log1p(-beforehand) - against
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0


def _log_normal(distance: float, variance: float) -> float:
    """Log density but for a constant."""
    return -0.5 * (math.log(variance) + distance**2 / variance)


def _area(values: Float[Tensor, "n"], positive: Tensor) -> float:
    """Area under the ROC curve; ties count one half."""
    ordered = values[~positive].sort().values
    below = torch.searchsorted(ordered, values[positive], right=False)
    upto = torch.searchsorted(ordered, values[positive], right=True)
    return float((below + upto).double().mean() / 2 / len(ordered))
