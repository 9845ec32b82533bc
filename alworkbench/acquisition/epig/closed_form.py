"""EPIG in closed form: no draws, no seed, every image alone. To second order in the covariances.

The linearised model is Gaussian, so with Lambda the softmax curvature at the moderated probabilities and
Cov_ij the C x C covariance of the logits of images i and j,

    G_i = Lambda_i (I + Cov_ii Lambda_i)^-1        score_i = 1/2 mean_j tr(G_i Cov_ij G_j Cov_ij^T)

EPIG: Bickford Smith et al. 2023, arXiv:2304.08151; the second-order information of two weakly dependent
labels is half their squared correlation. Both sides of the model are in it, and the labels:

    Cov_ij = kappa_ij J_i J_j^T + (the text side, likewise) - X_i X_j^T

X_i X_j^T is what labels took away. They are compressed: of each label's curvature the leading directions,
at most `DIRECTIONS` in all, then the `RANK` eigenvectors of their Gram matrix that took away most. What is
left out makes the model look less certain than it is, never more.

Nothing C x C is held for a pool. Lambda is nearly zero outside the few classes that an image may show, so
that each image has r = min(C, `LEADING`) rows H_i (G_i = H_i^T H_i), and H_i Cov_ij H_j^T is a sum of
products of small matrices with inner sizes D, C, 2C and RANK. O(N M r^2 (D + 3 C + RANK)), in blocks of
both; r (D + 4 C + RANK) numbers a target are held.

Dimensions used in this file
    N  images
    n  labelled images
    C  classes
    r  leading classes of an image
    R  directions that labels took away (RANK)
    D  embedding size
    P  activation size
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.residual_head import OwnWeights
from alworkbench.posterior.linearisation import ClassCoordinates, ImageCoordinates, Linearisation

LEADING = 8
"""Classes of an image with a curvature of their own; those beyond hold little probability."""
DIRECTIONS = 1024
RANK = 256
_COLUMNS = 64


def _root(matrix: Float[Tensor, "C C"]) -> Float[Tensor, "C C"]:
    """L with L L^T = matrix, for a positive semidefinite one."""
    values, vectors = torch.linalg.eigh(matrix.double())
    return (vectors * values.clamp_min(0).sqrt()).to(matrix)


@dataclass(frozen=True, slots=True)
class Taken:
    """Directions of uncertainty that the labels took away: Cov given the labels = Cov - X X^T."""

    images: ImageCoordinates
    """The labelled images."""
    weights: Float[Tensor, "R n C"]
    """X_i = Cov(z_i, z_labelled) weights^T."""

    @classmethod
    def of(cls, learner: Learner) -> Taken | None:
        """None where there are no labels."""
        if learner.taught is None:
            return None
        exact = learner.model.double()
        images, probabilities = learner.taught.images, learner.taught.probabilities
        curvature = (
            torch.diag_embed(probabilities)
            - probabilities[:, :, None] * (probabilities[:, None, :])
        )
        values, vectors = torch.linalg.eigh(curvature)  # n C, n C C
        count, classes = probabilities.shape
        kept = values.flatten().argsort(descending=True, stable=True)[:DIRECTIONS]
        image, column = kept // classes, kept % classes
        scale = values[image, column].clamp_min(0).sqrt()
        directions = vectors[image, :, column] * scale[:, None]  # k C
        gram = torch.zeros(len(kept), len(kept)).to(directions)
        for start in range(0, len(kept), _COLUMNS):
            some = slice(start, start + _COLUMNS)
            weights = torch.zeros(len(image[some]), count, classes).to(directions)
            weights[torch.arange(len(weights)), image[some]] = directions[some]
            moved = cross_covariance(exact, images, images, weights, learner.taught.own)  # b n C
            gram[some] = (moved[:, image] * directions).sum(dim=-1)
        spread, turned = torch.linalg.eigh((gram + gram.T) / 2)
        spread, turned = spread[-RANK:].clamp_min(0), turned[:, -RANK:]
        mixed = (turned / (1 + spread).sqrt()).T.cpu()  # R k
        # On the CPU, where sums have an order: on a GPU they are rounded otherwise from time to time.
        weights = torch.zeros(len(spread), count, classes, dtype=directions.dtype)
        weights.index_add_(1, image.cpu(), mixed[:, :, None] * directions.cpu())
        model = learner.model
        return cls(_like(images, model.classes), weights.to(model.classes.unit))


def _like(images: ImageCoordinates, classes: ClassCoordinates) -> ImageCoordinates:
    return ImageCoordinates(*(getattr(images, one.name).to(classes.unit) for one in fields(images)))


def cross_covariance(
    model: Linearisation,
    images: ImageCoordinates,
    others: ImageCoordinates,
    weights: Float[Tensor, "K n C"],
    own: OwnWeights | None = None,
) -> Float[Tensor, "K N C"]:
    """Cov(z_images, z_others) times weights, from Gram matrices: N n C numbers a column.

    With `own`, classes have weights of their own.
    """
    classes = model.classes
    kinship = images.whitened @ others.whitened.T  # N n
    scaled = weights * others.scale[:, None]  # K n C
    along = kinship @ scaled  # K N C
    back = (scaled * others.cosines).sum(dim=-1, keepdim=True)  # K n 1
    cross = images.by_image @ classes.by_image.T  # N C
    image = (
        along @ (classes.by_image @ classes.by_image.T)
        - kinship @ (back * (others.by_image @ classes.by_image.T))
        - images.cosines * (along * cross).sum(dim=-1, keepdim=True)
        + images.cosines * ((kinship * (images.by_image @ others.by_image.T)) @ back)
    )
    names = classes.whitened @ classes.whitened.T  # C C
    scaled = weights * classes.scale  # K n C
    mixed = scaled @ names  # K n C
    back = (scaled * others.cosines).sum(dim=-2, keepdim=True)  # K 1 C
    text = (
        (images.by_text @ others.by_text.T) @ mixed
        - ((images.by_text @ classes.by_text.T) * back) @ names
        - images.cosines * ((others.by_text @ classes.by_text.T) * mixed).sum(dim=-2, keepdim=True)
        + images.cosines * (back @ (names * (classes.by_text @ classes.by_text.T)))
    )
    product = images.scale[:, None] * image + classes.scale * text
    return product if own is None else product + own.covariance(images, others) @ weights


def logit_variance(
    model: Linearisation, images: ImageCoordinates, own: OwnWeights | None = None
) -> Float[Tensor, "N C"]:
    """Variances of the logits before any label: the diagonals of `class_covariance`."""
    classes, cosines = model.classes, images.cosines
    spread = images.scale.square() * images.whitened.square().sum(dim=-1)  # N
    image = (
        classes.by_image.square().sum(dim=-1)
        - 2 * cosines * (images.by_image @ classes.by_image.T)
        + cosines.square() * images.by_image.square().sum(dim=-1, keepdim=True)
    )
    names = classes.scale.square() * classes.whitened.square().sum(dim=-1)  # C
    text = (
        images.by_text.square().sum(dim=-1, keepdim=True)
        - 2 * cosines * (images.by_text @ classes.by_text.T)
        + cosines.square() * classes.by_text.square().sum(dim=-1)
    )
    variance = spread[:, None] * image + names * text
    return variance if own is None else variance + own.variance(images)[:, None]


@dataclass(frozen=True, slots=True)
class Rows:
    """r rows of an image, each a mixture H of its logits: what enters covariances of mixtures."""

    kinship: Float[Tensor, "N P"]
    """phi~"""
    unit: Float[Tensor, "N D"]
    """u'"""
    image: Float[Tensor, "N r D"]
    """H J: s (H t~ - (H S) u~)"""
    text: Float[Tensor, "N r C"]
    """H s' Psi, of which products are H (names) H^T"""
    left: Float[Tensor, "N r C_twice"]
    right: Float[Tensor, "N r C_twice"]
    """Of their product: the terms of the text side in which cosines stand."""
    taken: Float[Tensor, "N r R"]
    """H X"""
    apart: Float[Tensor, "N P_own"]
    """phi~ - mean, scaled to the variance of classes' own weights; of no size without them."""
    spread: Float[Tensor, "N r C_own"]
    """H, of all classes; of no size without weights of their own."""
    probabilities: Float[Tensor, "N C"]
    """Moderated."""

    def __len__(self) -> int:
        return len(self.kinship)

    def transformed(self, matrix: Float[Tensor, "N r r"]) -> Rows:
        """The rows mixed once more."""
        return Rows(
            self.kinship,
            self.unit,
            matrix @ self.image,
            matrix @ self.text,
            matrix @ self.left,
            matrix @ self.right,
            matrix @ self.taken,
            self.apart,
            matrix @ self.spread,
            self.probabilities,
        )

    def block(self, start: int, stop: int) -> Rows:
        """Rows `start` to `stop`."""
        return Rows(*(getattr(self, one.name)[start:stop] for one in fields(self)))

    @classmethod
    def concatenate(cls, parts: Sequence[Rows]) -> Rows:
        """All parts as one."""
        return cls(*(torch.cat([getattr(part, one.name) for part in parts]) for one in fields(cls)))

    def within(self) -> Float[Tensor, "N r r"]:
        """H Cov_ii H^T of each image."""
        kappa = self.kinship.square().sum(dim=-1)[:, None, None]
        units = self.unit.square().sum(dim=-1)[:, None, None]
        found = kappa * (self.image @ self.image.mT) + units * (self.text @ self.text.mT)
        found = found + self.left @ self.right.mT - self.taken @ self.taken.mT
        own = self.apart.square().sum(dim=-1)[:, None, None]
        return found + own * (self.spread @ self.spread.mT)

    def with_others(self, others: Rows) -> Float[Tensor, "n r m r"]:
        """H_i Cov_ij H_j^T of all pairs."""

        def products(left: Tensor, right: Tensor) -> Tensor:
            flat = left.flatten(0, 1) @ right.flatten(0, 1).T
            return flat.reshape(left.shape[0], left.shape[1], right.shape[0], right.shape[1])

        kappa = (self.kinship @ others.kinship.T)[:, None, :, None]
        units = (self.unit @ others.unit.T)[:, None, :, None]
        found = products(self.image, others.image).mul_(kappa)
        found += products(self.text, others.text).mul_(units)
        if self.apart.shape[1]:
            own = (self.apart @ others.apart.T)[:, None, :, None]
            found += products(self.spread, others.spread).mul_(own)
        left = torch.cat([self.left, -self.taken], dim=-1)
        return found.add_(products(left, torch.cat([others.right, others.taken], dim=-1)))


