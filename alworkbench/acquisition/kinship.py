"""Whether images that the model holds for similar have the same class: what coverage rests on.

Over all pairs of labelled images, A is the probability that a pair of one class is more similar than a
pair of two classes (the area under the ROC curve: 1/2 where similarity says nothing). With n pairs of
one class and m others its variance is that of Hanley & McNeil (1982),

    [A(1-A) + (n-1)(A/(2-A) - A^2) + (m-1)(2A^2/(1+A) - A^2)] / (n m)

taken at A = 1/2, where it is largest. A normal prior (collections that a model was made for have A of
about 3/4) gives the probability that A is below 0.6: no more than a hint of kinship. Only the first
hundred labels are looked at: later ones are chosen where classes meet, and similar there are strangers.

Measured on development data with random labels, 8 samples of 100: .66 to .70 (bundled sample), .75 to
.84 (digits), .51 to .56 (glyphs, whose classes the bundled model cannot see). Prior and limit were
chosen on these.

Dimensions used in this file
    L  labelled images
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

FIRST = 100
"""Labels that are looked at, in the order in which they were given."""

HINT = 0.6
"""An A below this is too little to choose by."""

_PRIOR_MEAN, _PRIOR_SPREAD = 0.75, 0.075


def doubt_of_kinship(directions: Float[Tensor, "L P"], labels: Int[Tensor, "L"]) -> float:
    """Probability that similarity says next to nothing about the class, from labels so far.

    `directions` are unit vectors whose inner products are the similarities.
    """
    directions, labels = directions[:FIRST], labels[:FIRST]
    one, other = torch.triu_indices(len(labels), len(labels), offset=1, device=labels.device)
    same = labels[one] == labels[other]
    alike, unlike = int(same.sum()), int((~same).sum())
    mean, precision = _PRIOR_MEAN, _PRIOR_SPREAD**-2
    if alike and unlike:
        similarity = (directions @ directions.T)[one, other]
        area = _area(similarity.double().cpu(), same.cpu())
        spread = (0.25 + (alike + unlike - 2) / 12) / (alike * unlike)
        mean = (precision * mean + area / spread) / (precision + 1 / spread)
        precision += 1 / spread
    return 0.5 * math.erfc((mean - HINT) * math.sqrt(precision / 2))


def _area(values: Float[Tensor, "n"], positive: Tensor) -> float:
    """Area under the ROC curve; ties count one half."""
    ordered = values[~positive].sort().values
    below = torch.searchsorted(ordered, values[positive], right=False)
    upto = torch.searchsorted(ordered, values[positive], right=True)
    return float((below + upto).double().mean() / 2 / len(ordered))
