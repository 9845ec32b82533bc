"""The most confident views of an image, and the entropy of what they predict together.

Shu et al., "Test-Time Prompt Tuning for Zero-Shot Generalization in Vision-Language Models" (TPT),
NeurIPS 2022, arXiv:2209.07511.

Dimensions used in this file
    V  views
    B  selected views
    C  classes
"""

from __future__ import annotations

import math

from jaxtyping import Float, Int
from torch import Tensor


def most_confident(logits: Float[Tensor, "V C"], share: float) -> Int[Tensor, "B"]:
    """The views whose predictions have the lowest entropy: this share of all views, at least one.

    Among equal entropies the first views are taken. The selection carries no gradient.
    """
    logs = logits.detach().log_softmax(dim=-1)
    entropies = -(logs.exp() * logs).sum(dim=-1)  # V
    count = max(1, math.floor(share * len(logits)))
    return entropies.argsort(stable=True)[:count]


def marginal_entropy(logits: Float[Tensor, "B C"]) -> Float[Tensor, ""]:
    """The entropy of the mean of the views' probabilities, in nats."""
    logs = logits.log_softmax(dim=-1).logsumexp(dim=0) - math.log(len(logits))  # C
    return -(logs.exp() * logs).sum()
