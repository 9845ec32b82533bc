"""How far one image stands for another, by the posterior and by what the model sees in them.

    s_ij = rho_ij^2 . sum_c sqrt(p_ic p_jc)      rho_ij = phi~_i . phi~_j / (|phi~_i| |phi~_j|)

where rho_ij is the correlation of the two embeddings under the posterior of the image projection (the
covariance of g_i and g_j is (phi_i^T A~^-1 phi_j) B~^-1, and phi~ are the whitened activations), so
rho^2 is the share of one's variance that knowing the other removes; images whose correlation is
negative are opposites and not alike, and count as none. The sum is the Bhattacharyya coefficient of the
class probabilities: one where they agree.

Given labels, each counts as an observation of its image's embedding with 0.3 of its variance as noise,

    A~  <-  A~ + sum_l phi_l phi_l^T / (0.3 phi_l^T A~^-1 phi_l)

so that what many labels have in common no longer makes images alike.

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

NOISE = 0.3
"""Of a label as an observation of its image's embedding, in that embedding's variances."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where images lie."""

    directions: Float[Tensor, "n P"]
    """Whitened activations of unit length."""
    roots: Float[Tensor, "n C"]
    """Square roots of the class probabilities."""

    @classmethod
    def concatenate(cls, parts: Sequence[Places]) -> Places:
        """One after the other."""
        return cls(
            torch.cat([part.directions for part in parts]),
            torch.cat([part.roots for part in parts]),
        )

    def __getitem__(self, rows: Int[Tensor, "k"] | list[int]) -> Places:
        return Places(self.directions[rows], self.roots[rows])

    def ties(self, others: Places) -> Float[Tensor, "n m"]:
        """s_ij of each image with each of the others."""
        near = (self.directions @ others.directions.T).clamp_min_(0.0).square_()
        return near.mul_(self.roots @ others.roots.T)


def places_of(learner: Learner, features: Features, root: Float[Tensor, "P P"]) -> Places:
    """Direction of each embedding and square roots of its class probabilities."""
    roots = learner.logits(features).softmax(dim=-1).sqrt()
    return Places(directions_of(features, root), roots)


def directions_of(features: Features, root: Float[Tensor, "P P"]) -> Float[Tensor, "n P"]:
    """Unit vectors whose inner products are the correlations that `root` whitens by."""
    return torch.nn.functional.normalize(features.activations @ root, dim=-1)


def root_given_labels(context: AcquisitionContext, bytes_per_row: int) -> Float[Tensor, "P P"]:
    """What whitens activations by the posterior of the image projection given the labels."""
    root = context.learner.model.image_activation_root
    if not len(context.labelled):
        return root
    precision = torch.eye(len(root), dtype=root.dtype, device=root.device)
    for features in context.blocks(context.labelled, bytes_per_row):
        directions = directions_of(features, root)
        precision.addmm_(directions.T, directions, alpha=1 / NOISE)
    factor = torch.linalg.cholesky(precision)
    return torch.linalg.solve_triangular(factor, root.T, upper=False).T
