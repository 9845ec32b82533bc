"""Weights of the classes' own: the linearised model and a probe in one.

    z_ic = z_0 + jvp(M, M')_ic + b_c . x_i       x_i = (phi~_i - mean) / r,  b_c ~ Normal(0, own I)

with r the root mean square length of the labelled images' centred whitened activations phi~ (means
weighted as the labels are). The projections see classes through their names' embeddings; where a model
does not know the names, these hardly differ and many labels teach less than a plain probe learns from
them. The term in b_c is a linear probe with a Gaussian prior, learned together with the rest: the
problem stays convex, and one more n x n matrix is all that its covariance costs. Learning, draws and
leaving out are of this one model. A single image says nothing about how classes differ, nor do copies
of one: there the term is zero, as it is without labels. How wide either prior is, `prior` chooses.

Whitened activations show what the model was not taught to see. What it was taught to see, embeddings
show better; where only the names for that are wrong, the image's unit embedding takes the place of its
activations, whitened as the text's are: u'_i for phi~_i. That too `prior` chooses.

Dimensions used in this file
    N, M  images, n labelled ones
    C  classes
    K  draws
    D  embedding size, P image activation size, X the one that is seen
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.posterior.linearisation import ImageCoordinates, WeightUpdate

_COPIES = 1e-20
"""Images that differ by less, relative and squared, are one: float32 tells apart what differs by 1e-14."""


@dataclass(frozen=True, slots=True)
class OwnWeights:
    """The term's prior, which the labelled images fix."""

    mean: Float[Tensor, "X"]
    """Of what is seen of the labelled images, weighted as the labels are."""
    share: float
    """Prior variance of a weight of what is seen less its mean: own / r^2."""
    embedded: bool
    """Whether unit embeddings u' are seen, and not whitened activations phi~."""

    @classmethod
    def of(
        cls,
        images: ImageCoordinates,
        weights: Float[Tensor, "n"] | None,
        variance: float,
        *,
        embedded: bool = False,
    ) -> OwnWeights:
        """For n labelled images; None weighs all alike.

        `variance`, squared nats, is of what a class adds to the logit of an image of mean length.
        """
        if weights is None:
            weights = torch.ones_like(images.scale)
        shares = weights / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
        seen = images.by_text if embedded else images.whitened
        mean = shares @ seen
        square = float(shares @ (seen - mean).square().sum(dim=-1))
        rounding = _COPIES * float(shares @ seen.square().sum(dim=-1))
        return cls(mean, variance / square if square > rounding else 0.0, embedded)

    def covariance(
        self, images: ImageCoordinates, others: ImageCoordinates
    ) -> Float[Tensor, "N M"]:
        """Covariance of what one class adds to images of either set; classes are independent."""
        return self.share * self.centred(images) @ self.centred(others).T

    def variance(self, images: ImageCoordinates) -> Float[Tensor, "N"]:
        """Of what one class adds, before any label."""
        return self.share * self.centred(images).square().sum(dim=-1)

    def centred(self, images: ImageCoordinates) -> Float[Tensor, "N X"]:
        """What is seen of images, less its mean."""
        seen = images.by_text if self.embedded else images.whitened
        return seen - self.mean.to(seen)

    def sample(self, draws: WeightUpdate, classes: int, generator: torch.Generator) -> WeightUpdate:
        """Stacked draws of the change, with draws of the weights under their prior beside them."""
        count, size = len(draws.image), len(self.mean)
        normal = torch.randn(count, classes, size, generator=generator, device=generator.device)
        return self.beside(draws, normal.to(draws.image).mul_(self.share**0.5))

    def vjp(
        self, images: ImageCoordinates, weights: Float[Tensor, "*K n C"]
    ) -> Float[Tensor, "*K C X"]:
        """The weights that dual weights of n labels stand for."""
        return self.share * (weights.mT @ self.centred(images))

    def beside(self, update: WeightUpdate, own: Float[Tensor, "*K C X"]) -> WeightUpdate:
        """The update with these weights of what is seen less its mean."""
        offset = -(own @ self.mean.to(own))
        if self.embedded:
            return replace(update, residual_embedded=own, offset=offset)
        return replace(update, residual=own, offset=offset)
