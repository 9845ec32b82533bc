"""The curvature that labelled images add to the factors of the image projection.

A label's loss is the softmax cross-entropy over the classes, whatever the model was trained with, and
its curvature does not depend on the label. See `KroneckerPosterior.updated` for how it is added, and
for why `adaptation.linearised.condition` is the better way with few labels.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from alworkbench.encoders.head import Features, Head
from alworkbench.posterior.curvature import (
    DEFAULT_BUDGET,
    KroneckerFactors,
    activation_factor,
    infonce_curvature,
)


def label_curvature(
    head: Head, images: Features, classes: Float[Tensor, "C Q"], *, budget: int = DEFAULT_BUDGET
) -> KroneckerFactors:
    """Summed factors of the image projection from n labelled images; plain sums, `pairs` is n.

    In the normalisation of a fit: A = sum phi phi^T and B = sum J^T (diag(p) - p p^T) J over the
    images, not divided by anything. `classes` are the effective text activations.
    """
    targets = head.embed_texts(classes)
    embedding = infonce_curvature(
        head.embed_images(images), targets, head.logit_scale, budget=budget
    )
    return KroneckerFactors(activation_factor(images.activations), embedding, len(images))
