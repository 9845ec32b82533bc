"""Variance of the logits of any image, given the labels: closed form, without draws.

    Var[z | labels] = K_ii - K_iL R (I + R^T K_LL R)^-1 R^T K_Li

of the Gaussian posterior of the linearised model (the Laplace approximation at the fit); Rasmussen &
Williams 2006, section 3.4.2. It is what the variance of `condition`ed draws tends to.

Dimensions used in this file
    N  images
    n  labelled images
    C  classes
"""

from __future__ import annotations

from dataclasses import fields

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.label_kernel import LabelGram, LabelKernel, LabelKernels
from alworkbench.adaptation.learner import Taught
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation

BLOCK_NUMBERS = 1 << 22
"""Covariances between images and labels that are held at once (32 MiB in double precision)."""


def logit_variance(
    model: Linearisation, images: ImageCoordinates, taught: Taught | None
) -> Float[Tensor, "N C"]:
    """Variances of these images' logits; `model` and `images` in float64.

    Each image costs C solves with the labels' Gram matrix; without labels, none.
    """
    classes = len(model.classes.unit)
    rows = len(images)
    gram = None
    if taught is not None and len(taught.images):
        kernels = LabelKernels(LabelKernel.of(model, taught.images, taught.class_free))
        gram = LabelGram(kernels, taught.probabilities, taught.weights)
        held = classes * classes * (len(taught.images) + 1)
    else:
        held = classes * classes
    block = max(1, BLOCK_NUMBERS // held)
    parts = [torch.zeros_like(images.logits[:0])]
    for start in range(0, rows, block):
        part = _rows(images, slice(start, start + block))
        variance = model.class_covariance(part).diagonal(dim1=-2, dim2=-1)  # N C
        if gram is not None and taught is not None:
            cross = cross_covariance(model, part, taught.images)  # N C n C
            if taught.own is not None:
                variance = variance + taught.own.variance(part)[:, None]
                shared = taught.own.covariance(part, taught.images)  # N n
                cross.diagonal(dim1=1, dim2=3).add_(shared[:, :, None])
            cross = cross.flatten(0, 1)  # NC n C
            pulled = gram.apply_root_transpose(cross)
            known = (pulled * gram.solve(pulled)).sum(dim=(-2, -1))  # NC
            # not negative but for rounding
            variance = (variance - known.reshape(variance.shape)).clamp_min(0)
        parts.append(variance)
    return torch.cat(parts)


def cross_covariance(
    model: Linearisation, images: ImageCoordinates, others: ImageCoordinates
) -> Float[Tensor, "N C M C"]:
    """Cov[z_ic, z_jd] between two sets of images under the posterior without labels."""
    classes = model.classes
    left = images.cosines[:, :, None, None]  # S_ic
    right = others.cosines[None, None]  # S_jd
    image = (
        (classes.by_image @ classes.by_image.T)[None, :, None, :]
        - right * (classes.by_image @ others.by_image.T)[None, :, :, None]
        - left * (images.by_image @ classes.by_image.T)[:, None, None, :]
        + left * right * (images.by_image @ others.by_image.T)[:, None, :, None]
    )
    pairs = (images.whitened @ others.whitened.T) * torch.outer(images.scale, others.scale)
    text = (
        (images.by_text @ others.by_text.T)[:, None, :, None]
        - right * (images.by_text @ classes.by_text.T)[:, None, None, :]
        - left * (classes.by_text @ others.by_text.T)[None, :, :, None]
        + left * right * (classes.by_text @ classes.by_text.T)[None, :, None, :]
    )
    names = (classes.whitened @ classes.whitened.T) * torch.outer(classes.scale, classes.scale)
    return image * pairs[:, None, :, None] + text * names[None, :, None, :]


def _rows(images: ImageCoordinates, rows: slice) -> ImageCoordinates:
    return ImageCoordinates(*(getattr(images, field.name)[rows] for field in fields(images)))
