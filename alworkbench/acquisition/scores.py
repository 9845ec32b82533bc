"""Formulas: how uncertain a prediction is, and how much of that a label could remove. In nats if not stated.

Dimensions used in this file
    K  posterior draws, shared by all images
    N  images
    C  classes
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def entropy(probabilities: Float[Tensor, "*N C"]) -> Float[Tensor, "*N"]:
    """H[p] = - sum_c p_c log p_c, between 0 and log C."""
    return torch.special.entr(probabilities).sum(dim=-1)


def margin(probabilities: Float[Tensor, "N C"]) -> Float[Tensor, "N"]:
    """Gap between the two largest probabilities, between 0 (undecided) and 1 (certain). Not in nats."""
    top = probabilities.topk(2, dim=-1).values  # N 2
    return top[:, 0] - top[:, 1]


def least_confidence(probabilities: Float[Tensor, "N C"]) -> Float[Tensor, "N"]:
    """One minus the largest probability, between 0 and 1 - 1/C. Not in nats. Lewis and Gale, 1994."""
    return 1 - probabilities.amax(dim=-1)


def predictive_entropy(draws: Float[Tensor, "K N C"]) -> Float[Tensor, "N"]:
    """H[mean_k p_k]: entropy of the prediction averaged over the posterior, between 0 and log C."""
    return entropy(draws.mean(dim=0))


def bald(draws: Float[Tensor, "K N C"]) -> Float[Tensor, "N"]:
    """H[mean_k p_k] - mean_k H[p_k]: information of a label about the model, between 0 and log C.

    Houlsby et al., 2011, arXiv:1112.5745.
    """
    return predictive_entropy(draws) - entropy(draws).mean(dim=0)


def epig(draws: Float[Tensor, "K N C"], targets: Float[Tensor, "K M C"]) -> Float[Tensor, "N"]:
    """mean_j I(y; y_j): information of a label about the predictions of the targets, 0 <= EPIG <= BALD.

    Images and targets must share the draws. Holds N M C^2 numbers: tests compare faster forms with it.
    Bickford Smith et al., 2023, arXiv:2304.08151.
    """
    joint = torch.einsum("knc,kmd->nmcd", draws, targets) / len(draws)  # N M C C
    apart = torch.einsum("nc,md->nmcd", draws.mean(dim=0), targets.mean(dim=0))  # N M C C
    gain = torch.xlogy(joint, joint) - torch.xlogy(joint, apart)  # N M C C
    return gain.sum(dim=(-2, -1)).mean(dim=-1)  # N


def best(scores: Float[Tensor, "N"], count: int) -> Int[Tensor, "B"]:
    """Rows of the `count` highest scores, best first; ties go to the earlier row."""
    return torch.argsort(scores, descending=True, stable=True)[:count]
