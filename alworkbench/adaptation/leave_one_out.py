"""Leave-one-out predictions of the learner for its own labels, without fitting again.

At the optimum, the labels other than i predict the logits of image i (the cavity mean)

    mean_-i = f_i - Sigma_-i a_i        a_i = weight_i (y_i - p_i)

where Sigma_-i is the covariance of z_i given all labels but i's. This is exact for a quadratic loss. For
the softmax, the curvature of the other labels is that at the optimum of all labels (Rasmussen & Williams
2006, section 5.4.2; Vehtari et al. 2016, arXiv:1412.7461). The same holds for groups of labels that are
left out together. Sigma_-i a_i is a solve in which label i has no curvature: from one factorisation for
all labels if there are few, otherwise by conjugate gradients, one right-hand side a group.

The labels were chosen, as a rule where the model was uncertain. So the figures describe images like the
labelled ones and not the pool; an audit set measures the pool.

Dimensions used in this file
    n  labelled images
    C  classes
    G  groups that are left out together
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.conjugate_gradients import conjugate_gradients
from alworkbench.adaptation.label_gram import LabelCurvature, softmax_curvature_roots
from alworkbench.adaptation.learner import Learner
from alworkbench.evaluation.metrics import Metrics, measure
from alworkbench.posterior.covariance import LinearisedKernel

DENSE_LIMIT = 3000
"""Up to this many (image, class) pairs, one factorisation serves all groups."""

_TOLERANCE = 1e-6
_MAX_ITERATIONS = 5000
_USUAL_ITERATIONS = 60
"""Iterations of a usual solve, for the estimate of the cost."""
_BUDGET = 6e10
"""Operations that one call may cost, a few seconds of one core; above, labels are left out in groups."""
_FEWEST_GROUPS = 10
_BLOCK_NUMBERS = 1 << 18
"""Numbers of the right-hand sides that are solved together."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Predictions for labelled images by a learner that did not see their labels."""

    logits: Float[Tensor, "n C"]
    groups: int
    """n: each label was left out alone. Fewer: labels were left out together, which is pessimistic."""
    metrics: Metrics
    """Against one class of each label."""

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
    """Whether `leave_one_out` is possible, within about four seconds of one core."""
    if learner.state is None or len(learner.state.images) == 0:
        return False
    if learner.predictor is not None:
        return False
    if learner.pool_term is not None:
        return True
    count, classes = learner.state.probabilities.shape
    return _FEWEST_GROUPS * _cost(count, classes) <= 2 * _BUDGET


def _cost(count: int, classes: int) -> float:
    """Estimated operations of leaving out one group by iteration."""
    return _USUAL_ITERATIONS * (6.0 * count**2 * classes + 8.0 * count * classes**2)


def leave_one_out(
    learner: Learner,
    targets: Float[Tensor, "n C"],
    groups: int | None = None,
    labels: Int[Tensor, "n"] | None = None,
) -> LeftOut:
    """The predictions for each labelled image from the labels of the other images.

    `targets` are those that the learner learned from, in their order. `labels` are the class indices that
    are measured against (None: the most likely class of each target). Without `groups`, each label is left
    out alone if that takes a few seconds at most, and otherwise with others, in at least ten groups (label
    i in group i mod G). A learner with a pool term was learned anew without each of its folds; these are
    its groups. Raises ValueError for a learner without labels or with a predictor of its own,
    ArithmeticError where a solve does not converge.
    """
    state = learner.state
    if state is None:
        raise ValueError("leave-one-out needs a learner with labels")
    if learner.predictor is not None:
        raise ValueError(
            "leave-one-out needs the linearised model: this learner predicts with "
            f"{type(learner.predictor).__name__}"
        )
    truth = targets.argmax(dim=-1) if labels is None else labels
    if learner.pool_term is not None:
        return _measured(learner.pool_term.left_out.double(), learner.pool_term.folds, truth)
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
    return _measured(left, groups, truth)


def _measured(left: Float[Tensor, "n C"], groups: int, truth: Int[Tensor, "n"]) -> LeftOut:
    return LeftOut(left, groups, measure(left.softmax(dim=-1).cpu(), truth.cpu()))


