"""Class Gaussians of the pool: what the unlabelled images say about where each class lies.

Images of one class lie together, as a rule, and the pool shows where they lie. Each class gets a Gaussian
over the coordinates x of the images, all with one covariance W (linear discriminant analysis), fitted by
expectation maximisation (EM) to unlabelled and labelled images together:

    E step   R_ic = softmax_c(z_ic + g_c(x_i)), of a labelled image its target         g = 0 at first
    M step   mu_c = sum_i R_ic x_i / (sum_i R_ic + 1)
             W    = 0.9 W_R + 0.1 tr(W_R) / d I,  W_R the covariance within the classes
    g_c(x)   = x . W^-1 mu_c - mu_c . W^-1 mu_c / 2

z are the logits of a learner of the labels; they start the search and break ties. g are log likelihoods
up to a term that all classes share. The 1 in the M step is one image at the mean of the pool, so that
the Gaussian of a class without images lies there.

x are unit activations, centred on the pool, along their first d = 64 principal directions there. The total
covariance of the coordinates does not change, so W_R is what the class means leave of it, and an
iteration costs two products of M x d x C. What is kept are d numbers for each class.

Dempster, Laird & Rubin 1977 (EM); Nigam et al. 2000 (labelled and unlabelled examples together);
Zanella et al. 2024, arXiv:2406.01837 (the same for vision-language models). Figures:
docs/experiments/adaptation.md, L16.

Dimensions used in this file
    M  unlabelled images, n labelled images, N both
    C  classes
    P  activation size, d coordinates
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from scipy.sparse.linalg import eigsh
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import AdaptationSettings
from alworkbench.encoders.head import Features

MEAN_IMAGES = 1.0
"""Images at the mean of the pool that every class counts besides its own (L16)."""
SPHERICAL_SHARE = 0.1
"""Share of the spherical part in the covariance of the Gaussians (L16)."""
_ROUNDING = 1e-5
"""Share of the total variance below which sums in single precision leave nothing of the variance within
classes. It decides only where images are copies of a few."""
_ALIKE = 1e-12
"""Variance of unit activations at or below which images are copies of one."""
_BLOCK = 512
"""Images whose products are summed in their own precision; the sums of blocks are added in float64. Summed in
single precision alone, 8,000 images lose more than `_ROUNDING` on some processors."""
_FEW_DIRECTIONS = 4
"""All eigenvectors are computed unless P is more than this many times the number that is wanted."""


@dataclass(frozen=True, slots=True)
class PoolCoordinates:
    """Coordinates of images along the principal directions of the pool."""

    mean: Float[Tensor, "P"]
    """Mean unit activation of the pool."""
    directions: Float[Tensor, "d P"]
    """Orthonormal rows, the direction of most variance last."""

    @classmethod
    def of(cls, images: Features, most: int) -> PoolCoordinates | None:
        """Those of N images, at most `most` directions; None where all images are alike."""
        unit = _unit(images)
        mean = unit.mean(dim=0)
        centred = unit - mean
        covariance = (centred.T @ centred / max(1, len(centred))).double()
        if not float(covariance.trace()) > _ALIKE:
            return None
        count = min(most, len(covariance), len(unit) - 1)
        return cls(mean, _leading(covariance, count).T.to(unit))

    def __call__(self, images: Features) -> Float[Tensor, "N d"]:
        """The coordinates of a block of images, in their dtype and on their device."""
        unit = _unit(images)
        return (unit - self.mean.to(unit)) @ self.directions.to(unit).T


def _unit(images: Features) -> Float[Tensor, "N P"]:
    return torch.nn.functional.normalize(images.activations, dim=-1)


def _leading(covariance: Float[Tensor, "P P"], count: int) -> Float[Tensor, "P d"]:
    """The eigenvectors of the `count` largest eigenvalues, in ascending order; float64."""
    if len(covariance) <= _FEW_DIRECTIONS * count:
        return torch.linalg.eigh(covariance).eigenvectors[:, -count:]
    exact = covariance.cpu().numpy()
    # A start of its own: without one, the search starts at random.
    values, vectors = eigsh(exact, k=count, v0=exact.diagonal().copy())
    order = values.argsort()
    return torch.from_numpy(vectors[:, order].copy()).to(covariance)


@dataclass(frozen=True, slots=True)
class PoolGaussians:
    """The fitted Gaussians: g_c(x) = weights_c . x + offsets_c."""

    coordinates: PoolCoordinates
    weights: Float[Tensor, "C d"]
    """W^-1 mu_c."""
    offsets: Float[Tensor, "C"]
    """-mu_c . W^-1 mu_c / 2."""

    def log_likelihoods(self, images: Features) -> Float[Tensor, "N C"]:
        """g of a block of images, nats, up to a term that all classes share."""
        x = self.coordinates(images)
        return x @ self.weights.to(x).T + self.offsets.to(x)


@dataclass(frozen=True, slots=True)
class PoolTerm:
    """What the pool taught a learner, and how far the labels and the pool are believed."""

    gaussians: PoolGaussians
    label_scale: float
    """alpha, which multiplies the logits of the learner of the labels (the base learner)."""
    pool_scale: float
    """beta, which multiplies the log likelihoods of the Gaussians."""
    left_out: Float[Tensor, "n C"]
    """Logits of each labelled image by learners that were not taught its fold, float32."""
    folds: int
    """How many folds were left out, each in its turn; 0 without labels."""

    def joined(self, logits: Float[Tensor, "N C"], images: Features) -> Float[Tensor, "N C"]:
        """alpha z + beta g of a block of images whose base learner has the `logits` z."""
        return self.label_scale * logits + self.pool_scale * self.gaussians.log_likelihoods(images)


@dataclass(frozen=True, slots=True)
class GaussianImages:
    """Images from which Gaussians are fitted: the unlabelled ones first, then the labelled ones."""

    coordinates: PoolCoordinates
    x: Float[Tensor, "N d"]
    unlabelled: int
    """M."""

    @classmethod
    def of(cls, unlabelled: Features, labelled: Features, most: int) -> GaussianImages | None:
        """Of M and n images; None where all images are alike."""
        images = Features.concatenate([unlabelled, labelled])
        coordinates = PoolCoordinates.of(images, most)
        return (
            None if coordinates is None else cls(coordinates, coordinates(images), len(unlabelled))
        )


def fit_gaussians(
    inputs: GaussianImages,
    logits: Float[Tensor, "M C"],
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    settings: AdaptationSettings,
) -> PoolGaussians:
    """Fit by EM from the learner's `logits` of the unlabelled images; labels keep their targets.

    Weights say how sure a label is, but an image is one image: a label counts once here whatever its
    weight, as each unlabelled image does. A label of weight 0 is left out altogether. The result is in the
    dtype of `inputs.x`.
    """
    x, count = inputs.x, inputs.unlabelled
    counted = (weights > 0).to(x)
    taught = counted[:, None] * targets.to(x)  # n C
    total = _summed(x[:count], x[:count]) + _summed(counted[:, None] * x[count:], x[count:])  # d d
    images = count + float(counted.sum())
    responsibilities = logits.to(x).softmax(dim=-1)  # M C
    for iteration in range(settings.pool_iterations):
        mass = responsibilities.sum(dim=0, dtype=torch.float64) + taught.sum(dim=0)  # C
        sums = _summed(responsibilities, x[:count]) + _summed(taught, x[count:])  # C d
        slopes, offsets = (each.to(x) for each in _discriminants(total, mass, sums, images))
        if iteration + 1 < settings.pool_iterations:
            scores = x[:count] @ slopes.T + offsets
            responsibilities = scores.add_(logits.to(x)).softmax(dim=-1)
    return PoolGaussians(inputs.coordinates, slopes, offsets)


def _discriminants(
    total: Float[Tensor, "d d"],
    mass: Float[Tensor, "C"],
    sums: Float[Tensor, "C d"],
    images: float,
) -> tuple[Float[Tensor, "C d"], Float[Tensor, "C"]]:
    """The M step, in float64: W^-1 mu and its offset for every class."""
    means = sums / (mass + MEAN_IMAGES)[:, None]
    # sum_i R_ic (x_i - mu_c)(x_i - mu_c)' from the sums alone
    crossed = sums.T @ means
    within = (total - crossed - crossed.T + (means.T * mass) @ means) / images
    size = len(within)
    spherical = SPHERICAL_SHARE * within.trace() / size
    spherical = spherical.clamp_min(_ROUNDING * float(total.trace()) / images)
    within = (1 - SPHERICAL_SHARE) * within
    within.diagonal().add_(spherical)
    slopes = torch.linalg.solve(within, means.T).T
    offsets = -(slopes * means).sum(dim=-1) / 2
    return slopes, offsets


def _summed(left: Float[Tensor, "N p"], right: Float[Tensor, "N q"]) -> Float[Tensor, "p q"]:
    """left' right in float64, from the products of blocks of images."""
    found = left.new_zeros(left.shape[1], right.shape[1], dtype=torch.float64)
    for one, other in zip(left.split(_BLOCK), right.split(_BLOCK), strict=True):
        found += one.T @ other
    return found
