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
from jaxtyping import Bool, Float, Int
from torch import Tensor

from alworkbench.adaptation.kernel import LabelKernel, softmax_curvature_roots
from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.solving import conjugate_gradients
from alworkbench.metrics import Metrics, measure

DENSE_LIMIT = 3000
"""Up to this many (image, class) pairs one inverse serves all groups; above, each is iterated for."""

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
    if learner.taught is None or len(learner.taught.images) == 0:
        return False
    if learner.predictor is not None:
        return False
    count, classes = learner.taught.probabilities.shape
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
    taught = learner.taught
    if taught is None:
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
    group_of = torch.arange(count, device=targets.device) % groups
    targets = targets.to(taught.probabilities)
    weights = targets.new_ones(count) if taught.weights is None else taught.weights
    kernel = LabelKernel.of(learner.model.double(), taught.images, taught.class_free)
    dual = weights[:, None] * (targets - taught.probabilities)
    start = taught.images.logits
    fitted = start + kernel.apply(dual)
    left = fitted - held_out_changes(kernel, taught.probabilities, weights, dual, group_of)
    return LeftOut(left, groups, measure(left.softmax(dim=-1).cpu(), targets.argmax(dim=-1).cpu()))


def held_out_changes(
    kernel: LabelKernel,
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

    inverse = _inverse(kernel, probabilities, weights) if dual.numel() <= DENSE_LIMIT else None
    changes = torch.zeros_like(dual)
    every = torch.arange(int(group_of.max()) + 1, device=dual.device)
    for some in every.split(max(1, _BLOCK_NUMBERS // (count * classes))):
        out = group_of[None, :] == some[:, None]  # G n: left out
        kept = (~out).to(dual)[:, :, None]
        spread = kernel.apply(dual * out[:, :, None])  # G n C: K a_g
        right = kept * pull(spread)
        if inverse is None:
            inner = _iterated(kernel, push, pull, kept, right)
        else:
            inner = _without(inverse, out, right)
        changes += ((spread - kernel.apply(push(inner))) * out[:, :, None]).sum(dim=0)
    return changes


def _inverse(
    kernel: LabelKernel, probabilities: Float[Tensor, "n C"], weights: Float[Tensor, "n"]
) -> Float[Tensor, "nC nC"]:
    """(I + R^T K R)^-1, of all labels."""
    roots = weights.sqrt()[:, None, None] * softmax_curvature_roots(probabilities)
    gram = torch.einsum("ica,icjd->iajd", roots, kernel.dense())
    gram = torch.einsum("iajd,jdb->iajb", gram, roots)
    gram = gram.reshape(probabilities.numel(), probabilities.numel())
    gram.diagonal().add_(1.0)
    return torch.cholesky_inverse(torch.linalg.cholesky(gram))


def _without(
    inverse: Float[Tensor, "nC nC"], out: Bool[Tensor, "G n"], right: Float[Tensor, "G n C"]
) -> Float[Tensor, "G n C"]:
    """The solutions for right-hand sides, each zero on its group, of the systems that lack the group.

    With H the inverse of the whole, that of the rest is H_oo - H_og H_gg^-1 H_go.
    """
    whole = right.flatten(1) @ inverse  # G nC
    lost = torch.zeros_like(whole)  # G nC: H_gg^-1 H_go b, on the group
    for k, group in enumerate(out):
        rows = group.repeat_interleave(right.shape[2]).nonzero()[:, 0]
        lost[k, rows] = torch.linalg.solve(inverse[rows[:, None], rows], whole[k, rows])
    return (whole - lost @ inverse).reshape(right.shape) * ~out[:, :, None]


def _iterated(
    kernel: LabelKernel,
    push: Callable[[Tensor], Tensor],
    pull: Callable[[Tensor], Tensor],
    kept: Float[Tensor, "G n 1"],
    right: Float[Tensor, "G n C"],
) -> Float[Tensor, "G n C"]:
    """The same by conjugate gradients, every group with its own system."""
    shape = right.shape

    def product(columns: Tensor) -> Tensor:
        vectors = columns.T.reshape(shape)
        moved = kernel.apply(push(kept * vectors))
        return (vectors + kept * pull(moved)).flatten(1).T

    found = conjugate_gradients(product, right.flatten(1).T, _TOLERANCE, _MAX_ITERATIONS)
    if found.residual > _TOLERANCE:
        raise ArithmeticError(
            f"leaving labels out did not converge: residual {found.residual:.1e} after "
            f"{found.iterations} iterations ({shape[1]} labels, {shape[2]} classes)"
        )
    return kept * found.values.T.reshape(shape)
