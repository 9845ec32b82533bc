"""How common each class is in the pool, and labels learned from with that in mind.

Labels come from a pool in which some classes are common, and people want an answer in which all classes
count alike. With z the logits of that answer and pi_c the share of a class in the pool, an image of the
pool is of class c with probability

    softmax(z + log pi)_c

so z + log pi meets the labels and z answers (Menon et al. 2021, arXiv:2007.07314; Ren et al. 2020,
arXiv:2007.10740). pi is of the pool and not of the labels: those were chosen for how their images look,
which changes how often a class is asked, but not what an image is likely to be. It is what a learner
without it expects of the pool on average: one step of expectation and maximisation (Saerens, Latinne &
Decaestecker 2002), with one more label spread over all classes,

    pi_c = (n mean_j p_jc + 1 / C) / (n + 1)

Few labels leave a class that none of them named low in the logits of all images, whether it is rare
or was only not met yet; that, too, is taken out again.

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
