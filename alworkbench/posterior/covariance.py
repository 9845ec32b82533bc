"""Covariance between the logits of two sets of images in the linearised model.

The linearised model is a Gaussian process over (image, class) pairs. With whitened activations phi~ of
images and psi~ of classes, unit embeddings seen through the image side's covariance (u~, t~) or the
text side's (u', t'), cosines S and scales s,

    Cov[z_ic, z_jd] = s_i s_j (phi~_i . phi~_j) (t~_c - S_ic u~_i) . (t~_d - S_jd u~_j)
                    + s_c s_d (psi~_c . psi~_d) (u'_i - S_ic t'_c) . (u'_j - S_jd t'_d)
                    + [c = d] r_ij

where r_ij is the covariance of what a residual linear head adds to the logit of one class (zero without
such a head). A product with this covariance costs O(n m C + (n + m) C^2) operations from a few Gram
matrices, whatever the sizes of the model are; its (n C) x (m C) entries need not be formed.

Dimensions used in this file
    n  images on the left
    m  images on the right
    C  classes
    K  right-hand sides
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.posterior.linearisation import ClassCoordinates, ImageCoordinates


@runtime_checkable
class ResidualCovariance(Protocol):
    """The prior of a residual linear head: what one class adds to its logits. Classes are independent."""

    def covariance(
        self, images: ImageCoordinates, others: ImageCoordinates
    ) -> Float[Tensor, "n m"]:
        """Covariances between two sets of images."""
        ...

    def variance(self, images: ImageCoordinates) -> Float[Tensor, "n"]:
        """Variances: the diagonal of `covariance(images, images)`."""
        ...


@dataclass(frozen=True, eq=False)
class LinearisedKernel:
    """The covariance of the logits of images on the left with those on the right, under the posterior.

    Each Gram matrix is computed once, when it is needed. `matvec`, `dense`, `diagonal` and `centred` expand
    the formula in different orders, each in the cheapest for its result; one suite of tests compares all
    of them with the product of explicit Jacobians.
    """

    classes: ClassCoordinates
    left: ImageCoordinates
    right: ImageCoordinates
    residual: ResidualCovariance | None = None

    @property
    def entries(self) -> int:
        """Number of rows, that is of (image, class) pairs on the left."""
        return self.left.cosines.numel()

    @cached_property
    def single(self) -> LinearisedKernel:
        """The same covariance in float32: its Gram matrices are rounded, not computed again."""
        left = self.left.to(torch.float32)
        right = left if self.left is self.right else self.right.to(torch.float32)
        kernel = LinearisedKernel(self.classes.to(torch.float32), left, right, self.residual)
        for name in _GRAM_MATRICES:
            gram = getattr(self, name)
            kernel.__dict__[name] = None if gram is None else gram.to(torch.float32)
        return kernel

    def matvec(self, weights: Float[Tensor, "*K m C"]) -> Float[Tensor, "*K n C"]:
        """The covariance times weights of the (image, class) pairs on the right."""
        left, right = self.left.cosines, self.right.cosines
        scaled = weights * self.right.scale[:, None]  # K m C
        back = (scaled * right).sum(dim=-1, keepdim=True)  # K m 1
        both = self._activations @ torch.cat([scaled, back * self._right_by_image], dim=-1)
        along, towards = both.chunk(2, dim=-1)  # K n C, twice
        image = (
            along @ self._classes_by_image
            - towards
            + left
            * (
                self._pairs_by_image @ back
                - (along * self._left_by_image).sum(dim=-1, keepdim=True)
            )
        )
        scaled = weights * self.classes.scale  # K m C
        mixed = scaled @ self._names  # K m C
        back = (scaled * right).sum(dim=-2, keepdim=True)  # K 1 C
        text = (
            self._pairs_by_text @ mixed
            - self._left_by_text @ (back.mT * self._names)
            - left * (self._right_by_text * mixed).sum(dim=-2, keepdim=True)
            + left * (back @ (self._names * self._classes_by_text))
        )
        product = self.left.scale[:, None] * image + self.classes.scale * text
        return product if self._residual_pairs is None else product + self._residual_pairs @ weights

    def dense(self) -> Float[Tensor, "n C m C"]:
        """All entries: n m C^2 numbers, and as many again while they are computed."""
        left = self.left.cosines[:, :, None, None]  # S_ic
        right = self.right.cosines[None, None]  # S_jd
        towards = (
            self._classes_by_image[None, :, None, :]
            - right * self._right_by_image.T[None, :, :, None]
        )
        both = towards - left * self._left_by_image[:, None, None, :]
        both *= self._activations[:, None, :, None]
        both += left * (right * self._pairs_by_image[:, None, :, None])
        both *= torch.outer(self.left.scale, self.right.scale)[:, None, :, None]
        towards = self._pairs_by_text[:, None, :, None] - right * self._left_by_text[:, None, None]
        text = towards - left * self._right_by_text.T[None, :, :, None]
        text += left * (right * self._classes_by_text[None, :, None, :])
        both += text.mul_(self._scaled_names[None, :, None, :])
        if self._residual_pairs is not None:
            same = torch.eye(left.shape[1], dtype=left.dtype, device=left.device)
            both += self._residual_pairs[:, None, :, None] * same[None, :, None, :]
        return both

    def diagonal(self) -> Float[Tensor, "n C C"]:
        """The block of each image with itself; O(n C^2), without pairs of images.

        Raises ValueError where left and right are not the same images.
        """
        images = self._same_images()
        cosines = images.cosines
        both = cosines[:, :, None] * cosines[:, None, :]  # n C C: S_c S_d

        def deflated(gram: Tensor, towards: Tensor, other: Tensor) -> Tensor:
            """(a_c - S_c b_c) . (a_d - S_d b_d) from the products of a with a, a with b, b with b."""
            return gram - towards - towards.mT + both * other

        squares = (images.whitened, images.by_image, images.by_text)
        activations, by_image, by_text = (x.square().sum(dim=-1)[:, None, None] for x in squares)
        towards = self._left_by_image[:, :, None] * cosines[:, None, :]
        image = deflated(self._classes_by_image, towards, by_image)
        towards = (self._left_by_text * cosines)[:, :, None].expand_as(both)
        text = deflated(by_text, towards, self._classes_by_text)
        found = images.scale.square()[:, None, None] * activations * image
        found = found + self._scaled_names * text
        if self.residual is not None:
            found.diagonal(dim1=1, dim2=2).add_(self.residual.variance(images)[:, None])
        return found

    def centred(self) -> Float[Tensor, "C n n"]:
        """Covariance between images of one class's logit less the mean over the classes; O(n^2 C^2).

        The diagonal over classes of H K_ij H for every pair of images, with H = I - 1 1^T / C. Raises
        ValueError where left and right are not the same images.
        """
        images = self._same_images()
        classes = images.cosines.shape[1]
        cosines, by_image, by_text = images.cosines.T, self._left_by_image.T, self._left_by_text.T
        left, right = cosines[:, :, None], cosines[:, None, :]  # C n 1, C 1 n
        # Cov[z_ic, z_jc]
        image = self._classes_by_image.diagonal()[:, None, None]
        image = image - (cosines * by_image)[:, None, :] - (cosines * by_image)[:, :, None]
        image = self._activations * image + left * right * self._pairs_by_image
        text = self._pairs_by_text - right * by_text[:, :, None] - left * by_text[:, None, :]
        text = text + left * right * self._classes_by_text.diagonal()[:, None, None]
        names = self._scaled_names
        pairs = torch.outer(images.scale, images.scale)
        same = pairs * image + names.diagonal()[:, None, None] * text
        # sum_d Cov[z_ic, z_jd]
        every = images.cosines.sum(dim=1)  # n
        image = self._classes_by_image.sum(dim=1)[:, None, None] - every * by_image[:, None, :]
        image = image - left * self._left_by_image.sum(dim=1)[:, None]
        image = self._activations * image + left * every * self._pairs_by_image
        text = names.sum(dim=1)[:, None, None] * (self._pairs_by_text - left * by_text[:, None, :])
        mixed = (self._left_by_text[:, None, :] * images.cosines) @ names  # n n C
        text = text - mixed.permute(2, 0, 1)
        text = text + left * ((names * self._classes_by_text) @ cosines)[:, None, :]
        others = pairs * image + text
        if self._residual_pairs is not None:
            same, others = same + self._residual_pairs, others + self._residual_pairs
        return same - (others + others.mT) / classes + others.sum(dim=0) / classes**2

    @property
    def scale(self) -> float:
        """Mean variance of a logit of the images on the left, without the normalisation of embeddings.

        The terms of an entry are of this size: a difference far below it is rounding error.
        """
        images, classes = self.left, self.classes
        image = (images.scale.square() * self._activations.diagonal()).mean()
        text = (classes.scale.square() * self._names.diagonal()).mean()
        targets, units = self._classes_by_image.diagonal(), self._pairs_by_text.diagonal()
        return float(image * targets.mean() + text * units.mean())

    def _same_images(self) -> ImageCoordinates:
        if self.left is not self.right:
            raise ValueError("left and right must be the same images")
        return self.left

    # Gram matrices. `by_image`: of embeddings seen through the image side's covariance; `by_text`.

    @cached_property
    def _activations(self) -> Float[Tensor, "n m"]:
        """phi~_i . phi~_j"""
        return self.left.whitened @ self.right.whitened.T

    @cached_property
    def _names(self) -> Float[Tensor, "C C"]:
        """psi~_c . psi~_d"""
        return self.classes.whitened @ self.classes.whitened.T

    @cached_property
    def _scaled_names(self) -> Float[Tensor, "C C"]:
        """s_c s_d psi~_c . psi~_d"""
        return self._names * torch.outer(self.classes.scale, self.classes.scale)

    @cached_property
    def _classes_by_image(self) -> Float[Tensor, "C C"]:
        """t~_c . t~_d"""
        return self.classes.by_image @ self.classes.by_image.T

    @cached_property
    def _classes_by_text(self) -> Float[Tensor, "C C"]:
        """t'_c . t'_d"""
        return self.classes.by_text @ self.classes.by_text.T

    @cached_property
    def _left_by_image(self) -> Float[Tensor, "n C"]:
        """u~_i . t~_c"""
        return self.left.by_image @ self.classes.by_image.T

    @cached_property
    def _right_by_image(self) -> Float[Tensor, "m C"]:
        """u~_j . t~_c"""
        same = self.left is self.right
        return self._left_by_image if same else self.right.by_image @ self.classes.by_image.T

    @cached_property
    def _left_by_text(self) -> Float[Tensor, "n C"]:
        """u'_i . t'_c"""
        return self.left.by_text @ self.classes.by_text.T

    @cached_property
    def _right_by_text(self) -> Float[Tensor, "m C"]:
        """u'_j . t'_c"""
        same = self.left is self.right
        return self._left_by_text if same else self.right.by_text @ self.classes.by_text.T

    @cached_property
    def _pairs_by_image(self) -> Float[Tensor, "n m"]:
        """(phi~_i . phi~_j) (u~_i . u~_j)"""
        return self._activations * (self.left.by_image @ self.right.by_image.T)

    @cached_property
    def _pairs_by_text(self) -> Float[Tensor, "n m"]:
        """u'_i . u'_j"""
        return self.left.by_text @ self.right.by_text.T

    @cached_property
    def _residual_pairs(self) -> Float[Tensor, "n m"] | None:
        """r_ij"""
        return None if self.residual is None else self.residual.covariance(self.left, self.right)


_GRAM_MATRICES = tuple(
    name
    for name, value in vars(LinearisedKernel).items()
    if isinstance(value, cached_property) and name.startswith("_")
)
