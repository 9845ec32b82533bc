"""Means and variances of cosine logits under the posterior, in closed form; class probabilities.

With alpha_i = phi_i^T A~^-1 phi_i on the image side and beta_c likewise on the text side, the
embeddings have Cov[g_i] = alpha_i S and Cov[h_c] = beta_c S', where S = B~^-1 and S' belongs to the text
side. With mu and eta the mean embeddings,

    N_i = E |g_i|^2 = |mu_i|^2 + alpha_i tr S        M_c = E |h_c|^2 = |eta_c|^2 + beta_c tr S'
    E z_ic   = s mu_i . eta_c / sqrt(N_i M_c) + bias
    Var z_ic = s^2 [beta_c mu_i^T S' mu_i + alpha_i eta_c^T S eta_c + alpha_i beta_c tr(S S')] / (N_i M_c)

These are the exact moments of s g . h / sqrt(N M), which approximates the cosine. Source: ProbCosine of
Baumann et al., arXiv:2412.06014, which keeps only the diagonals of S and S'. The full matrices cost no
more, since alpha_i and mu_i^T S' mu_i are computed once for an image. What remains is one product of
N x D and D x C matrices, as for plain cosines, and an outer sum.

Dimensions used in this file
    K  draws
    N  images
    C  classes
    P  image activation size
    Q  text activation size
    D  embedding size
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.encoders.head import Features, Head, Loss
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.kronecker import Posterior


@dataclass(frozen=True, slots=True)
class LogitMoments:
    """Mean and variance of the logit of each image and class."""

    mean: Float[Tensor, "N C"]
    variance: Float[Tensor, "N C"]


@dataclass(frozen=True, slots=True)
class ImageSpread:
    """The part of the uncertainty that depends on images alone: computed once per posterior."""

    alpha: Float[Tensor, "N"]
    """phi^T A~^-1 phi."""
    through_text: Float[Tensor, "N"]
    """mu^T S' mu: the mean embedding seen through the text side's covariance."""

    @classmethod
    def of(
        cls,
        posterior: Posterior,
        activations: Float[Tensor, "N P"],
        embeddings: Float[Tensor, "N D"],
    ) -> ImageSpread:
        """For N images with these activations and mean embeddings."""
        root = posterior.text.embedding_root().to(embeddings)
        through_text = (embeddings @ root).square().sum(dim=-1)
        return cls(posterior.image.quadratic(activations), through_text)


@dataclass(frozen=True, slots=True)
class CosineMoments:
    """The part of the moments that depends on classes: prepared once for all blocks of images."""

    logit_scale: float
    logit_bias: float
    directions: Float[Tensor, "C D"]
    """eta_c / sqrt(M_c)."""
    text_spread: Float[Tensor, "C"]
    """beta_c / M_c."""
    image_spread: Float[Tensor, "C"]
    """(eta_c^T S eta_c + beta_c tr(S S')) / M_c."""
    image_trace: float
    """tr S."""

    @classmethod
    def prepare(
        cls, head: Head, posterior: Posterior, classes: Float[Tensor, "C Q"]
    ) -> CosineMoments:
        """For C classes with these effective text activations."""
        means = head.embed_texts(classes)  # C D
        image_root = posterior.image.embedding_root().to(means)
        text_root = posterior.text.embedding_root().to(means)
        beta = posterior.text.quadratic(classes)  # C
        norms = means.square().sum(dim=-1) + beta * text_root.square().sum()  # C: M
        through_image = (means @ image_root).square().sum(dim=-1)  # C: eta^T S eta
        both = (image_root.T @ text_root).square().sum()  # tr(S S')
        return cls(
            head.logit_scale,
            head.logit_bias,
            means / norms.sqrt()[:, None],
            beta / norms,
            (through_image + beta * both) / norms,
            float(image_root.square().sum()),
        )

    def of(self, embeddings: Float[Tensor, "N D"], spread: ImageSpread) -> LogitMoments:
        """Moments of the logits of N images with these mean embeddings."""
        norms = torch.linalg.vector_norm(embeddings, dim=-1).square()
        norms += spread.alpha * self.image_trace  # N
        mean = embeddings @ self.directions.T  # N C
        mean *= (self.logit_scale * norms.rsqrt())[:, None]
        if self.logit_bias:
            mean += self.logit_bias
        # Both outer products as one product of rank two: the variance is written once.
        left = torch.stack([spread.through_text, spread.alpha], dim=-1)  # N 2
        left *= (self.logit_scale**2 / norms)[:, None]
        return LogitMoments(mean, left @ torch.stack([self.text_spread, self.image_spread]))


def logit_moments(
    head: Head, posterior: Posterior, features: Features, classes: Float[Tensor, "C Q"]
) -> LogitMoments:
    """Means and variances of the logits of all images and classes under the posterior."""
    embeddings = head.embed_images(features)
    spread = ImageSpread.of(posterior, features.activations, embeddings)
    return CosineMoments.prepare(head, posterior, classes).of(embeddings, spread)


def stream_moments(
    table: FeatureTable,
    rows: Int[Tensor, "N"] | None,
    head: Head,
    posterior: Posterior,
    classes: Float[Tensor, "C Q"],
    *,
    budget: int = 256 * 2**20,
) -> Iterator[tuple[Int[Tensor, "B"], LogitMoments]]:
    """Moments of the logits of a whole table, block by block: (rows, moments).

    It runs on the device of `classes` and holds about `budget` bytes at most, for tables of any size.
    `rows=None` gives the whole table.
    """
    prepared = CosineMoments.prepare(head, posterior, classes)
    whitening = posterior.image.activation_root().to(classes)  # P P
    through_text = posterior.text.embedding_root().to(classes)  # D D
    size_d, size_p = head.image_projection.shape
    # activations as stored and as float32, whitened; embeddings three times; moments and a temporary
    numbers = 2.5 * size_p + 3 * size_d + 4 * len(classes)
    block = max(1, int(budget / (4 * numbers)))
    for part, features in table.blocks(rows, block, classes.device):
        embeddings = head.embed_images(features)
        spread = ImageSpread(
            (features.activations @ whitening).square().sum(dim=-1),
            (embeddings @ through_text).square().sum(dim=-1),
        )
        yield part, prepared.of(embeddings, spread)


def sampled_probabilities(
    head: Head,
    posterior: Posterior,
    features: Features,
    classes: Float[Tensor, "C Q"],
    draws: int,
    generator: torch.Generator,
) -> Float[Tensor, "K N C"]:
    """Class probabilities under K joint draws of both projections, by Monte Carlo.

    Each draw is one pair of projections for all images and classes, put into the model itself and not
    into its linearisation. It holds K N C numbers and one drawn pair of projections at a time.
    """
    found = []
    for _ in range(draws):
        drawn = replace(
            head,
            image_projection=posterior.image.sample(1, generator)[0].to(classes),
            text_projection=posterior.text.sample(1, generator)[0].to(classes),
        )
        found.append(class_probabilities(drawn.logits(features, classes), head.loss))
    return torch.stack(found)


def class_probabilities(logits: Float[Tensor, "*N C"], loss: Loss) -> Float[Tensor, "*N C"]:
    """The probabilities that the training loss defines: a softmax, or one sigmoid a class for SigLIP.

    Sigmoid values do not add up to one: each is the probability that its class fits the image.
    """
    return logits.sigmoid() if loss == "siglip" else logits.softmax(dim=-1)


def wasserstein_coordinates(
    posterior: Posterior, embeddings: Float[Tensor, "N D"], alpha: Float[Tensor, "N"]
) -> Float[Tensor, "N D_plus_1"]:
    """Points whose Euclidean distances are the 2-Wasserstein distances of the embeddings' posteriors.

    All images share S = B~^-1, so W2^2 = |mu_i - mu_j|^2 + (sqrt alpha_i - sqrt alpha_j)^2 tr S. The
    coordinates are [mu, sqrt(alpha tr S)], so that any search for nearest neighbours can be used.
    """
    trace = posterior.image.embedding_precisions.reciprocal().sum().to(alpha)
    return torch.cat([embeddings, (alpha * trace).sqrt()[:, None]], dim=-1)


def probit_logits(moments: LogitMoments) -> Float[Tensor, "N C"]:
    """Probit approximation: mean logits divided by sqrt(1 + pi / 8 Var z) (MacKay 1992)."""
    return moments.mean * (1 + math.pi / 8 * moments.variance).rsqrt()
