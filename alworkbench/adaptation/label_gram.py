"""Solves with the system of the labels: I + R^T K R, with K the covariance of the labelled logits.

K is the `LinearisedKernel` of the n labelled images under the posterior without labels, and R R^T the
curvature of the labels' loss. Rasmussen & Williams 2006, algorithms 3.3 and 3.5.

Dimensions used in this file
    n  labelled images
    C  classes
    K  right-hand sides
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.conjugate_gradients import (
    block_conjugate_gradients,
    conjugate_gradients,
)
from alworkbench.posterior.covariance import LinearisedKernel

DENSE_LIMIT = 512
"""Up to this many (image, class) pairs a Cholesky factorisation is as quick as iterating."""

_MAX_ITERATIONS = 20_000
_MAX_REFINEMENTS = 20
_SINGLE = 1e-5
"""What one run in float32 can be asked for: below, its rounding rules."""
_BLOCK = 128
_BLOCK_NUMBERS = 1 << 24
"""Right-hand sides that are iterated together, and the numbers that they may hold (64 MiB)."""


class LabelGram:
    """I + R^T K R, ready to be solved with, for labels of curvature Lambda_i = R_i R_i^T.

    Lambda_i = w_i (diag(p_i) - p_i p_i^T), R_i = sqrt(w_i) (diag(sqrt p_i) - p_i sqrt(p_i)^T), which
    is never formed: R v = sqrt(w) (sqrt(p) v - p (sqrt(p) . v)).

    Up to DENSE_LIMIT pairs it is factorised; above, solved by conjugate gradients in float32. The
    curvature of confident labels is small, so few eigenvalues lie far above one and few iterations
    are needed. What float32 cannot give is made up by refining with residuals in float64.
    """

    def __init__(
        self,
        kernel: LinearisedKernel,
        probabilities: Float[Tensor, "n C"],
        weights: Float[Tensor, "n"] | None = None,
    ) -> None:
        self._kernel = kernel
        self._double = LabelCurvature(probabilities, weights)
        self._single = LabelCurvature(
            probabilities.float(), None if weights is None else weights.float()
        )
        self._factor: Tensor | None = None
        if kernel.entries <= DENSE_LIMIT:
            roots = softmax_curvature_roots(probabilities)
            if weights is not None:
                roots = weights.sqrt()[:, None, None] * roots
            size = probabilities.numel()
            gram = torch.einsum("ica,icjd,jdb->iajb", roots, kernel.dense(), roots)
            gram = gram.reshape(size, size)
            gram.diagonal().add_(1.0)
            self._factor = torch.linalg.cholesky(gram)

    def apply_root(self, vectors: Float[Tensor, "*K n C"]) -> Float[Tensor, "*K n C"]:
        """R v."""
        return self._double.apply_root(vectors)

    def apply_root_transpose(self, vectors: Float[Tensor, "*K n C"]) -> Float[Tensor, "*K n C"]:
        """R^T v."""
        return self._double.apply_root_transpose(vectors)

    def apply(self, vectors: Float[Tensor, "*K n C"]) -> Float[Tensor, "*K n C"]:
        """Gram @ v, in the precision of v."""
        if vectors.dtype == torch.float32:
            kernel, curvature = self._kernel.single, self._single
        else:
            kernel, curvature = self._kernel, self._double
        return vectors + curvature.apply_root_transpose(
            kernel.matvec(curvature.apply_root(vectors))
        )

    def solve(
        self, right: Float[Tensor, "K n C"], tolerance: float = 1e-12
    ) -> Float[Tensor, "K n C"]:
        """Gram^-1 times K right-hand sides, float64, each to this relative residual.

        The tolerance of a factorisation is that of float64. Raises ArithmeticError where iterating
        does not get there.
        """
        if self._factor is not None:
            flat = right.reshape(len(right), -1).T  # nC K
            return torch.cholesky_solve(flat, self._factor).T.reshape(right.shape)
        pairs = right[0].numel()
        width = max(1, min(_BLOCK, _BLOCK_NUMBERS // pairs, pairs // 4))
        return torch.cat([self._refined(part, tolerance) for part in right.split(width)])

    def _refined(self, right: Float[Tensor, "K n C"], tolerance: float) -> Float[Tensor, "K n C"]:
        """Iterative refinement: float32 iterations, float64 residuals (Wilkinson, 1963)."""
        wanted = tolerance * right.flatten(1).norm(dim=1)  # K
        solution = torch.zeros_like(right)
        residual, before = right, float("inf")
        for _ in range(_MAX_REFINEMENTS):
            sizes = residual.flatten(1).norm(dim=1)  # K
            worst = float((sizes / wanted.clamp_min(torch.finfo(wanted.dtype).tiny)).max())
            if worst <= 1:
                return solution
            if worst > before / 2:
                return solution + self._iterated(residual, wanted, torch.float64)
            before = worst
            # Half of it: what the recursion believes and what float64 finds differ a little.
            solution = solution + self._iterated(residual, wanted / 2, torch.float32)
            residual = right - self.apply(solution)
        return solution + self._iterated(residual, wanted, torch.float64)

    def _iterated(
        self,
        right: Float[Tensor, "K n C"],
        wanted: Float[Tensor, "K"],
        precision: torch.dtype,
    ) -> Float[Tensor, "K n C"]:
        shape = right.shape
        scale = right.flatten(1).norm(dim=1).clamp_min(torch.finfo(right.dtype).tiny)  # K
        columns = (right.flatten(1) / scale[:, None]).T.to(precision)  # nC K
        tolerance = float((wanted / scale).min().clamp_max(1.0))

        def product(vectors: Tensor) -> Tensor:
            stacked = vectors.T.reshape(-1, *shape[1:])
            return self.apply(stacked).flatten(1).T

        limit = _MAX_ITERATIONS
        if precision == torch.float32:
            tolerance, limit = max(tolerance, _SINGLE), _MAX_ITERATIONS // 20
        if len(right) == 1:
            found = conjugate_gradients(product, columns, tolerance, limit)
        else:
            found = block_conjugate_gradients(product, columns, tolerance, limit)
        if precision == torch.float64 and found.residual > tolerance:
            raise ArithmeticError(
                f"conjugate gradients did not converge in {found.iterations} iterations "
                f"({shape[1]} labels, {shape[2]} classes, residual {found.residual:.1e})"
            )
        return (found.values.to(right.dtype) * scale).T.reshape(shape)


class LabelCurvature:
    """Products with R and its transpose, R R^T = w (diag(p) - p p^T) for every label."""

    def __init__(
        self, probabilities: Float[Tensor, "n C"], weights: Float[Tensor, "n"] | None
    ) -> None:
        self._probabilities = probabilities
        root = probabilities.sqrt()
        self._root = root if weights is None else weights.sqrt()[:, None] * root

    def apply_root(self, vectors: Float[Tensor, "*K n C"]) -> Float[Tensor, "*K n C"]:
        """R v."""
        scaled = self._root * vectors
        return scaled - self._probabilities * scaled.sum(dim=-1, keepdim=True)

    def apply_root_transpose(self, vectors: Float[Tensor, "*K n C"]) -> Float[Tensor, "*K n C"]:
        """R^T v."""
        mean = (self._probabilities * vectors).sum(dim=-1, keepdim=True)
        return self._root * (vectors - mean)


def softmax_curvature_roots(probabilities: Float[Tensor, "*N C"]) -> Float[Tensor, "*N C C"]:
    """R with R R^T = diag(p) - p p^T: R = diag(sqrt p) - p sqrt(p)^T."""
    root = probabilities.sqrt()
    return torch.diag_embed(root) - probabilities[..., :, None] * root[..., None, :]
