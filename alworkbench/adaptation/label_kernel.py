"""Covariance of the logits of the labelled images under the posterior, and solves with it.

The linearised model is a Gaussian process over (image, class) pairs. With whitened features phi~,
psi~, unit embeddings seen through either covariance (u~, t~ through the image side's, u', t' through
the text side's) and cosines S,

    Cov[z_ic, z_jd] = s_i s_j (phi~_i . phi~_j) (t~_c - S_ic u~_i) . (t~_d - S_jd u~_j)
                    + s_c s_d (psi~_c . psi~_d) (u'_i - S_ic t'_c) . (u'_j - S_jd t'_d)

so a product with it costs O(n^2 C + n C^2) from a few Gram matrices, whatever the model's sizes are.

Dimensions used in this file
    n  labelled images
    C  classes
    K  right-hand sides
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.conjugate_gradients import (
    block_conjugate_gradients,
    conjugate_gradients,
)
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation

DENSE_LIMIT = 512
"""Up to this many (image, class) pairs a Cholesky factorisation is as quick as iterating."""

_MAX_ITERATIONS = 20_000
_MAX_REFINEMENTS = 20
_SINGLE = 1e-5
"""What one run in float32 can be asked for: below, its rounding rules."""
_BLOCK = 128
_BLOCK_NUMBERS = 1 << 24
"""Right-hand sides that are iterated together, and the numbers that they may hold (64 MiB)."""


@dataclass(frozen=True, slots=True)
class LabelKernel:
    """The covariance of n x C logits, as the Gram matrices that it is made of."""

    cosines: Float[Tensor, "n C"]
    image_scale: Float[Tensor, "n"]
    class_scale: Float[Tensor, "C"]
    image_kinship: Float[Tensor, "n n"]
    """phi~_i . phi~_j"""
    class_kinship: Float[Tensor, "C C"]
    """psi~_c . psi~_d"""
    image_targets: Float[Tensor, "C C"]
    """t~_c . t~_d"""
    image_cross: Float[Tensor, "n C"]
    """u~_i . t~_c"""
    image_pairs: Float[Tensor, "n n"]
    """(phi~_i . phi~_j) (u~_i . u~_j)"""
    text_targets: Float[Tensor, "C C"]
    """t'_c . t'_d"""
    text_cross: Float[Tensor, "n C"]
    """u'_i . t'_c"""
    text_units: Float[Tensor, "n n"]
    """u'_i . u'_j"""
    class_free: Float[Tensor, "n n"] | None = None
    """Covariance of what each class may add to its logits on its own; see `free_weights`."""

    @classmethod
    def of(
        cls,
        model: Linearisation,
        images: ImageCoordinates,
        class_free: Float[Tensor, "n n"] | None = None,
    ) -> LabelKernel:
        """The kernel of these images; `class_free` is the part that all classes share."""
        classes = model.classes
        kinship = images.whitened @ images.whitened.T
        return cls(
            images.cosines,
            images.scale,
            classes.scale,
            kinship,
            classes.whitened @ classes.whitened.T,
            classes.by_image @ classes.by_image.T,
            images.by_image @ classes.by_image.T,
            kinship * (images.by_image @ images.by_image.T),
            classes.by_text @ classes.by_text.T,
            images.by_text @ classes.by_text.T,
            images.by_text @ images.by_text.T,
            class_free,
        )

    def apply(self, weights: Float[Tensor, "*K n C"]) -> Float[Tensor, "*K n C"]:
        """The covariance times these weights."""
        cosines = self.cosines
        scaled = weights * self.image_scale[:, None]  # K n C
        back = (scaled * cosines).sum(dim=-1, keepdim=True)  # K n 1
        both = self.image_kinship @ torch.cat([scaled, back * self.image_cross], dim=-1)  # K n 2C
        along, towards = both.chunk(2, dim=-1)  # K n C, twice
        image = (
            along @ self.image_targets
            - towards
            + cosines
            * (self.image_pairs @ back - (along * self.image_cross).sum(dim=-1, keepdim=True))
        )
        scaled = weights * self.class_scale  # K n C
        mixed = scaled @ self.class_kinship  # K n C
        back = (scaled * cosines).sum(dim=-2, keepdim=True)  # K 1 C
        text = (
            self.text_units @ mixed
            - self.text_cross @ (back.mT * self.class_kinship)
            - cosines * (self.text_cross * mixed).sum(dim=-2, keepdim=True)
            + cosines * (back @ (self.class_kinship * self.text_targets))
        )
        product = self.image_scale[:, None] * image + self.class_scale * text
        if self.class_free is None:
            return product
        return product + self.class_free @ weights

    def to(self, dtype: torch.dtype) -> LabelKernel:
        """The same in another precision."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(
            self, **{name: part.to(dtype) for name, part in parts.items() if part is not None}
        )

    @property
    def scale(self) -> float:
        """Mean variance of a logit, were embeddings not held to the unit sphere."""
        image = (self.image_scale.square() * self.image_kinship.diagonal()).mean()
        text = (self.class_scale.square() * self.class_kinship.diagonal()).mean()
        targets, units = self.image_targets.diagonal(), self.text_units.diagonal()
        return float(image * targets.mean() + text * units.mean())

    def within_classes(self) -> Float[Tensor, "C n n"]:
        """Covariance of one class's logit, less the mean over the classes, between the images.

        H K_ij H of every pair of images, H = I - 1 1^T / C, its diagonal; O(n^2 C^2).
        """
        classes = self.cosines.shape[1]
        cosines, image_cross, text_cross = self.cosines.T, self.image_cross.T, self.text_cross.T
        left, right = cosines[:, :, None], cosines[:, None, :]  # C n 1, C 1 n
        # Cov[z_ic, z_jc]
        image = self.image_targets.diagonal()[:, None, None]
        image = image - (cosines * image_cross)[:, None, :] - (cosines * image_cross)[:, :, None]
        image = self.image_kinship * image + left * right * self.image_pairs
        text = self.text_units - right * text_cross[:, :, None] - left * text_cross[:, None, :]
        text = text + left * right * self.text_targets.diagonal()[:, None, None]
        names = self.class_kinship * torch.outer(self.class_scale, self.class_scale)  # C C
        pairs = torch.outer(self.image_scale, self.image_scale)
        same = pairs * image + names.diagonal()[:, None, None] * text
        # sum_d Cov[z_ic, z_jd]
        every = self.cosines.sum(dim=1)  # n
        image = self.image_targets.sum(dim=1)[:, None, None] - every * image_cross[:, None, :]
        image = image - left * self.image_cross.sum(dim=1)[:, None]
        image = self.image_kinship * image + left * every * self.image_pairs
        of_class = names.sum(dim=1)[:, None, None]
        text = of_class * (self.text_units - left * text_cross[:, None, :])
        mixed = (self.text_cross[:, None, :] * self.cosines) @ names  # n n C
        text = text - mixed.permute(2, 0, 1)
        text = text + left * ((names * self.text_targets) @ cosines)[:, None, :]
        others = pairs * image + text
        if self.class_free is not None:
            same, others = same + self.class_free, others + self.class_free
        return same - (others + others.mT) / classes + others.sum(dim=0) / classes**2

    def dense(self) -> Float[Tensor, "n C n C"]:
        """All of it: (n C)^2 numbers."""
        cosines = self.cosines
        left = cosines[:, :, None, None]  # S_ic
        right = cosines[None, None]  # S_jd
        towards = (
            self.image_targets[None, :, None, :] - right * self.image_cross.T[None, :, :, None]
        )
        both = towards - left * self.image_cross[:, None, None, :]
        both *= self.image_kinship[:, None, :, None]
        both += left * (right * self.image_pairs[:, None, :, None])
        both *= torch.outer(self.image_scale, self.image_scale)[:, None, :, None]
        towards = self.text_units[:, None, :, None] - right * self.text_cross[:, None, None, :]
        text = towards - left * self.text_cross.T[None, :, :, None]
        text += left * (right * self.text_targets[None, :, None, :])
        names = self.class_kinship * torch.outer(self.class_scale, self.class_scale)
        both += text.mul_(names[None, :, None, :])
        if self.class_free is not None:
            same = torch.eye(cosines.shape[1], dtype=cosines.dtype, device=cosines.device)
            both += self.class_free[:, None, :, None] * same[None, :, None, :]
        return both


