"""Nearest class mean: the class whose mean embedding is closest in cosine.

Dimensions used in this file
    n  labelled images, N images
    C  classes
    D  embedding size
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from alworkbench.adaptation.learner import Learner, Predictor
from alworkbench.adaptation.method import LabelledSet
from alworkbench.encoders.head import Features, Head

NAME_PSEUDO_COUNT = 4.0
"""Labelled images that the embedding of the class name counts as in the mean."""


def unit_embeddings(head: Head, features: Features) -> Float[Tensor, "N D"]:
    """Image embeddings of length one."""
    return normalize(head.embed_images(features), dim=-1)


@dataclass(frozen=True, slots=True)
class NearestMean:
    """Logits s u . m_c."""

    head: Head
    means: Float[Tensor, "C D"]
    """m, unit vectors."""

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """Logits of a block of images, in the dtype and on the device of the features."""
        units = unit_embeddings(self.head, features)
        return self.head.logit_scale * units @ self.means.to(units).T


def nearest_mean(base: Learner, labelled: LabelledSet, seed: int) -> Predictor:
    """m_c = normalised(4 t_c + sum_i weight_i y_ic u_i); a class without labels keeps its name's t_c.

    Nearest class mean (Mensink et al., 2013), with the text embedding as four more images.
    """
    model = base.model.double()
    units = unit_embeddings(model.head, labelled.features)  # n D
    sums = (labelled.weights[:, None] * labelled.targets).T @ units  # C D
    means = normalize(NAME_PSEUDO_COUNT * model.classes.unit + sums, dim=-1)
    return NearestMean(base.model.head, means)
