"""BADGE: k-means++ seeding on gradient embeddings. Ash et al. 2020, arXiv:1906.03671.

The gradient embedding of image i is the gradient of the cross-entropy with the most likely class y as
label, with respect to a linear layer on the whitened activation phi~_i. It is the outer product x_i =
(p_i - e_y) (x) phi~_i with C P numbers, and it is never formed: inner products factorise,

    x_i . x_j = ((p_i - e_y) . (p_j - e_y')) (phi_i^T A~^-1 phi_j)

and squared distances follow from three of them. At each turn an image is sampled with probability
proportional to its squared distance from the nearest earlier pick, at the first turn proportional to
|x_i|^2. The original takes the largest |x_i| first; sampling it gives every pick a known probability. If
all distances are zero, images are sampled uniformly. O(N (C + P)) operations a pick, C + 6 numbers a
candidate, and one pass over the features for every pick.

Dimensions used in this file
    N  candidates
    C  classes
    P  activation size
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.sampling import pick_probabilities, sample_one
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, strategy

SAME = 1e-6
"""A squared distance below this share of the squared lengths is rounding: the gradients are equal."""


@dataclass(frozen=True, slots=True)
class Gradients:
    """The gradient embeddings x_i of all candidates, as their factors."""

    context: AcquisitionContext
    root: Float[Tensor, "P P"]
    """Whitens activations."""
    errors: Float[Tensor, "N C"]
    """p_i - e_y."""
    squares: Float[Tensor, "N"]
    """|x_i|^2."""

    @classmethod
    def of(cls, context: AcquisitionContext) -> Gradients:
        """Computed in closed form, without a backward pass."""
        size = context.size
        root = context.learner.image_activation_root
        device = context.learner.class_activations.device
        errors = torch.empty(size.candidates, size.classes, device=device)
        squares = torch.empty(size.candidates, device=device)
        done = 0
        held = size.candidates * (4 * size.classes + 24)
        for features in context.blocks(context.candidates, size.logits_row, held):
            probabilities = context.learner.logits(features).softmax(dim=-1)
            guess = probabilities.argmax(dim=-1, keepdim=True)
            error = probabilities.scatter_add(
                -1, guess, torch.full_like(guess, -1, dtype=probabilities.dtype)
            )
            stop = done + len(error)
            errors[done:stop] = error
            whitened = (features.activations @ root).square().sum(dim=-1)
            squares[done:stop] = error.square().sum(dim=-1) * whitened
            done = stop
        return cls(context, root, errors, squares)

    def distances(self, position: int) -> Float[Tensor, "N"]:
        """Squared distances of all gradient embeddings from the one at this position."""
        context, root = self.context, self.root
        row = context.candidates[position : position + 1]
        own = context.table.gather(row, root.device).activations[0]
        direction = root @ (root.T @ own)  # P: A~^-1 phi
        held = self.errors.numel() * 4 + 24 * len(self.errors)
        kappa = [
            features.activations @ direction
            for features in context.blocks(context.candidates, context.size.logits_row, held)
        ]
        inner = (self.errors @ self.errors[position]) * torch.cat(kappa)
        lengths = self.squares + self.squares[position]
        found = lengths - 2 * inner
        return torch.where(found > SAME * lengths, found, 0.0)


def _cost(size: Size) -> Cost:
    passes = size.candidates * size.batch * (size.activation + size.classes)
    whiten = size.candidates * size.activation**2
    memory = size.candidates * (4 * size.classes + 64) + size.logits_row
    return Cost(size.logits + whiten + passes, memory)


@strategy("badge", cost=_cost)
def badge(context: AcquisitionContext) -> Batch:
    """k-means++ seeding on the gradient embeddings of the candidates."""
    gradients = Gradients.of(context)
    generator = context.generator()
    count = len(context.candidates)
    left = torch.ones(count, dtype=torch.float64)
    nearest = gradients.squares
    positions: list[int] = []
    values: list[float] = []
    probabilities: list[float] = []
    for _ in range(min(context.batch_size, count)):
        pick_chances = pick_probabilities(nearest.double().cpu(), left, 0.0)
        position = sample_one(pick_chances, generator)
        positions.append(position)
        values.append(float(nearest[position]))
        probabilities.append(float(pick_chances[position]))
        left[position] = 0.0
        if len(positions) < min(context.batch_size, count):
            nearest = torch.minimum(nearest, gradients.distances(position))
    rows = context.candidates.cpu()[torch.tensor(positions, dtype=torch.long)]
    return Batch(tuple(rows.tolist()), tuple(values), tuple(probabilities))
