"""What the residual linear head sees, chosen from the labels: whitened activations or unit embeddings.

Embeddings are chosen if the zero-shot logits say little about the labels (the names mean nothing to the
model) and embeddings predict left-out folds far better. Both are measured at their best temperature,
because the question is which images resemble each other, and not how confident the prediction is.
Figures: docs/experiments/adaptation.md, L8 to L10.

Dimensions used in this file
    n  labelled images, m of them looked at
    C  classes
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, AdaptationSettings
from alworkbench.adaptation.left_out_folds import without_each_fold
from alworkbench.adaptation.prior import Prior
from alworkbench.posterior.covariance import LinearisedKernel
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation


def choose_head_input(
    prior: Prior,
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "m C"],
    weights: Float[Tensor, "m"],
    settings: AdaptationSettings,
) -> Prior:
    """This prior, or the same with embeddings as the input of the residual head.

    Model and images are those without the prior's widening.
    """

    def likelihood(logits: Float[Tensor, "m C"]) -> float:
        return _best_log_likelihood(logits, targets, weights, settings.head_input_temperatures)

    uniform = likelihood(torch.zeros_like(targets))
    names_tell = likelihood(images.logits) > (1 - settings.names_information) * uniform
    if names_tell or len(targets) < 2:
        return prior
    other = replace(prior, embedded=True)
    by_activations, by_embeddings = (
        likelihood(folds_left_out(each, model, images, targets, weights, settings))
        for each in (prior, other)
    )
    log_bayes_factor = by_embeddings - by_activations
    return other if log_bayes_factor > settings.embeddings_log_bayes_factor else prior


def folds_left_out(
    prior: Prior,
    model: Linearisation,
    images: ImageCoordinates,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    settings: AdaptationSettings = DEFAULT_SETTINGS,
) -> Float[Tensor, "n C"]:
    """The logits of each image after a fit to the labels of the other folds (`folds_of`).

    The mean and scale of the residual head's input are those of all n images.
    """
    model, images, head = prior.under(model, images, weights)
    kernel = LinearisedKernel(model.classes, images, images, head)
    left_out = torch.zeros_like(targets)
    for each in without_each_fold(kernel, images.logits, targets, weights, settings):
        left_out[each.fold] = each.found.logits[each.fold]
    return left_out


def _best_log_likelihood(
    logits: Float[Tensor, "m C"],
    targets: Float[Tensor, "m C"],
    weights: Float[Tensor, "m"],
    temperatures: tuple[float, ...],
) -> float:
    """Weighted log-likelihood of the labels, nats, at the best of these temperatures."""
    return max(
        float((weights[:, None] * targets * (logits / temperature).log_softmax(dim=-1)).sum())
        for temperature in temperatures
    )
