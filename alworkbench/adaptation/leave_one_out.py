"""How good and how honest the learner is on labels that it did not see: leave-one-out, without refitting.

At the optimum the labels other than i say about the logits of image i (the cavity distribution)

    mean_-i = f_i - Sigma_-i a_i        a_i = weight_i (y_i - p_i)

where Sigma_-i is the covariance of z_i given all labels but i's. Exact for a quadratic loss; for the
softmax the curvature of the others is taken where all labels put it (Rasmussen & Williams 2006,
section 5.4.2; Vehtari et al. 2016, arXiv:1412.7461). The same holds for groups left out together. The
product Sigma_-i a_i is a solve with the curvature of label i set to zero: from one factorisation for
all labels where they are few, and else one iterated right-hand side for each group.

The labels were chosen, as a rule where the model was uncertain: the figures are about images like
them and not about the pool. An audit set is the honest ruler; this one is free.

Dimensions used in this file
    n  labelled images
    C  classes
    G  groups that are left out together
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.conjugate_gradients import conjugate_gradients
from alworkbench.adaptation.label_gram import softmax_curvature_roots
from alworkbench.adaptation.learner import Learner
from alworkbench.evaluation.metrics import Metrics, measure
from alworkbench.posterior.covariance import LinearisedKernel

DENSE_LIMIT = 3000
"""Up to this many (image, class) pairs one factorisation serves all groups; above, each is iterated for."""

_TOLERANCE = 1e-6
_MAX_ITERATIONS = 5000
_ITERATIONS = 60
"""That a solve takes, about: for the budget only."""
_BUDGET = 6e10
"""Operations that measuring may cost: a few seconds on one core. Above, labels go out in groups."""
_FEWEST_GROUPS = 10
_BLOCK_NUMBERS = 1 << 18


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Predictions for labelled images by a learner that did not see their labels."""

    logits: Float[Tensor, "n C"]
    groups: int
    """n: each label was left out alone. Fewer: labels were left out together, which is harder."""
    metrics: Metrics
    """Against the likeliest class of each target. About the labels, which were chosen: not the pool."""

    def as_json(self) -> dict[str, Any]:
        """The figures that a record keeps."""
        found = self.metrics
        return {
            "labels": found.images,
            "groups": self.groups,
            "accuracy": found.accuracy,
            "accuracy_low": found.accuracy_low,
            "accuracy_high": found.accuracy_high,
            "nlpd": found.nlpd,
            "ece": found.ece,
            "ece_floor": found.ece_floor,
        }


def leaves_out(learner: Learner) -> bool:
    """Whether `leave_one_out` can answer, and in seconds: one core takes four for the most that it does."""
    if learner.state is None or len(learner.state.images) == 0:
        return False
    if learner.predictor is not None:
        return False
    count, classes = learner.state.probabilities.shape
    return _FEWEST_GROUPS * _cost(count, classes) <= 2 * _BUDGET


def _cost(count: int, classes: int) -> float:
    """Operations of leaving out one group by iteration, about."""
    return _ITERATIONS * (6.0 * count**2 * classes + 8.0 * count * classes**2)


def leave_one_out(
    learner: Learner, targets: Float[Tensor, "n C"], groups: int | None = None
) -> LeftOut:
    """What the learner would say of each labelled image without its label.

    For the linearised model, with classes' own weights or without. `targets` are those that it
    learned from, in their order. Without `groups`, each label is left out alone where that costs a
    few seconds, and in at least ten groups (label i in group i mod G) where it would cost more.
    Raises ValueError for a learner without labels, or of another kind.
    """
    state = learner.state
    if state is None:
        raise ValueError("a learner without labels has none to leave out")
    if learner.predictor is not None:
        raise ValueError(
            "leaving out needs the linearised model, with classes' own weights or without: "
            f"this learner answers with {type(learner.predictor).__name__}"
        )
    count, classes = targets.shape
    if groups is None and count * classes <= DENSE_LIMIT:
        groups = count
    elif groups is None:
        groups = max(_FEWEST_GROUPS, int(_BUDGET / _cost(count, classes)))
    groups = max(1, min(groups, count))
    targets = targets.to(state.probabilities)
    group_of = torch.arange(count, device=targets.device) % groups
    kernel = LinearisedKernel(
        learner.model.double().classes, state.images, state.images, state.residual_head
    )
    dual = state.weights[:, None] * (targets - state.probabilities)
    fitted = state.images.logits + kernel.matvec(dual)
    left = fitted - held_out_changes(kernel, state.probabilities, state.weights, dual, group_of)
    return LeftOut(left, groups, measure(left.softmax(dim=-1).cpu(), targets.argmax(dim=-1).cpu()))


