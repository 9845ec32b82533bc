"""Contamination rate: how often the model's confident predictions are wrong.

The model predicts each label y_i with the probabilities p_i that it has without any label (zero-shot).
With probability epsilon, the contamination rate, a label comes from a uniform distribution over the
classes instead:

    p(y | epsilon) = prod_i [(1 - epsilon) p_i(y_i) + epsilon / C]          epsilon ~ Uniform(0, 1)

The estimate is the posterior mean of epsilon given the labels. Without labels it is 1/2. It goes towards
0 as confident predictions turn out right, and towards 1 as they turn out wrong. Labels of images with
undecided predictions hardly change it, so it matters little that a strategy prefers such images. The
learner's predictions cannot be used here: the learner was trained on the same labels.

Dimensions used in this file
    n  labelled images          C  classes
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

_STEPS = 1000
"""Steps of the midpoint rule that integrates over epsilon."""

_LABELS_AT_ONCE = 256
"""Labels whose terms are held at once: 2 MB a tensor, however many labels there are."""


def contamination_rate(zero_shot: Float[Tensor, "n C"], labels: Int[Tensor, "n"]) -> float:
    """Posterior mean of epsilon, between 0 and 1. `zero_shot` are the probabilities p_i."""
    classes = zero_shot.shape[1]
    epsilon = (torch.arange(_STEPS, dtype=torch.float64) + 0.5) / _STEPS
    predicted = zero_shot.double().cpu().gather(1, labels.cpu()[:, None])  # n 1
    log_likelihood = torch.zeros_like(epsilon)
    for part in predicted.split(_LABELS_AT_ONCE):
        log_likelihood += ((1 - epsilon) * part + epsilon / classes).log().sum(dim=0)
    return float(log_likelihood.softmax(dim=0) @ epsilon)
