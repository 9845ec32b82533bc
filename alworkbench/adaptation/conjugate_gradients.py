"""Conjugate gradients for A = I + a positive semi-definite matrix, given as products with A.

No eigenvalue of A is below one, so the residual bounds the error: |x - x*| <= |b - A x|.

Dimensions used in this file
    N  unknowns
    K  right-hand sides
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Product = Callable[[Tensor], Tensor]
"""A times these columns: (N K) -> (N K)."""


@dataclass(frozen=True, slots=True)
class Solution:
    """Solutions of A x = b for K right-hand sides."""

    values: Float[Tensor, "N K"]
    residual: float
    """Largest |b - A x| / |b| over the right-hand sides, as the recursion computes it."""
    iterations: int


def conjugate_gradients(
    product: Product,
    right: Float[Tensor, "N K"],
    tolerance: float,
    limit: int,
) -> Solution:
    """Hestenes and Stiefel, 1952, for every column by itself; each column may have its own matrix.

    Stops when all relative residuals are at most `tolerance`, or after `limit` products.
    """
    values = torch.zeros_like(right)
    residual = right.clone()
    tiny = torch.finfo(right.dtype).tiny
    square = right.square().sum(dim=0)  # K
    first = square.clamp_min(tiny)  # K
    direction = residual.clone()
    for iteration in range(limit):
        worst = float((square / first).max())
        if worst <= tolerance**2:
            return Solution(values, worst**0.5, iteration)
        moved = product(direction)
        step = square / (direction * moved).sum(dim=0).clamp_min(tiny)  # K
        values += step * direction
        residual -= step * moved
        following = residual.square().sum(dim=0)  # K
        direction = residual + (following / square.clamp_min(tiny)) * direction
        square = following
    return Solution(values, float((square / first).max()) ** 0.5, limit)


def block_conjugate_gradients(
    product: Product, right: Float[Tensor, "N K"], tolerance: float, limit: int
) -> Solution:
    """Conjugate gradients for K right-hand sides that share their search directions.

    An iteration adds K directions for all right-hand sides, so the K largest eigenvalues are removed at
    once and a few iterations are enough. The residuals are kept as Q C with orthonormal Q, which stays
    stable when residuals become linearly dependent: Dubrulle, "Retooling the method of block conjugate
    gradients", ETNA 12, 2001 (BCGrQ). Needs N >= K.
    """
    values = torch.zeros_like(right)
    sizes = right.norm(dim=0).clamp_min(torch.finfo(right.dtype).tiny)  # K
    basis, coefficients = torch.linalg.qr(right)  # N K, K K
    directions = basis
    relative = 1.0
    for iteration in range(1, limit + 1):
        moved = product(directions)
        gram = directions.mT @ moved  # K K
        factor, failed = torch.linalg.cholesky_ex((gram + gram.mT) / 2)
        if int(failed):  # the directions are rounding: this precision gives no more
            return Solution(values, relative, iteration - 1)
        steps = torch.cholesky_inverse(factor)  # K K
        values += directions @ (steps @ coefficients)
        basis, scale = torch.linalg.qr(basis - moved @ steps)
        coefficients = scale @ coefficients
        directions = basis + directions @ scale.mT
        relative = float((coefficients.norm(dim=0) / sizes).max())
        if relative <= tolerance:
            return Solution(values, relative, iteration)
    return Solution(values, relative, limit)
