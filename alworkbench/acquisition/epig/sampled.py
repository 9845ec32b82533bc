"""EPIG from joint draws: the sampled estimate, with an interval for the value of infinitely many draws.

    EPIG(i) = mean_j sum_cd p_ij(c, d) log [ p_ij(c, d) / (p_i(c) p_j(d)) ]      p_ij = mean_k p_ki p_kj^T

Bickford Smith et al. 2023, arXiv:2304.08151. Images and targets share the draws. The estimate from K
draws is too large by O(1/K), because what the draws have in common by chance looks like information. The
jackknife (Quenouille 1956, Tukey 1958) leaves out one of G groups of draws at a time. It removes that
bias and gives a standard error, and so an interval.

O(N M C^2 K) operations for the estimate and O(G N M C^2) more for the interval, in blocks of candidates.

Dimensions used in this file
    K  draws, shared by images and targets
    N  candidates          n  candidates of one block
    M  targets
    C  classes
    G  groups of draws
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.score import Score, highest, joined
from alworkbench.acquisition.strategy import AcquisitionContext

GROUPS = 16
"""G."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval for the score that infinitely many draws would give."""

    estimate: Float[Tensor, "N"]
    """Corrected for the bias of few draws."""
    lower: Float[Tensor, "N"]
    """At least 0."""
    upper: Float[Tensor, "N"]
    """At most log C."""


def epig_sums(
    joint: Float[Tensor, "n C M C"], own: Float[Tensor, "n C"], theirs: Float[Tensor, "M C"]
) -> Float[Tensor, "n"]:
    """mean_j of the divergence of p_ij from p_i p_j, in nats; below 0 only by rounding.

    Computed as H_i + H_j - H_ij. The sums keep six digits in single precision.
    """
    together = torch.special.entr(joint).sum(dim=(1, 3)).mean(dim=-1)  # n
    return scores.entropy(own) + scores.entropy(theirs).mean() - together


def sampled_epig(
    draws: Float[Tensor, "K n C"], targets: Float[Tensor, "K M C"]
) -> Float[Tensor, "n"]:
    """The estimate from these draws, as one matrix product. Holds 2 n M C^2 numbers."""
    joint = _products(draws, targets) / len(draws)
    return epig_sums(joint, draws.mean(dim=0), targets.mean(dim=0))


def sampled_interval(
    draws: Float[Tensor, "K n C"],
    targets: Float[Tensor, "K M C"],
    *,
    groups: int = GROUPS,
    error: float = 1e-3,
    compared: int | None = None,
) -> Interval:
    """The estimate, with an interval for the value of infinitely many draws.

    Student's t with G - 1 degrees of freedom; the chance that any of the `compared` images (by
    default the n given) lies outside is `error` (Bonferroni). Holds 4 n M C^2 numbers. Raises
    ValueError for fewer than two draws a group.
    """
    from scipy.stats import t as student  # loaded when it is needed: it takes long

    count = len(draws)
    if groups < 2 or count < 2 * groups:
        raise ValueError(f"{groups} groups need {2 * groups} draws at least, found {count}")
    own, theirs = draws.sum(dim=0), targets.sum(dim=0)
    joint = _products(draws, targets)
    plain = epig_sums(joint / count, own / count, theirs / count)
    without = []
    for left, right in zip(draws.chunk(groups), targets.chunk(groups), strict=True):
        rest = count - len(left)
        without.append(
            epig_sums(
                (joint - _products(left, right)) / rest,
                (own - left.sum(dim=0)) / rest,
                (theirs - right.sum(dim=0)) / rest,
            )
        )
    number = len(without)
    left_out = torch.stack(without)  # G n
    pseudo = number * plain - (number - 1) * left_out
    centre = pseudo.mean(dim=0)
    deviation = pseudo.std(dim=0) / math.sqrt(number)
    quantile = float(student.ppf(1 - error / (2 * (compared or len(centre))), number - 1))
    # The removed bias widens the interval too: the correction is of first order only.
    width = quantile * deviation + (plain - centre).abs()
    most = math.log(draws.shape[-1])
    lower = (centre - width).clamp(0.0, most)
    upper = (centre + width).clamp(0.0, most)
    return Interval(centre.clamp(0.0, most), lower, upper)


def _products(
    draws: Float[Tensor, "K n C"], targets: Float[Tensor, "K M C"]
) -> Float[Tensor, "n C M C"]:
    """sum_k p_ki p_kj^T."""
    count = len(draws)
    product = draws.reshape(count, -1).T @ targets.reshape(count, -1)
    return product.reshape(draws.shape[1], draws.shape[2], targets.shape[1], targets.shape[2])


def stacked(parts: Iterable[Float[Tensor, "K n C"]], like: Size, images: int) -> Tensor:
    """Blocks of drawn probabilities in one tensor of shape (K, images, C)."""
    whole: Tensor | None = None
    done = 0
    for part in parts:
        if whole is None:
            whole = part.new_empty(like.draws, images, like.classes)
        whole[:, done : done + part.shape[1]] = part
        done += part.shape[1]
    return torch.zeros(like.draws, 0, like.classes) if whole is None else whole


def _pairs(size: Size) -> int:
    """Bytes of the joint probabilities of one candidate with all targets."""
    return 16 * size.targets * size.classes**2


def _held(size: Size) -> int:
    return size.draws_held + 4 * size.draws * size.targets * size.classes


def _cost(size: Size) -> Cost:
    images = size.candidates + size.targets
    pairs = size.candidates * size.targets * size.classes**2
    # a logarithm takes about as long as twenty multiply-adds
    operations = size.logits + size.drawn(images) + pairs * (size.draws + 20)
    held = _held(size) + size.drawn_row + _pairs(size) + 24 * size.candidates
    return Cost(operations, max(size.draws_peak, held))


def _scores(context: AcquisitionContext) -> Float[Tensor, "N"]:
    size = context.size
    draws = context.learner.draws(context.draws, context.draw_seed)
    targets = stacked(context.drawn_probabilities(context.targets, draws=draws), size, size.targets)
    half = (context.memory - _held(size)) // 2
    block = max(1, half // _pairs(size))
    held = _held(size) - size.draws_held + half
    found = (
        sampled_epig(part, targets)
        for drawn in context.drawn_probabilities(draws=draws, held=held)
        for part in drawn.split(block, dim=1)
    )
    return joined(found, size.candidates)


EPIG_DRAWS = Score("epig-draws", _cost, _scores)
epig_draws = highest(EPIG_DRAWS)
