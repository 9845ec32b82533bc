"""Posterior draws given the labels, from posterior draws without them (Matheron's rule).

The posterior of the linearised model given the labels (the Laplace approximation at the fit) is Gaussian.
A draw of it is a draw f without the labels, minus the weight update that f itself and noise cause at the
labelled images:

    f - J^T R (I + R^T K R)^-1 (R^T J f + noise)      R R^T = weight (diag(p) - p p^T), K = J J^T

Wilson et al., "Pathwise conditioning of Gaussian processes", arXiv:2011.04026.

Dimensions used in this file
    n  labelled images
    C  classes
    K  draws, k of them in one group
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.label_gram import LabelGram
from alworkbench.adaptation.map_fit import weight_update
from alworkbench.adaptation.residual_head import ResidualHead
from alworkbench.posterior.covariance import LinearisedKernel
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation, WeightUpdate

DRAWS_AT_ONCE = 16
"""Draws whose weight updates are computed together: little memory beside the draws themselves."""
_SOLVED_NUMBERS = 1 << 21
"""Numbers of the right-hand sides that are solved together, if that is more than DRAWS_AT_ONCE draws."""

RESIDUAL = 1e-4
"""Largest relative residual of the linear system of a draw. No eigenvalue of the system is below one, so
the correction has the same relative error: far below the Monte Carlo noise of any number of draws."""


def condition(
    model: Linearisation,
    images: ImageCoordinates,
    probabilities: Float[Tensor, "n C"],
    draws: WeightUpdate,
    generator: torch.Generator,
    weights: Float[Tensor, "n"] | None = None,
    head: ResidualHead | None = None,
) -> WeightUpdate:
    """K stacked draws given n labels, as deviations from the optimum (their mean is zero).

    `draws` are K stacked draws without labels, in the precision of the model and with the weights of the
    residual head if there is one. `images` and `probabilities`, those at the optimum, are float64.
    `Size.draws_peak` states the memory that this needs.
    """
    count, classes = len(draws), probabilities.shape[1]
    kernel = LinearisedKernel(model.double().classes, images, images, head)
    gram = LabelGram(kernel, probabilities, weights)
    labelled = images.to(model.classes.unit.dtype)
    # Drawn label by label, so that earlier labels keep their noise in later rounds.
    noise = torch.randn(
        len(probabilities), classes, count, generator=generator, dtype=probabilities.dtype
    ).permute(2, 0, 1)  # K n C
    conditioned = draws.map(torch.clone)
    for group in torch.arange(count).split(solved_at_once(probabilities.numel())):
        parts = [slice(int(few[0]), int(few[-1]) + 1) for few in group.split(DRAWS_AT_ONCE)]
        logits = torch.cat([model.jvp(labelled, draws[part]) for part in parts])  # k n C
        right = gram.apply_root_transpose(logits.to(probabilities)).add_(
            noise[parts[0].start : parts[-1].stop].to(probabilities)
        )
        dual = gram.apply_root(gram.solve(right, RESIDUAL)).to(labelled.logits)  # k n C
        for part, few_duals in zip(parts, dual.split(DRAWS_AT_ONCE), strict=True):
            conditioned[part].subtract_(weight_update(model, labelled, few_duals, head))
    return conditioned


def solved_at_once(pairs: int) -> int:
    """Number of draws whose linear systems are solved together, for this many (image, class) pairs."""
    return max(DRAWS_AT_ONCE, _SOLVED_NUMBERS // max(1, pairs))
