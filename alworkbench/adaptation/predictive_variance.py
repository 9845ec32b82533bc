"""Variances and covariances of the logits of any image, given the labels: closed form, without draws.

    Var[z | labels] = K_ii - K_iL R (I + R^T K_LL R)^-1 R^T K_Li

of the Gaussian posterior of the linearised model (the Laplace approximation at the fit); Rasmussen &
Williams 2006, section 3.4.2. The variance of many draws of `conditioning.condition` tends to it.

Dimensions used in this file
    N  images
    n  labelled images
    C  classes
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.label_gram import LabelGram
from alworkbench.adaptation.learner import LaplaceState, Learner
from alworkbench.encoders.head import Features
from alworkbench.posterior.covariance import LinearisedKernel
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation

BLOCK_NUMBERS = 1 << 22
"""Most covariances between images and labels that are held at once: 32 MiB in float64."""
COVARIANCE_RESIDUAL = 1e-6
"""Largest relative residual of the solves behind a covariance. No eigenvalue of the system is below one."""


def logit_variance(
    model: Linearisation, images: ImageCoordinates, state: LaplaceState | None
) -> Float[Tensor, "N C"]:
    """Variances of the logits of these images, in squared nats; `model` and `images` are float64.

    Each image costs C solves with the Gram matrix of the labels. Without labels (None, or no images),
    the variances are those of the posterior alone.
    """
    classes, labels = model.classes, 0
    gram = residual = None
    if state is not None and len(state.images):
        residual, labels = state.residual_head, len(state.images)
        kernel = LinearisedKernel(classes, state.images, state.images, residual)
        gram = LabelGram(kernel, state.probabilities, state.weights)
    block = max(1, BLOCK_NUMBERS // (len(classes.unit) ** 2 * (labels + 1)))
    parts = [torch.zeros_like(images.logits[:0])]
    for start in range(0, len(images), block):
        part = images[start : start + block]
        own = LinearisedKernel(classes, part, part, residual).diagonal()  # N C C
        variance = own.diagonal(dim1=1, dim2=2)  # N C
        if gram is not None and state is not None:
            cross = LinearisedKernel(classes, part, state.images, residual).dense()  # N C n C
            seen = gram.apply_root_transpose(cross.flatten(0, 1))  # NC n C
            known = (seen * gram.solve(seen)).sum(dim=(-2, -1))  # NC
            # Rounding alone can make it negative.
            variance = (variance - known.reshape(variance.shape)).clamp_min(0)
        parts.append(variance)
    return torch.cat(parts)


def label_variance(learner: Learner, features: Features) -> Float[Tensor, "N C"]:
    """Variances of the logits of these images of a learner, pool term included (squared nats)."""
    of_labels = logit_variance(learner.model, learner.model.images(features), learner.state)
    return learner.label_scale**2 * of_labels


def fits_closed_form(learner: Learner) -> bool:
    """Whether the C solves of one image stay within BLOCK_NUMBERS: up to 100 classes with 400 labels."""
    return covariance_numbers(learner) <= BLOCK_NUMBERS


def covariance_numbers(learner: Learner) -> int:
    """Numbers that the covariances of one image with itself and with the labels have: C^2 (n + 1)."""
    labels = 0 if learner.state is None else len(learner.state.images)
    return len(learner.model.classes.unit) ** 2 * (labels + 1)


def label_covariance(learner: Learner, features: Features) -> Float[Tensor, "C C"]:
    """Covariance of the logits of one image of a learner, pool term included (squared nats, float64).

    Its diagonal is `label_variance`; draws of `Learner.draws` tend to it. It costs C solves with the Gram
    matrix of the labels and holds C^2 (n + 1) numbers a few times, see `fits_closed_form`.
    """
    model, state = learner.model.double(), learner.state
    image = model.images(features.to(features.activations.device, torch.float64))
    residual = None if state is None else state.residual_head
    covariance = LinearisedKernel(model.classes, image, image, residual).diagonal()[0]  # C C
    if state is not None and len(state.images):
        gram = LabelGram(
            LinearisedKernel(model.classes, state.images, state.images, residual),
            state.probabilities,
            state.weights,
        )
        cross = LinearisedKernel(model.classes, image, state.images, residual).dense()[0]  # C n C
        seen = gram.apply_root_transpose(cross)  # C n C
        known = seen.flatten(1) @ gram.solve(seen, COVARIANCE_RESIDUAL).flatten(1).T  # C C
        covariance = covariance - (known + known.T) / 2
    return learner.label_scale**2 * covariance
