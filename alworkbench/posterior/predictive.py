"""What the posterior says of a cosine: moments, factorised, and class probabilities.

With alpha_i = phi_i^T A~^-1 phi_i on the image side and beta_c likewise on the text side, the
embeddings have Cov[g_i] = alpha_i B~^-1 and Cov[h_c] = beta_c B'~^-1. With b = diag B~^-1, b' the text
side's, mu and eta the mean embeddings,

    N_i = |mu_i|^2 + alpha_i sum b        M_c = |eta_c|^2 + beta_c sum b'
    E z_ic   = s mu_i . eta_c / sqrt(N_i M_c) + bias
    Var z_ic = s^2 [beta_c (mu_i^2 . b') + alpha_i (b . eta_c^2) + alpha_i beta_c (b . b')] / (N_i M_c)

One N x D x C product, as plain cosine similarity costs. ProbCosine of Baumann et al.,
arXiv:2412.06014.

Dimensions used in this file
    N  images
    C  classes
    P  image activation size
    Q  text activation size
    D  embedding size
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.heads import Features, Head
from alworkbench.posterior.kronecker import Posterior


@dataclass(frozen=True, slots=True)
class LogitMoments:
    mean: Float[Tensor, "N C"]
    variance: Float[Tensor, "N C"]


@dataclass(frozen=True, slots=True)
class CosineMoments:
    """The class side of the moments, prepared once; images stream through it."""

    logit_scale: float
    logit_bias: float
    directions: Float[Tensor, "C D"]
    """eta_c / sqrt(M_c)."""
    text_variance: Float[Tensor, "C"]
    """beta_c / M_c."""
    image_spread: Float[Tensor, "C"]
    """(b . eta_c^2) / M_c."""
    joint_spread: Float[Tensor, "C"]
    """beta_c (b . b') / M_c."""
    image_diagonal: Float[Tensor, "D"]
    """b."""
    text_diagonal: Float[Tensor, "D"]
    """b'."""

    @classmethod
    def prepare(
        cls, head: Head, posterior: Posterior, classes: Float[Tensor, "C Q"]
    ) -> CosineMoments:
        means = head.embed_texts(classes)  # C D
        image_diagonal = _diagonal(posterior.image.embedding_root()).to(means)
        text_diagonal = _diagonal(posterior.text.embedding_root()).to(means)
        beta = posterior.text.quadratic(classes)  # C
        norms = means.square().sum(dim=-1) + beta * text_diagonal.sum()  # C: M
        return cls(
            head.logit_scale,
            head.logit_bias,
            means / norms.sqrt()[:, None],
            beta / norms,
            means.square() @ image_diagonal / norms,
            beta * (image_diagonal @ text_diagonal) / norms,
            image_diagonal,
            text_diagonal,
        )

    def of(
        self, embeddings: Float[Tensor, "N D"], alpha: Float[Tensor, "N"]
    ) -> LogitMoments:
        """Moments of all logits of images with these mean embeddings and alphas."""
        squares = embeddings.square()  # N D
        norms = squares.sum(dim=-1) + alpha * self.image_diagonal.sum()  # N
        mean = (self.logit_scale * norms.rsqrt())[:, None] * embeddings @ self.directions.T
        scale = self.logit_scale**2 / norms  # N
        own = scale * (squares @ self.text_diagonal)  # N
        variance = torch.outer(own, self.text_variance)
        variance += torch.outer(scale * alpha, self.image_spread + self.joint_spread)
        return LogitMoments(mean + self.logit_bias, variance)


def logit_moments(
    head: Head, posterior: Posterior, features: Features, classes: Float[Tensor, "C Q"]
) -> LogitMoments:
    """Means and variances of the logits of all images and classes under the posterior."""
    alpha = posterior.image.quadratic(features.activations)
    prepared = CosineMoments.prepare(head, posterior, classes)
    return prepared.of(head.embed_images(features), alpha)


def probit_logits(moments: LogitMoments) -> Float[Tensor, "N C"]:
    """Mean logits, moderated: E z / sqrt(1 + pi / 8 Var z) (MacKay 1992)."""
    return moments.mean * (1 + math.pi / 8 * moments.variance).rsqrt()


def _diagonal(root: Float[Tensor, "D D"]) -> Float[Tensor, "D"]:
    """diag of root root^T."""
    return root.square().sum(dim=-1)