class LabelKernels:
    """One covariance in both precisions, and in full where it is small: made once for many solves."""

    def __init__(self, exact: LabelKernel) -> None:
        self.exact = exact
        self.single = exact.to(torch.float32)

    @cached_property
    def dense(self) -> Float[Tensor, "n C n C"] | None:
        """None above DENSE_LIMIT pairs."""
        return self.exact.dense() if self.exact.cosines.numel() <= DENSE_LIMIT else None


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
        kernels: LabelKernels,
        probabilities: Float[Tensor, "n C"],
        weights: Float[Tensor, "n"] | None = None,
    ) -> None:
        self._kernels = kernels
        self._double = _Curvature(probabilities, weights)
        self._single = _Curvature(
            probabilities.float(), None if weights is None else weights.float()
        )
        self._factor: Tensor | None = None
        if kernels.dense is not None:
            roots = softmax_curvature_roots(probabilities)
            if weights is not None:
                roots = weights.sqrt()[:, None, None] * roots
            size = probabilities.numel()
            gram = torch.einsum("ica,icjd,jdb->iajb", roots, kernels.dense, roots)
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
            kernel, curvature = self._kernels.single, self._single
        else:
            kernel, curvature = self._kernels.exact, self._double
        return vectors + curvature.apply_root_transpose(kernel.apply(curvature.apply_root(vectors)))

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


class _Curvature:
    """R and its transpose, as products. R R^T = w (diag(p) - p p^T) for every label."""

    def __init__(
        self, probabilities: Float[Tensor, "n C"], weights: Float[Tensor, "n"] | None
    ) -> None:
        self._probabilities = probabilities
        root = probabilities.sqrt()
        self._root = root if weights is None else weights.sqrt()[:, None] * root

    def apply_root(self, vectors: Float[Tensor, "*K n C"]) -> Float[Tensor, "*K n C"]:
        scaled = self._root * vectors
        return scaled - self._probabilities * scaled.sum(dim=-1, keepdim=True)

    def apply_root_transpose(self, vectors: Float[Tensor, "*K n C"]) -> Float[Tensor, "*K n C"]:
        mean = (self._probabilities * vectors).sum(dim=-1, keepdim=True)
        return self._root * (vectors - mean)


def softmax_curvature_roots(probabilities: Float[Tensor, "*N C"]) -> Float[Tensor, "*N C C"]:
    """R with R R^T = diag(p) - p p^T: R = diag(sqrt p) - p sqrt(p)^T."""
    root = probabilities.sqrt()
    return torch.diag_embed(root) - probabilities[..., :, None] * root[..., None, :]
