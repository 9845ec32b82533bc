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

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.posterior.linearised import ImageCoordinates, Linearisation

DENSE_LIMIT = 2500
"""Up to this many (image, class) pairs a Cholesky factorisation is quicker than iterating."""

_TOLERANCE = 1e-12
_MAX_ITERATIONS = 5000


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
    image_units: Float[Tensor, "n n"]
    """u~_i . u~_j"""
    text_targets: Float[Tensor, "C C"]
    """t'_c . t'_d"""
    text_cross: Float[Tensor, "n C"]
    """u'_i . t'_c"""
    text_units: Float[Tensor, "n n"]
    """u'_i . u'_j"""

    @classmethod
    def of(cls, model: Linearisation, images: ImageCoordinates) -> LabelKernel:
        classes = model.classes
        return cls(
            images.cosines,
            images.scale,
            classes.scale,
            images.whitened @ images.whitened.T,
            classes.whitened @ classes.whitened.T,
            classes.by_image @ classes.by_image.T,
            images.by_image @ classes.by_image.T,
            images.by_image @ images.by_image.T,
            classes.by_text @ classes.by_text.T,
            images.by_text @ classes.by_text.T,
            images.by_text @ images.by_text.T,
        )

    def apply(self, weights: Float[Tensor, "*K n C"]) -> Float[Tensor, "*K n C"]:
        """The covariance times these weights."""
        cosines = self.cosines
        scaled = weights * self.image_scale[:, None]  # K n C
        along = self.image_kinship @ scaled  # K n C
        back = (scaled * cosines).sum(dim=-1, keepdim=True)  # K n 1
        image = (
            along @ self.image_targets
            - self.image_kinship @ (back * self.image_cross)
            - cosines * (along * self.image_cross).sum(dim=-1, keepdim=True)
            + cosines * ((self.image_kinship * self.image_units) @ back)
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
        return self.image_scale[:, None] * image + self.class_scale * text

    def dense_if_small(self) -> Float[Tensor, "n C n C"] | None:
        """`dense()` up to DENSE_LIMIT pairs, else None."""
        return self.dense() if self.cosines.numel() <= DENSE_LIMIT else None

    def dense(self) -> Float[Tensor, "n C n C"]:
        """All of it: (n C)^2 numbers."""
        cosines = self.cosines
        left = cosines[:, :, None, None]  # S_ic
        right = cosines[None, None]  # S_jd
        image = (
            self.image_targets[None, :, None, :]
            - right * self.image_cross.T[None, :, :, None]
            - left * self.image_cross[:, None, None, :]
            + left * right * self.image_units[:, None, :, None]
        )
        pairs = self.image_kinship * torch.outer(self.image_scale, self.image_scale)
        text = (
            self.text_units[:, None, :, None]
            - right * self.text_cross[:, None, None, :]
            - left * self.text_cross.T[None, :, :, None]
            + left * right * self.text_targets[None, :, None, :]
        )
        names = self.class_kinship * torch.outer(self.class_scale, self.class_scale)
        return image * pairs[:, None, :, None] + text * names[None, :, None, :]


class LabelGram:
    """I + R^T K R for labels of curvature Lambda_i = R_i R_i^T, ready to be solved with.

    Below DENSE_LIMIT pairs it is factorised once; above, each solve is a conjugate-gradient run of
    products with the kernel (all right-hand sides together) to a relative residual of 1e-12.
    """

    def __init__(
        self,
        kernel: LabelKernel,
        roots: Float[Tensor, "n C C"],
        dense: Float[Tensor, "n C n C"] | None,
    ) -> None:
        """`dense` is `kernel.dense_if_small()`: computed once for many Grams of one kernel."""
        self._kernel = kernel
        self._roots = roots
        self._factor: Tensor | None = None
        if dense is not None:
            size = roots.shape[0] * roots.shape[1]
            gram = torch.einsum("ica,icjd,jdb->iajb", roots, dense, roots).reshape(size, size)
            gram.diagonal().add_(1.0)
            self._factor = torch.linalg.cholesky(gram)

    def apply(self, vectors: Float[Tensor, "K n C"]) -> Float[Tensor, "K n C"]:
        """Gram @ v."""
        return vectors + self.pull(self._kernel.apply(self.push(vectors)))

    def push(self, vectors: Float[Tensor, "K n C"]) -> Float[Tensor, "K n C"]:
        """R v."""
        return torch.einsum("ica,kia->kic", self._roots, vectors)

    def pull(self, vectors: Float[Tensor, "K n C"]) -> Float[Tensor, "K n C"]:
        """R^T v."""
        return torch.einsum("ica,kic->kia", self._roots, vectors)

    def solve(self, right: Float[Tensor, "K n C"]) -> Float[Tensor, "K n C"]:
        """Gram^-1 times K right-hand sides."""
        if self._factor is not None:
            flat = right.reshape(len(right), -1).T  # nC K
            return torch.cholesky_solve(flat, self._factor).T.reshape(right.shape)
        return self._conjugate_gradients(right)

    def _conjugate_gradients(self, right: Float[Tensor, "K n C"]) -> Float[Tensor, "K n C"]:
        solution = torch.zeros_like(right)
        residual = right.clone()
        direction = residual.clone()
        square = _inner(residual, residual)  # K 1 1
        target = _TOLERANCE**2 * square
        for _ in range(_MAX_ITERATIONS):
            if bool((square <= target).all()):
                return solution
            product = self.apply(direction)
            step = square / _inner(direction, product).clamp_min(torch.finfo(right.dtype).tiny)
            solution += step * direction
            residual -= step * product
            following = _inner(residual, residual)
            ratio = following / square.clamp_min(torch.finfo(right.dtype).tiny)
            direction = residual + ratio * direction
            square = following
        raise ArithmeticError(
            f"conjugate gradients did not converge in {_MAX_ITERATIONS} iterations "
            f"({right.shape[1]} labels, {right.shape[2]} classes)"
        )


def _inner(left: Float[Tensor, "K n C"], right: Float[Tensor, "K n C"]) -> Float[Tensor, "K 1 1"]:
    return (left * right).sum(dim=(-2, -1), keepdim=True)


def softmax_curvature_roots(probabilities: Float[Tensor, "*N C"]) -> Float[Tensor, "*N C C"]:
    """R with R R^T = diag(p) - p p^T: R = diag(sqrt p) - p sqrt(p)^T."""
    root = probabilities.sqrt()
    return torch.diag_embed(root) - probabilities[..., :, None] * root[..., None, :]
