"""Tip-Adapter: zero-shot logits plus the labels of similar images, without training.

    z + alpha s sum_i exp(-beta (1 - u . u_i)) weight_i y_i

Zhang et al., 2022, "Tip-Adapter", arXiv:2111.03930. There alpha and beta are tuned on validation
labels; here they minimise the leave-one-out negative log-likelihood of the given labels.

Dimensions used in this file
    n  labelled images, N images
    C  classes
    D  embedding size
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.learner import Learner, Predictor
from alworkbench.adaptation.method import LabelledSet
from alworkbench.adaptation.nearest_mean import unit_embeddings
from alworkbench.encoders.head import Features, Head

MIXES = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Grid of alpha, as a share of the logit scale. 0 is the zero-shot prediction."""
SHARPNESSES = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Grid of beta."""


@dataclass(frozen=True, slots=True)
class TipAdapter:
    """The cache of labelled embeddings (keys) and labels (values), with the chosen alpha and beta."""

    head: Head
    names: Float[Tensor, "C D"]
    keys: Float[Tensor, "n D"]
    values: Float[Tensor, "n C"]
    """weight_i y_i."""
    mix: float
    """alpha."""
    sharpness: float
    """beta."""

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """Logits of a block of images, in the dtype and on the device of the features."""
        units = unit_embeddings(self.head, features)
        scale = self.head.logit_scale
        affinities = (-self.sharpness * (1 - units @ self.keys.to(units).T)).exp()  # N n
        zero_shot = scale * units @ self.names.to(units).T + self.head.logit_bias
        return zero_shot + self.mix * scale * affinities @ self.values.to(units)


def tip_adapter(base: Learner, labelled: LabelledSet, seed: int) -> Predictor:
    """The cache with alpha and beta of least leave-one-out loss; of equals, the smallest alpha."""
    model = base.model.double()
    keys = unit_embeddings(model.head, labelled.features)  # n D
    values = labelled.weights[:, None] * labelled.targets
    cosines = keys @ keys.T  # n n
    scale = model.head.logit_scale
    zero_shot = scale * keys @ model.classes.unit.T  # n C

    def loss(mix: float, sharpness: float) -> float:
        affinities = (-sharpness * (1 - cosines)).exp()
        affinities.fill_diagonal_(0.0)  # an image does not see its own label
        logits = (zero_shot + mix * scale * affinities @ values).log_softmax(dim=-1)
        return float(-(values * logits).sum())

    best = min(product(MIXES, SHARPNESSES), key=lambda pair: loss(*pair))
    return TipAdapter(base.model.head, model.classes.unit, keys, values, *best)
