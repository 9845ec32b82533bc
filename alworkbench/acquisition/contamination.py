"""How far the model's confidence misleads: what labels say of the model as it came.

Each label y_i is foretold by the model before any label, p_i. With probability epsilon it comes from
elsewhere, where all classes are as likely:

    p(y | epsilon) = prod_i [(1 - epsilon) p_i(y_i) + epsilon / C]          epsilon ~ Uniform(0, 1)

and what misleads is the mean of epsilon given the labels: one half without any, towards zero as long as
confident predictions come true, towards one where they do not. Labels that the model was torn about say
little either way, so that it does not matter much that a strategy prefers them. The model before any
label, not the learner: that one has seen the labels.

Dimensions used in this file
    n  labelled images          C  classes
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

_STEPS = 1000
"""Of the integral over epsilon, by the midpoint rule."""

_AT_ONCE = 256
"""Labels that are held beside all steps: 2 MB a tensor, however many labels there are."""


def misleading(foretold: Float[Tensor, "n C"], labels: Int[Tensor, "n"]) -> float:
    """Mean of epsilon given n labels, whose classes were foretold with these probabilities."""
    classes = foretold.shape[1]
    epsilon = (torch.arange(_STEPS, dtype=torch.float64) + 0.5) / _STEPS
    right = foretold.double().cpu().gather(1, labels.cpu()[:, None])  # n 1
    likelihood = torch.zeros_like(epsilon)
    for some in right.split(_AT_ONCE):
        likelihood += ((1 - epsilon) * some + epsilon / classes).log().sum(dim=0)
    return float(likelihood.softmax(dim=0) @ epsilon)