@dataclass(frozen=True, slots=True)
class ClosedForm:
    """A learner, prepared for scores in closed form."""

    learner: Learner
    taken: Taken | None
    names_root: Float[Tensor, "C C"]
    """L with L L^T = s'_c s'_d psi~_c . psi~_d."""
    names: Float[Tensor, "C C"]
    tilted: Float[Tensor, "C C"]
    """`names` times t'_c . t'_d."""

    @classmethod
    def of(cls, learner: Learner) -> ClosedForm:
        """What the closed form needs of a learner, computed once."""
        classes = learner.model.classes
        scaled = classes.whitened * classes.scale[:, None]
        names = scaled @ scaled.T
        tilted = names * (classes.by_text @ classes.by_text.T)
        return cls(learner, Taken.of(learner), _root(names), names, tilted)

    def rows(self, images: ImageCoordinates, logits: Float[Tensor, "N C"]) -> Rows:
        """H of each image, G = H^T H: curvature at the moderated probabilities, given its doubt."""
        model, classes = self.learner.model, self.learner.model.classes
        own_weights = None if self.learner.taught is None else self.learner.taught.own
        variance = logit_variance(model, images, own_weights)
        taken = None
        if self.taken is not None:
            taken = cross_covariance(
                model, images, self.taken.images, self.taken.weights, own_weights
            )
            variance = (variance - taken.square().sum(dim=0)).clamp_min(0)
        probabilities = (logits * (1 + math.pi / 8 * variance).rsqrt()).softmax(dim=-1)
        few = min(LEADING, probabilities.shape[1])
        leading = probabilities.topk(few, dim=-1)
        root = curvature_rows(leading.values)  # N r r
        own = leading.indices  # N r

        def picked(whole: Tensor) -> Tensor:
            """Rows of C things, those of the leading classes of each image: N r X."""
            return root @ whole[own]

        cosines = images.cosines.gather(1, own)  # N r
        image = picked(classes.by_image) - (root @ cosines[:, :, None]) * images.by_image[:, None]
        spread = torch.zeros(len(own), few, len(classes.unit)).to(root)
        spread.scatter_(2, own[:, None].expand(-1, few, -1), root)  # N r C: H
        tilting = spread * images.cosines[:, None]  # H S
        named = picked(self.names)  # N r C: H (names)
        seen = (images.by_text @ classes.by_text.T)[:, None] * named  # N r C
        left = torch.cat([tilting @ self.tilted - seen, -tilting], dim=-1)
        right = torch.cat([tilting, seen], dim=-1)
        if taken is None:
            away = root.new_zeros(len(own), few, 0)
        else:
            index = own[:, :, None].expand(-1, -1, len(taken))
            away = root @ taken.permute(1, 2, 0).gather(1, index)  # N r R
        apart = images.whitened[:, :0]
        if own_weights is not None:
            apart = own_weights.share**0.5 * own_weights.centred(images)
        rows = Rows(
            images.whitened,
            images.by_text,
            images.scale[:, None, None] * image,
            picked(self.names_root),
            left,
            right,
            away,
            apart,
            spread if own_weights is not None else spread[:, :, :0],
            probabilities,
        )
        middle = rows.within()
        middle.diagonal(dim1=-2, dim2=-1).add_(1.0)
        # (I + R^T Cov R)^-1 = L^-T L^-1, so L^-1 R^T has H^T H = R (I + R^T Cov R)^-1 R^T
        factor = torch.linalg.cholesky((middle + middle.mT) / 2)
        inverse = torch.linalg.solve_triangular(
            factor, torch.eye(few).to(factor).expand_as(factor), upper=False
        )
        return rows.transformed(inverse)


