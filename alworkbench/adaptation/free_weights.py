"""Weights of the classes' own: the linearised model and a probe in one.

    z_ic = z_0 + change(M, M')_ic + b_c . x_i       x_i = (phi~_i - mean) / r,  b_c ~ Normal(0, own I)

with r the root mean square length of the labelled images' centred whitened activations phi~ (means
weighted as the labels are). The projections see classes through their names' embeddings; where a model
does not know the names, these hardly differ and many labels teach less than a plain probe learns from
them. The term in b_c is a linear probe with a Gaussian prior, learned together with the rest: the
problem stays convex, and one more n x n matrix is all that its covariance costs. Learning, draws and
leaving out are of this one model. A single image says nothing about how classes differ, nor do copies
of one: there the term is zero, as it is without labels. How wide either prior is, `prior` chooses.

Dimensions used in this file
    N, M  images, n labelled ones
    C  classes
    K  draws
    D  embedding size, P image activation size
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.posterior.linearised import ImageCoordinates, Step

_COPIES = 1e-20
"""Images that differ by less, relative and squared, are one: float32 tells apart what differs by 1e-14."""


@dataclass(frozen=True, slots=True)
class OwnWeights:
    """The term's prior, which the labelled images fix."""

    mean: Float[Tensor, "P"]
    """Of the labelled images' whitened activations, weighted as the labels are."""
    share: float
    """Prior variance of a weight of phi~ - mean: own / r^2."""

    @classmethod
    def of(
        cls, images: ImageCoordinates, weights: Float[Tensor, "n"] | None, variance: float
    ) -> OwnWeights:
        """For n labelled images; None weighs all alike.

        `variance`, squared nats, is of what a class adds to the logit of an image of mean length.
        """
        if weights is None:
            weights = torch.ones_like(images.scale)
        shares = weights / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
        mean = shares @ images.whitened
        square = float(shares @ (images.whitened - mean).square().sum(dim=-1))
        rounding = _COPIES * float(shares @ images.whitened.square().sum(dim=-1))
        return cls(mean, variance / square if square > rounding else 0.0)

    def covariance(
        self, images: ImageCoordinates, others: ImageCoordinates
    ) -> Float[Tensor, "N M"]:
        """Covariance of what one class adds to images of either set; classes are independent."""
        return self.share * self.centred(images) @ self.centred(others).T

    def variance(self, images: ImageCoordinates) -> Float[Tensor, "N"]:
        """Of what one class adds, before any label."""
        return self.share * self.centred(images).square().sum(dim=-1)

    def centred(self, images: ImageCoordinates) -> Float[Tensor, "N P"]:
        return images.whitened - self.mean.to(images.whitened)

    def sample(self, draws: Step, classes: int, generator: torch.Generator) -> Step:
        """Stacked draws of the change, with draws of the weights under their prior beside them."""
        count, size = len(draws.image), len(self.mean)
        normal = torch.randn(count, classes, size, generator=generator, device=generator.device)
        return self.beside(draws, normal.to(draws.image).mul_(self.share**0.5))

    def pull(
        self, images: ImageCoordinates, weights: Float[Tensor, "*K n C"]
    ) -> Float[Tensor, "*K C P"]:
        """The weights that dual weights of n labels stand for."""
        return self.share * (weights.mT @ self.centred(images))

    def beside(self, step: Step, own: Float[Tensor, "*K C P"]) -> Step:
        """The step with these weights of phi~ - mean."""
        return replace(step, own=own, offset=-(own @ self.mean.to(own)))
