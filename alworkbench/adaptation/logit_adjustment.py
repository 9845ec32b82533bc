"""How common a learner expects the classes to be, and labels learned from with that in mind.

From labels a learner infers how common classes are along with how they look: a class that none of a
few labels named is low in the logits of all images, whether it is rare or was only not met yet. Where
all classes are to count alike, that is to stay out of the answer. With z the logits of the answer and
pi_c the share of class c,

    softmax(z + log pi)

meets the labels, and z answers (logit adjustment: Menon et al. 2021, arXiv:2007.07314; Ren et al. 2020,
arXiv:2007.10740). pi is what a learner without it expects of the pool on average, with one more label
spread over all classes:

    pi_c = (n mean_j p_jc + 1 / C) / (n + 1)

one step of expectation and maximisation (Saerens, Latinne & Decaestecker 2002). Not the labels' shares:
those were chosen for how their images look, which changes how often a class is asked, but not what an
image is likely to be. README.md beside has what that and other ways are worth.

Dimensions used in this file
    M  images of the pool
    n  labelled images
    C  classes
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

SEEN = 4096
"""Images of a pool that the shares are taken from: a mean needs no more."""


def log_shares(probabilities: Float[Tensor, "M C"], labels: float) -> Float[Tensor, "C"]:
    """log pi, nats, up to a constant: they add up to zero. float64; zeros without an image.

    `probabilities` are those of a learner of so many labels.
    """
    count, classes = probabilities.shape
    if count == 0:
        return probabilities.new_zeros(classes, dtype=torch.float64)
    expected = probabilities.double().mean(dim=0)
    logs = ((labels * expected + 1 / classes) / (labels + 1)).log()
    return logs - logs.mean()