def curvature_rows(leading: Float[Tensor, "N r"]) -> Float[Tensor, "N r r"]:
    """R^T with R R^T = diag(p) - p p^T, of the leading classes alone, whose sum q may be below one.

    R = diag(sqrt p) - a p sqrt(p)^T with a = (1 - sqrt(1 - q)) / q.
    """
    total = leading.sum(dim=-1).clamp(1e-30, 1.0)
    share = (1 - (1 - total).sqrt()) / total
    root = leading.sqrt()
    outer = root[:, :, None] * leading[:, None, :] * share[:, None, None]
    return torch.diag_embed(root) - outer


def closed_form_scores(
    candidates: Rows, targets: Rows, weights: Float[Tensor, "M"], *, block: int = 64
) -> Float[Tensor, "N"]:
    """1/2 mean_j |H_i Cov_ij H_j^T|^2: expected information about the targets, in nats, >= 0.

    Blocks of `block` candidates with all targets: 2 block M r^2 numbers.
    """
    share = (weights / weights.sum())[None, None, :, None]
    found = []
    for start in range(0, len(candidates), block):
        cross = candidates.block(start, start + block).with_others(targets)
        found.append(0.5 * (cross.square_().mul_(share)).sum(dim=(1, 2, 3)))
    return torch.cat(found) if found else weights.new_zeros(0)
