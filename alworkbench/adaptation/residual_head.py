"""The residual linear head: a linear probe that is fitted together with the linearised model.

    z_ic = z_0 + jvp(M, M')_ic + b_c . x_i      x_i = (input_i - mean) / r,  b_c ~ Normal(0, variance I)

The projections see classes through the embeddings of their names. Where a model does not know the names,
these hardly differ, and many labels teach the projections less than they teach a plain linear probe. The
term in b_c is a probe with a Gaussian prior; the whole problem stays convex, and its covariance costs one
more n x n matrix. Fit, draws and leave-one-out are of this one model.

The input is the whitened activations phi~_i, or, where `prior_selection` finds it better, the unit
embedding whitened as the text side is, u'_i. `mean` is that of the labelled images, and r the root mean
square length of their centred inputs (both weighted as the labels are). A single labelled image, or
copies of one, say nothing about how classes differ: there the term is zero, as it is without labels.

Dimensions used in this file
    N, M  images, n labelled images
    C  classes
    K  draws
    D  embedding size, P image activation size, X size of the input: P or D
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.posterior.linearisation import ImageCoordinates, WeightUpdate

_COPIES = 1e-20
"""Relative squared distance below which images are copies; float32 resolves differences of 1e-14."""


@dataclass(frozen=True, slots=True)
class ResidualHead:
    """The prior of the residual head, which the labelled images determine."""

    mean: Float[Tensor, "X"]
    """Weighted mean input of the labelled images."""
    weight_variance: float
    """Prior variance of a weight of the centred input: variance / r^2."""
    embedded: bool
    """Whether the input is u' (embeddings); otherwise phi~ (activations)."""

    @classmethod
    def of(
        cls,
        images: ImageCoordinates,
        weights: Float[Tensor, "n"] | None,
        variance: float,
        *,
        embedded: bool = False,
    ) -> ResidualHead:
        """The head for n labelled images of these weights (None: all one).

        `variance`, squared nats, is what the head gives the logit of an image of mean squared length.
        """
        if weights is None:
            weights = torch.ones_like(images.scale)
        shares = weights / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
        inputs = images.by_text if embedded else images.whitened
        mean = shares @ inputs
        square = float(shares @ (inputs - mean).square().sum(dim=-1))
        rounding = _COPIES * float(shares @ inputs.square().sum(dim=-1))
        return cls(mean, variance / square if square > rounding else 0.0, embedded)

    def covariance(
        self, images: ImageCoordinates, others: ImageCoordinates
    ) -> Float[Tensor, "N M"]:
        """Prior covariance of the term of one class between two sets of images; classes are independent."""
        return self.weight_variance * self.centred_inputs(images) @ self.centred_inputs(others).T

    def variance(self, images: ImageCoordinates) -> Float[Tensor, "N"]:
        """Prior variance of the term of one class."""
        return self.weight_variance * self.centred_inputs(images).square().sum(dim=-1)

    def centred_inputs(self, images: ImageCoordinates) -> Float[Tensor, "N X"]:
        """The inputs of images, less the mean of the labelled ones."""
        inputs = images.by_text if self.embedded else images.whitened
        return inputs - self.mean.to(inputs)

    def sample(self, draws: WeightUpdate, classes: int, generator: torch.Generator) -> WeightUpdate:
        """K stacked draws of the projections, with draws of the head's weights from their prior added."""
        count, size = len(draws.image), len(self.mean)
        normal = torch.randn(count, classes, size, generator=generator, device=generator.device)
        return self.add_to(draws, normal.to(draws.image).mul_(self.weight_variance**0.5))

    def vjp(
        self, images: ImageCoordinates, dual: Float[Tensor, "*K n C"]
    ) -> Float[Tensor, "*K C X"]:
        """The head's weights for dual weights of n labels: its vector-Jacobian product."""
        return self.weight_variance * (dual.mT @ self.centred_inputs(images))

    def add_to(self, update: WeightUpdate, weights: Float[Tensor, "*K C X"]) -> WeightUpdate:
        """The update with these weights of the centred input; the offset takes the mean off."""
        offset = -(weights @ self.mean.to(weights))
        if self.embedded:
            return replace(update, residual_embedded=weights, offset=offset)
        return replace(update, residual=weights, offset=offset)
