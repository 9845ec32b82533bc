"""Similarity kernel: how well one image represents another.

    kappa_ij = max(0, rho_ij)^2 sum_c sqrt(p_ic p_jc)          rho_ij = phi~_i . phi~_j / (|phi~_i| |phi~_j|)

rho_ij is the correlation of the two embeddings under the posterior of the image projection: their
covariance is (phi_i^T A~^-1 phi_j) B~^-1, and phi~ are the activations whitened by A~^-1. rho^2 is the
share of the variance of one embedding that observing the other removes. Images with a negative
correlation are not similar. The sum is the Bhattacharyya coefficient of the class probabilities: 1 if
they are equal.

Labels condition the correlation. Each label counts as an observation of the embedding of its image, with
0.3 (`AcquisitionSettings.label_noise`) of the variance of that embedding as noise:

    A~  <-  A~ + sum_l phi_l phi_l^T / (0.3 phi_l^T A~^-1 phi_l)

Images are then no longer similar because of what many labelled images have in common.

Dimensions used in this file
    n, m  images          P  activation size          C  classes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.adaptation.learner import Learner
from alworkbench.encoders.head import Features


@dataclass(frozen=True, slots=True)
class EmbeddedImages:
    """What the similarity kernel needs of images."""

    directions: Float[Tensor, "n P"]
    """Whitened activations, scaled to unit length."""
    root_probabilities: Float[Tensor, "n C"]
    """Square roots of the class probabilities."""

    @classmethod
    def concatenate(cls, parts: Sequence[EmbeddedImages]) -> EmbeddedImages:
        """All parts in one value, in order."""
        return cls(
            torch.cat([part.directions for part in parts]),
            torch.cat([part.root_probabilities for part in parts]),
        )

    def __getitem__(self, rows: Int[Tensor, "k"] | list[int]) -> EmbeddedImages:
        return EmbeddedImages(self.directions[rows], self.root_probabilities[rows])

    def similarity(self, others: EmbeddedImages) -> Float[Tensor, "n m"]:
        """kappa of each image with each of the others, between 0 and 1."""
        squared = (self.directions @ others.directions.T).clamp_min_(0.0).square_()
        return squared.mul_(self.root_probabilities @ others.root_probabilities.T)


def embedded_images(
    learner: Learner, features: Features, root: Float[Tensor, "P P"]
) -> EmbeddedImages:
    """Images as the learner predicts them. `root` whitens activations, see `root_given_labels`."""
    root_probabilities = learner.logits(features).softmax(dim=-1).sqrt()
    return EmbeddedImages(directions_of(features, root), root_probabilities)


def directions_of(features: Features, root: Float[Tensor, "P P"]) -> Float[Tensor, "n P"]:
    """Unit vectors whose inner products are the correlations under the posterior that `root` whitens by."""
    return torch.nn.functional.normalize(features.activations @ root, dim=-1)


def root_given_labels(context: AcquisitionContext, bytes_per_row: int) -> Float[Tensor, "P P"]:
    """The matrix that whitens activations by the posterior of the image projection given the labels.

    `bytes_per_row` is the memory that one labelled image needs while it is streamed.
    """
    root = context.learner.image_activation_root
    if not len(context.labelled):
        return root
    precision = torch.eye(len(root), dtype=root.dtype, device=root.device)
    for features in context.blocks(context.labelled, bytes_per_row):
        directions = directions_of(features, root)
        precision.addmm_(directions.T, directions, alpha=1 / context.settings.label_noise)
    factor = torch.linalg.cholesky(precision)
    return torch.linalg.solve_triangular(factor, root.T, upper=False).T
