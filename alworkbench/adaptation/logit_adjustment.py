"""Class prior: how common the learner expects the classes to be, kept out of its prediction.

Labels teach how classes look, and also how common they are: a class that none of a few labels named gets
low logits in all images, whether it is rare or was only not asked yet. Where all classes count alike,
this must stay out of the prediction. Training uses softmax(z + log pi); prediction uses z (logit
adjustment: Menon et al. 2021, arXiv:2007.07314; Ren et al. 2020, arXiv:2007.10740). pi is the mean
prediction of a first fit over the pool, with one more label spread over all classes,

    pi_c = (n mean_j p_jc + 1 / C) / (n + 1)

which is one step of expectation maximisation (Saerens, Latinne & Decaestecker 2002). The frequencies of
the labels are not used: labels were chosen for how their images look, so they are no random sample.
docs/experiments/adaptation.md, L12 and L13, compares this with other class priors.

Dimensions used in this file
    M  images of the pool
    n  labelled images
    C  classes
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def estimate_log_class_prior(
    probabilities: Float[Tensor, "M C"], labels: float, pseudo_labels: float = 1.0
) -> Float[Tensor, "C"]:
    """log pi up to a constant (they sum to zero), nats, float64. Zeros for an empty pool.

    `probabilities` are the predictions of a learner of n `labels`.
    """
    count, classes = probabilities.shape
    if count == 0:
        return probabilities.new_zeros(classes, dtype=torch.float64)
    expected = probabilities.double().mean(dim=0)
    pi = (labels * expected + pseudo_labels / classes) / (labels + pseudo_labels)
    return pi.log() - pi.log().mean()