def held_out_changes(
    kernel: LinearisedKernel,
    probabilities: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    dual: Float[Tensor, "n C"],
    group_of: Int[Tensor, "n"],
) -> Float[Tensor, "n C"]:
    """Sigma_-g a_g for the labels of every group g: how far their labels moved their own logits.

    Sigma_-g is the covariance given the labels of all other groups, of curvature
    weight (diag(p) - p p^T). float64. Raises ArithmeticError where a solve does not converge.
    """
    count, classes = probabilities.shape
    root = (weights[:, None] * probabilities).sqrt()  # n C

    def push(vectors: Float[Tensor, "G n C"]) -> Float[Tensor, "G n C"]:
        scaled = root * vectors
        return scaled - probabilities * scaled.sum(dim=-1, keepdim=True)

    def pull(vectors: Float[Tensor, "G n C"]) -> Float[Tensor, "G n C"]:
        return root * (vectors - (probabilities * vectors).sum(dim=-1, keepdim=True))

    if dual.numel() <= DENSE_LIMIT:
        return _factorised(kernel, probabilities, weights, dual, group_of)
    changes = torch.zeros_like(dual)
    every = torch.arange(int(group_of.max()) + 1, device=dual.device)
    for some in every.split(max(1, _BLOCK_NUMBERS // (count * classes))):
        out = group_of[None, :] == some[:, None]  # G n: left out
        kept = (~out).to(dual)[:, :, None]
        spread = kernel.matvec(dual * out[:, :, None])  # G n C: K a_g
        inner = _iterated(kernel, push, pull, kept, kept * pull(spread))
        changes += ((spread - kernel.matvec(push(inner))) * out[:, :, None]).sum(dim=0)
    return changes


def _factorised(
    kernel: LinearisedKernel,
    probabilities: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    dual: Float[Tensor, "n C"],
    group_of: Int[Tensor, "n"],
) -> Float[Tensor, "n C"]:
    """From the covariance given all labels, Sigma = K - V^T V with V = L^-1 R^T K, L L^T = I + R^T K R.

    What a group's labels took away of it comes back by Woodbury's identity on the group alone:
    Sigma_-g a = Sigma a + Sigma R (I - R^T Sigma R)^-1 R^T Sigma a, all of it of the group.
    """
    count, classes = dual.shape
    pairs = dual.numel()
    roots = _narrow_roots(probabilities, weights)  # n C r, r = C - 1
    dense = kernel.dense()
    seen = (roots.mT @ dense.reshape(count, classes, pairs)).reshape(-1, pairs)  # nr nC: R^T K
    gram = torch.einsum("xjd,jdb->xjb", seen.reshape(-1, count, classes), roots)
    gram = gram.reshape(len(seen), len(seen))
    gram.diagonal().add_(1.0)
    factor = torch.linalg.cholesky(gram)
    known = torch.linalg.solve_triangular(factor, seen, upper=False)
    dense, known = dense.reshape(pairs, pairs), known.reshape(-1, count, classes)
    changes = torch.zeros_like(dual)
    for group in range(int(group_of.max()) + 1):
        own = (group_of == group).nonzero()[:, 0]
        taken = known[:, own].flatten(1)  # nr gC
        rows = (own[:, None] * classes + torch.arange(classes, device=own.device)).flatten()
        spread = dense[rows[:, None], rows] - taken.T @ taken  # gC gC: Sigma
        root = torch.block_diag(*roots[own])
        half = spread @ root  # gC gr: Sigma R
        left = torch.eye(root.shape[1]).to(half) - root.T @ half
        moved = spread @ dual[own].flatten()
        back = torch.linalg.solve(left, root.T @ moved)
        changes[own] = (moved + half @ back).reshape(len(own), classes)
    return changes


def _narrow_roots(
    probabilities: Float[Tensor, "n C"], weights: Float[Tensor, "n"]
) -> Float[Tensor, "n C r"]:
    """Roots of the labels' curvature with a column less: what moves all classes alike has none.

    R sqrt(p) = 0; Householder's reflection that takes -sqrt(p) to the first axis leaves the others
    across it.
    """
    axis = probabilities.sqrt()
    axis[:, 0] += 1
    axis = axis / axis.norm(dim=-1, keepdim=True)
    roots = weights.sqrt()[:, None, None] * softmax_curvature_roots(probabilities)
    return (roots - 2 * (roots @ axis[:, :, None]) * axis[:, None, :])[:, :, 1:]


def _iterated(
    kernel: LinearisedKernel,
    push: Callable[[Tensor], Tensor],
    pull: Callable[[Tensor], Tensor],
    kept: Float[Tensor, "G n 1"],
    right: Float[Tensor, "G n C"],
) -> Float[Tensor, "G n C"]:
    """The same by conjugate gradients, every group with its own system."""
    shape = right.shape

    def product(columns: Tensor) -> Tensor:
        vectors = columns.T.reshape(shape)
        moved = kernel.matvec(push(kept * vectors))
        return (vectors + kept * pull(moved)).flatten(1).T

    found = conjugate_gradients(product, right.flatten(1).T, _TOLERANCE, _MAX_ITERATIONS)
    if found.residual > _TOLERANCE:
        raise ArithmeticError(
            f"leaving labels out did not converge: residual {found.residual:.1e} after "
            f"{found.iterations} iterations ({shape[1]} labels, {shape[2]} classes)"
        )
    return kept * found.values.T.reshape(shape)
