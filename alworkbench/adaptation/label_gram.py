"""Solve linear systems with the Gram matrix of the labels, I + R^T Cov R.

Cov is the covariance of the logits of the n labelled images under the posterior without labels
(`LinearisedKernel`). R R^T is the curvature of the loss of the labels in these logits. Source: Rasmussen &
Williams 2006, algorithms 3.3 and 3.5.

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
"""Up to this many (image, class) pairs the system is factorised; above, it is solved iteratively."""

_MAX_ITERATIONS = 20_000
_MAX_REFINEMENTS = 20
_SINGLE = 1e-5
"""Smallest relative residual of one run in float32; rounding errors prevent a smaller one."""
_BLOCK = 128
_BLOCK_NUMBERS = 1 << 24
"""Right-hand sides that are solved together, and the numbers that they may hold (64 MiB in float32)."""


class LabelGram:
    """The system I + R^T Cov R for labels with curvature Lambda_i = R_i R_i^T = w_i (diag p_i - p_i p_i^T).

    R_i = sqrt(w_i) (diag(sqrt p_i) - p_i sqrt(p_i)^T); see `LabelCurvature` for products with it.

    Up to DENSE_LIMIT pairs the system is factorised. Above, conjugate gradients in float32 solve it, and
    iterative refinement with residuals in float64 gives the rest of the precision. The curvature of
    confident labels is small, so that few eigenvalues lie far above one and few iterations suffice.
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
        """The matrix times v, in the number type of v (float32 or float64)."""
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
        """Solutions for K right-hand sides, float64, each with a relative residual of `tolerance`.

        A factorisation ignores the tolerance: it has the precision of float64. Raises ArithmeticError
        if the iteration does not converge.
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
            # Half of the tolerance: the residual of the recursion differs a little from the exact one.
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
    """Products with R and its transpose, where R R^T = w (diag(p) - p p^T) for every label.

    R is never formed: R v = sqrt(w) (sqrt(p) v - p (sqrt(p) . v)). Weights None count as ones.
    """

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
