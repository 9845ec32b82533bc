"""Greedy EPIG in the space of joint draws: batches that tell most about the predictions of the targets.

EPIG (Bickford Smith et al. 2023, arXiv:2304.08151) of the linearised model, to second order: the
information between the label of an image and the label of a target is half the squared correlation of
their logits, each weighted by its softmax curvature. Let D_i (K x C) be the centred draws of the logits
of image i, divided by sqrt(K). The covariance of two images given the picks so far is D_i^T S D_j, and S
starts as the identity. For each pick

    W_j = (I + Lambda_j D_j^T S D_j)^-1 Lambda_j        Q = S (sum_j w_j D_j W_j D_j^T) S
    G_i = (I + Lambda_i D_i^T S D_i)^-1 Lambda_i        score_i = 1/2 <G_i, D_i^T Q D_i>

and S is conditioned on the picked image. The curvature does not depend on the label, so the effect of a
pick on all other images is known before its label is: near-copies lose their score at once.

With Lambda = R R^T and V = D R, both W and G are R (I + V^T S V)^-1 R^T, and score_i is 1/2 tr((I + V^T S
V)^-1 V^T Q V): products of one matrix with all images, and systems of size C. O(N K C (K + C)) operations
a pick.

Dimensions used in this file
    K  draws
    N  candidates
    M  targets
    C  classes
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 4096
"""Images whose C x C systems are solved at once."""


@dataclass(frozen=True, slots=True)
class DrawSpace:
    """K joint draws of the logits of images, weighted by the softmax curvature of each image."""

    seen: Float[Tensor, "N C K"]
    """V^T = (D R)^T: centred draws of the logits over sqrt(K), times R with Lambda = R R^T."""
    probabilities: Float[Tensor, "N C"]
    """Moderated class probabilities, at which the curvature is taken."""

    @classmethod
    def of(cls, changes: Float[Tensor, "K N C"], logits: Float[Tensor, "N C"]) -> DrawSpace:
        """`changes` are draws of the change of each logit from its mean `logits`.

        The curvature is taken at the probit-moderated probabilities softmax(z / sqrt(1 + pi / 8 Var z)): a
        model can be confident and its posterior uncertain.
        """
        deviations = changes - changes.mean(dim=0)  # K N C
        deviations = deviations.permute(1, 2, 0) / math.sqrt(len(changes))  # N C K: D^T
        variance = deviations.square().sum(dim=-1)  # N C
        probabilities = (logits * (1 + math.pi / 8 * variance).rsqrt()).softmax(dim=-1)
        # R^T D with R = diag(sqrt p) - p sqrt(p)^T; R is not formed, C x C an image is too much memory
        mean = torch.einsum("nc,nck->nk", probabilities, deviations)
        seen = probabilities.sqrt()[:, :, None] * (deviations - mean[:, None, :])
        return cls(seen, probabilities)

    def __len__(self) -> int:
        return len(self.seen)

    def rows(self, rows: Tensor) -> DrawSpace:
        """The same for these rows alone."""
        return DrawSpace(self.seen[rows], self.probabilities[rows])


@dataclass(frozen=True, slots=True)
class Pick:
    """An image that was picked."""

    row: int
    """Position among the candidates."""
    score: float
    """Expected information about the targets in nats, given the earlier picks."""


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """All that a score before the first pick needs of the targets, so that candidates can stream."""

    matrix: Float[Tensor, "K K"]
    """Q with S = I."""
    own: float
    """sum_j w_j tr(W_j Cov_jj): the uncertainty of the targets, for the correction of the bias."""

    @classmethod
    def of(
        cls, targets: DrawSpace, target_weights: Float[Tensor, "M"], *, block: int = BLOCK
    ) -> TargetSummary:
        """The matrix K x K of the targets, summed in blocks of `block` targets."""
        weights = target_weights / target_weights.sum()
        state = torch.eye(targets.seen.shape[-1]).to(targets.seen)  # K K
        matrix = _wanted(targets, weights, state, block)
        return cls(matrix, float(matrix.diagonal().sum()))

    def scores(
        self, candidates: DrawSpace, *, corrected: bool = False, block: int = BLOCK
    ) -> Float[Tensor, "N"]:
        """Expected information of each candidate by itself about the targets, in nats.

        The square of a covariance estimated from K centred draws is too large: with n = K - 1,
        E tr(G C W C^T) (K/n)^2 = (1 + 1/n) tr(G Cov W Cov^T) + tr(G Cov_ii) tr(W Cov_jj) / n. With
        `corrected` this bias is removed, exactly for Gaussian draws and given curvatures. The result can be
        slightly negative.
        """
        eye = torch.eye(candidates.seen.shape[-1]).to(candidates.seen)  # K K
        raw = _scores(candidates, eye, self.matrix, block)
        count = candidates.seen.shape[-1]
        if not corrected or count < 3:  # two draws are too few for the correction
            return raw
        own = 2 * _scores(candidates, eye, eye, block)  # tr(G_i Cov_ii)
        left = count - 1
        scale = (count / left) ** 2 / (1 + 1 / left - 2 / left**2)
        return scale * (raw - 0.5 * self.own * own / left)


def greedy_epig(
    candidates: DrawSpace,
    targets: DrawSpace,
    target_weights: Float[Tensor, "M"],
    count: int,
    *,
    block: int = BLOCK,
) -> list[Pick]:
    """Up to `count` picks, each given the earlier ones.

    `target_weights` say how much each target counts. They are scaled to sum 1, so the score is a weighted
    mean over the targets.
    """
    weights = target_weights / target_weights.sum()
    state = torch.eye(candidates.seen.shape[-1]).to(candidates.seen)  # K K: S
    free = torch.ones(len(candidates), dtype=torch.bool, device=state.device)
    picks: list[Pick] = []
    for _ in range(min(count, len(candidates))):
        wanted = _wanted(targets, weights, state, block)  # K K: Q
        scores = _scores(candidates, state, wanted, block)
        row = int(torch.where(free, scores, -torch.inf).argmax())
        picks.append(Pick(row, float(scores[row])))
        free[row] = False
        state = _given(state, candidates.rows(torch.tensor([row], device=state.device)))
    return picks


def _inner(seen: Float[Tensor, "N C K"], matrix: Float[Tensor, "K K"]) -> Float[Tensor, "N C C"]:
    """V^T M V for each image."""
    return (seen @ matrix) @ seen.mT


def _middle(seen: Float[Tensor, "N C K"], state: Float[Tensor, "K K"]) -> Float[Tensor, "N C C"]:
    """Cholesky factor of I + V^T S V for each image."""
    inner = _inner(seen, state)
    inner.diagonal(dim1=-2, dim2=-1).add_(1.0)
    return torch.linalg.cholesky(inner)


def _wanted(
    targets: DrawSpace, weights: Float[Tensor, "M"], state: Float[Tensor, "K K"], block: int
) -> Float[Tensor, "K K"]:
    """Q = S (sum_j w_j V_j (I + V_j^T S V_j)^-1 V_j^T) S."""
    total = torch.zeros_like(state)
    for seen, weight in zip(targets.seen.split(block), weights.split(block), strict=True):
        solved = torch.cholesky_inverse(_middle(seen, state)) @ seen  # m C K
        flat = (weight[:, None, None] * seen).flatten(0, 1)  # m C, K
        total += flat.T @ solved.flatten(0, 1)
    return state @ total @ state


def _scores(
    space: DrawSpace, state: Float[Tensor, "K K"], wanted: Float[Tensor, "K K"], block: int
) -> Float[Tensor, "N"]:
    """1/2 tr((I + V^T S V)^-1 V^T Q V) of each image."""
    parts = [
        (torch.cholesky_inverse(_middle(seen, state)) * _inner(seen, wanted)).sum(dim=(-2, -1))
        for seen in space.seen.split(block)
    ]
    return 0.5 * torch.cat(parts)


def _given(state: Float[Tensor, "K K"], picked: DrawSpace) -> Float[Tensor, "K K"]:
    """S after the one image in `picked` is labelled, whatever its label is."""
    through = picked.seen[0] @ state  # C K
    solved = torch.cholesky_solve(through, _middle(picked.seen, state)[0])
    after = state - through.T @ solved
    return (after + after.T) / 2
