"""BADGE: k-means++ on the gradients that the model's own guesses would give.

The gradient of the cross-entropy of image i with its likeliest class, with respect to a layer on the
posterior-whitened activation, is the outer product x_i = (p_i - e_y) (x) phi~_i with C P numbers. It is
never formed: inner products are products of two small ones,

    x_i . x_j = ((p_i - e_y) . (p_j - e_y')) (phi_i^T A~^-1 phi_j)        |x_i - x_j|^2 from three of them

Ash et al. 2020, arXiv:1906.03671. Every pick is drawn with probability in proportion to the squared
distance from the nearest pick before it, the first one in proportion to |x_i|^2 (the original takes
the largest there, which leaves its choice no known chance). Images that are all at distance zero are
drawn evenly. O(N (C + P)) a pick, C + 6 numbers a candidate and a pass over the features for every pick.

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
"""A squared distance below this share of the squared lengths is rounding: the same gradient."""


@dataclass(frozen=True, slots=True)
class Gradients:
    """All gradients x_i = (p_i - e_y) (x) phi~_i of a pool, as their factors."""

    context: AcquisitionContext
    errors: Float[Tensor, "N C"]
    """p - e_y."""
    squares: Float[Tensor, "N"]
    """|x|^2."""

    @classmethod
    def of(cls, context: AcquisitionContext) -> Gradients:
        """The gradient embeddings of the candidates, in closed form: no backward pass."""
        size = context.size
        root = context.learner.model.image_activation_root
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
        return cls(context, errors, squares)

    def distances(self, position: int) -> Float[Tensor, "N"]:
        """Squared distances of all gradients from one of them."""
        context, root = self.context, self.context.learner.model.image_activation_root
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


@strategy(
    "badge",
    "k-means++ on gradients of the model's own guesses, whitened by the posterior",
    unit="none",
    cost=_cost,
    source="Ash et al. 2020, arXiv:1906.03671",
    range="0 and above, a squared distance",
)
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
        chances = pick_probabilities(nearest.double().cpu(), left, 0.0)
        position = sample_one(chances, generator)
        positions.append(position)
        values.append(float(nearest[position]))
        probabilities.append(float(chances[position]))
        left[position] = 0.0
        if len(positions) < min(context.batch_size, count):
            nearest = torch.minimum(nearest, gradients.distances(position))
    rows = context.candidates.cpu()[torch.tensor(positions, dtype=torch.long)]
    return Batch(tuple(rows.tolist()), tuple(values), tuple(probabilities))