def held_out_changes(
    kernel: LinearisedKernel,
    probabilities: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    dual: Float[Tensor, "n C"],
    group_of: Int[Tensor, "n"],
) -> Float[Tensor, "n C"]:
    """Sigma_-g a_g for every group g: how far the labels of a group moved their own logits. float64.

    Sigma_-g is the covariance given the labels of all other groups, whose curvature is
    weight (diag(p) - p p^T). Raises ArithmeticError where a solve does not converge.
    """
    count, classes = probabilities.shape
    if dual.numel() <= DENSE_LIMIT:
        return _factorised(kernel, probabilities, weights, dual, group_of)
    curvature = LabelCurvature(probabilities, weights)
    changes = torch.zeros_like(dual)
    every = torch.arange(int(group_of.max()) + 1, device=dual.device)
    for some in every.split(max(1, _BLOCK_NUMBERS // (count * classes))):
        out = group_of[None, :] == some[:, None]  # G n: left out
        kept = (~out).to(dual)[:, :, None]
        spread = kernel.matvec(dual * out[:, :, None])  # G n C: K a_g
        right = kept * curvature.apply_root_transpose(spread)
        inner = curvature.apply_root(_iterated(kernel, curvature, kept, right))
        changes += ((spread - kernel.matvec(inner)) * out[:, :, None]).sum(dim=0)
    return changes


def _factorised(
    kernel: LinearisedKernel,
    probabilities: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    dual: Float[Tensor, "n C"],
    group_of: Int[Tensor, "n"],
) -> Float[Tensor, "n C"]:
    """From the covariance given all labels, Sigma = K - V^T V with V = L^-1 R^T K, L L^T = I + R^T K R.

    Woodbury's identity removes the labels of a group g, with all blocks restricted to the group:
    Sigma_-g a = Sigma a + Sigma R (I - R^T Sigma R)^-1 R^T Sigma a.
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
        members = (group_of == group).nonzero()[:, 0]
        taken = known[:, members].flatten(1)  # nr gC
        rows = (members[:, None] * classes + torch.arange(classes, device=members.device)).flatten()
        spread = dense[rows[:, None], rows] - taken.T @ taken  # gC gC: Sigma
        root = torch.block_diag(*roots[members])
        half = spread @ root  # gC gr: Sigma R
        left = torch.eye(root.shape[1]).to(half) - root.T @ half
        moved = spread @ dual[members].flatten()
        back = torch.linalg.solve(left, root.T @ moved)
        changes[members] = (moved + half @ back).reshape(len(members), classes)
    return changes


def _narrow_roots(
    probabilities: Float[Tensor, "n C"], weights: Float[Tensor, "n"]
) -> Float[Tensor, "n C r"]:
    """Roots of the curvature of the labels with C - 1 columns: a shift of all classes has no curvature.

    R sqrt(p) = 0. Householder's reflection takes -sqrt(p) to the first axis, whose column is then zero.
    """
    axis = probabilities.sqrt()
    axis[:, 0] += 1
    axis = axis / axis.norm(dim=-1, keepdim=True)
    roots = weights.sqrt()[:, None, None] * softmax_curvature_roots(probabilities)
    return (roots - 2 * (roots @ axis[:, :, None]) * axis[:, None, :])[:, :, 1:]


def _iterated(
    kernel: LinearisedKernel,
    curvature: LabelCurvature,
    kept: Float[Tensor, "G n 1"],
    right: Float[Tensor, "G n C"],
) -> Float[Tensor, "G n C"]:
    """Solve for every group, each with its own system, by conjugate gradients."""
    shape = right.shape

    def product(columns: Tensor) -> Tensor:
        vectors = columns.T.reshape(shape)
        moved = kernel.matvec(curvature.apply_root(kept * vectors))
        return (vectors + kept * curvature.apply_root_transpose(moved)).flatten(1).T

    found = conjugate_gradients(product, right.flatten(1).T, _TOLERANCE, _MAX_ITERATIONS)
    if found.residual > _TOLERANCE:
        raise ArithmeticError(
            f"leave-one-out did not converge: residual {found.residual:.1e} after "
            f"{found.iterations} iterations ({shape[1]} labels, {shape[2]} classes)"
        )
    return kept * found.values.T.reshape(shape)
