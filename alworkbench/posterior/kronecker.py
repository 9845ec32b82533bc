"""Gaussian posterior of one projection matrix, with a Kronecker-factored precision.

    precision = A~ (x) B~      A~ = sqrt(tau / n) A + sqrt(lambda) I
                               B~ = strength * (sqrt(tau / n) B + sqrt(lambda) I)

    Cov[W_dp, W_eq] = (B~^-1)_de (A~^-1)_pq

A and B are decomposed once; another prior precision lambda, pseudo-data weight tau or strength is then
a vector operation. With tau = 1 the n pairs count once in the approximation (A (x) B) / n; Baumann et
al., arXiv:2412.06014, use tau = 10 with factors divided by sqrt(n).

Dimensions used in this file
    P  activation size
    D  embedding size
    N  activations
    K  draws
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.core.errors import EncoderMismatch, NotPositiveDefinite
from alworkbench.posterior.curvature import KroneckerFactors
from alworkbench.posterior.evidence import log_evidence, maximise_evidence

ROUNDING = 1e-5
"""Rounding error of float32 sums, relative to the largest eigenvalue: zeros of the exact factor become
eigenvalues of this size and either sign. An eigenvalue more negative than this is an error."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """A symmetric factor, decomposed: vectors @ diag(values) @ vectors.T, float64."""

    values: Float[Tensor, "M"]
    vectors: Float[Tensor, "M M"]

    @classmethod
    def of(cls, factor: Float[Tensor, "M M"], name: str) -> Spectrum:
        """Decompose a factor; `name` is for messages. Raises NotPositiveDefinite, see `decompose`."""
        return decompose(factor, name).spectrum

    def dense(self) -> Float[Tensor, "M M"]:
        """The matrix itself (M, M)."""
        return (self.vectors * self.values) @ self.vectors.T

    def scaled(self, factor: float) -> Spectrum:
        """The spectrum of the matrix times a number that is not negative."""
        return Spectrum(factor * self.values, self.vectors)

    def to(self, device: torch.device | str) -> Spectrum:
        """The same on another device."""
        return Spectrum(self.values.to(device), self.vectors.to(device))


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A spectrum, and which eigenvalues were set to zero to make it positive semi-definite."""

    spectrum: Spectrum
    clipped: int
    """Number of eigenvalues that were below zero."""
    worst: float
    """The most negative eigenvalue, as a share of the largest and without its sign: 0 to the tolerance."""


def decompose(
    factor: Float[Tensor, "M M"], name: str, tolerance: float = ROUNDING
) -> Decomposition:
    """Symmetrise and decompose in float64.

    Eigenvalues down to -`tolerance` times the largest are rounding errors and become zero. Raises
    NotPositiveDefinite for more negative ones and for values that are not finite.
    """
    if not torch.isfinite(factor).all():
        raise NotPositiveDefinite(
            f"The {name} factor holds values that are not finite. Fit the posterior again from "
            f"activations without them: `alworkbench fit --pairs captions.csv`."
        )
    values, vectors = torch.linalg.eigh((factor.double() + factor.double().T) / 2)
    smallest, largest = float(values[0]), float(values[-1])
    if largest <= 0 or smallest < -tolerance * largest:
        raise NotPositiveDefinite(
            f"The {name} factor is not positive semi-definite: its eigenvalues range from "
            f"{smallest:.3g} to {largest:.3g}, but a sum of outer products has none below zero. Fit "
            f"the posterior again with `alworkbench fit --pairs captions.csv`."
        )
    clipped = int((values < 0).sum())
    return Decomposition(
        Spectrum(values.clamp_min(0), vectors), clipped, max(0.0, -smallest / largest)
    )


@dataclass(frozen=True, slots=True)
class KroneckerPosterior:
    """Matrix-normal posterior of one projection; its mean is the projection of the model."""

    mean: Float[Tensor, "D P"]
    activation: Spectrum
    """A, decomposed."""
    embedding: Spectrum
    """B, decomposed."""
    pairs: int
    prior_precision: float
    pseudo_data_weight: float = 1.0
    strength: float = 1.0
    """Factor on the whole precision. Below 1, the posterior is a weaker prior for learning."""

    @classmethod
    def from_factors(
        cls,
        mean: Float[Tensor, "D P"],
        factors: KroneckerFactors,
        *,
        pseudo_data_weight: float = 1.0,
        prior_precision: float | None = None,
    ) -> KroneckerPosterior:
        """Decompose the factors; without a prior precision, take the one that maximises the evidence.

        Raises NotPositiveDefinite, or EncoderMismatch for factors of other sizes than the projection.
        """
        size_d, size_p = mean.shape
        found_p, found_d = len(factors.activation), len(factors.embedding)
        if (found_p, found_d) != (size_p, size_d):
            raise EncoderMismatch(
                f"Curvature of {found_p} x {found_p} (activation) and {found_d} x {found_d} "
                f"(embedding)",
                f"with a projection of {found_d} x {found_p}",
                f"one with {size_d} x {size_p}",
            )
        posterior = cls(
            mean,
            Spectrum.of(factors.activation, "activation"),
            Spectrum.of(factors.embedding, "embedding"),
            factors.pairs,
            1.0 if prior_precision is None else prior_precision,
            pseudo_data_weight,
        )
        if prior_precision is None:
            return replace(posterior, prior_precision=best_prior_precision(posterior))
        return posterior

    def tempered(self, strength: float) -> KroneckerPosterior:
        """The same posterior with its precision multiplied by `strength`."""
        if not strength > 0:
            raise ValueError(f"a strength must be positive, found {strength}")
        return replace(self, strength=self.strength * strength)

    def with_prior(self, prior_precision: float) -> KroneckerPosterior:
        """The same curvature under another prior precision; nothing is decomposed again."""
        if not 0 < prior_precision < math.inf:
            raise ValueError(f"a prior precision must be positive, found {prior_precision}")
        return replace(self, prior_precision=prior_precision)

    def with_weight(self, pseudo_data_weight: float) -> KroneckerPosterior:
        """The same curvature with another tau and the same prior; nothing is decomposed again."""
        if not 0 < pseudo_data_weight < math.inf:
            raise ValueError(f"a pseudo-data weight must be positive, found {pseudo_data_weight}")
        return replace(self, pseudo_data_weight=pseudo_data_weight)

    @property
    def activation_precisions(self) -> Float[Tensor, "P"]:
        """Eigenvalues of A~, float64."""
        return self._scale * self.activation.values + math.sqrt(self.prior_precision)

    @property
    def embedding_precisions(self) -> Float[Tensor, "D"]:
        """Eigenvalues of B~, float64."""
        return self.strength * (
            self._scale * self.embedding.values + math.sqrt(self.prior_precision)
        )

    @property
    def _scale(self) -> float:
        return math.sqrt(self.pseudo_data_weight / self.pairs)

    def activation_root(self) -> Float[Tensor, "P P"]:
        """L_A with A~^-1 = L_A L_A^T; activations are whitened as phi @ L_A."""
        return self.activation.vectors * self.activation_precisions.rsqrt()

    def embedding_root(self) -> Float[Tensor, "D D"]:
        """L_B with B~^-1 = L_B L_B^T; Jacobians are whitened as J @ L_B."""
        return self.embedding.vectors * self.embedding_precisions.rsqrt()

    def activation_covariance(self) -> Float[Tensor, "P P"]:
        """Covariance over the activations (P, P)."""
        root = self.activation_root()
        return root @ root.T

    def embedding_covariance(self) -> Float[Tensor, "D D"]:
        """Covariance over the embedding (D, D)."""
        root = self.embedding_root()
        return root @ root.T

    def quadratic(self, activations: Float[Tensor, "N P"]) -> Float[Tensor, "N"]:
        """alpha = phi^T A~^-1 phi, so that Cov[W phi] = alpha B~^-1."""
        return (activations @ self.activation_root().to(activations)).square().sum(dim=-1)

    def log_determinant(self) -> float:
        """log det of the precision (of D P variables): D logdet A~ + P logdet B~."""
        size_d, size_p = self.mean.shape
        of_a = float(self.activation_precisions.log().sum())
        of_b = float(self.embedding_precisions.log().sum())
        return size_d * of_a + size_p * of_b

    def trace_of_covariance(self) -> float:
        """Sum of the variances of all entries of W: tr A~^-1 tr B~^-1."""
        of_a = float(self.activation_precisions.reciprocal().sum())
        return of_a * float(self.embedding_precisions.reciprocal().sum())

    def log_evidence(self) -> float:
        """Log marginal likelihood of lambda in nats, up to a constant; see `evidence`.

        It belongs to the posterior as it was fitted: the strength has no effect.
        """
        candidate = torch.tensor([self.prior_precision], dtype=torch.float64)
        return float(log_evidence(candidate, *self._curvature(), self.square)[0])

    @property
    def square(self) -> float:
        """|W|^2 of the mean."""
        return float(self.mean.double().square().sum())

    def _curvature(self) -> tuple[Float[Tensor, "P"], Float[Tensor, "D"]]:
        """Eigenvalues of sqrt(tau / n) A and of sqrt(tau / n) B, on the CPU."""
        scaled = self._scale * self.activation.values, self._scale * self.embedding.values
        return scaled[0].cpu(), scaled[1].cpu()

    def sample(self, draws: int, generator: torch.Generator) -> Float[Tensor, "K D P"]:
        """K joint draws of the whole matrix: W + L_B E L_A^T with standard normal E."""
        noise = torch.randn(
            draws, *self.mean.shape, generator=generator, device=generator.device
        ).to(self.mean)
        left = self.embedding_root().to(self.mean)
        right = self.activation_root().to(self.mean)
        return self.mean + left @ noise @ right.T

    def to(self, device: torch.device | str) -> KroneckerPosterior:
        """The same on another device."""
        return replace(
            self,
            mean=self.mean.to(device),
            activation=self.activation.to(device),
            embedding=self.embedding.to(device),
        )


@dataclass(frozen=True, slots=True)
class Posterior:
    """Posteriors of both projections of one encoder; they are independent."""

    image: KroneckerPosterior
    text: KroneckerPosterior
    encoder_id: str
    learning_weight: float | None = None
    """Pseudo-data weight that learning starts from, on both sides; None: the weight of each side."""

    def tempered(self, image: float, text: float) -> Posterior:
        """The same with each side's precision multiplied by a strength."""
        return replace(self, image=self.image.tempered(image), text=self.text.tempered(text))

    def with_weight(self, pseudo_data_weight: float) -> Posterior:
        """The same curvature with this pseudo-data weight on both sides."""
        return replace(
            self,
            image=self.image.with_weight(pseudo_data_weight),
            text=self.text.with_weight(pseudo_data_weight),
        )

    def to(self, device: torch.device | str) -> Posterior:
        """The same on another device."""
        return replace(self, image=self.image.to(device), text=self.text.to(device))


def best_prior_precision(posterior: KroneckerPosterior) -> float:
    """The prior precision that maximises the evidence, to a relative error of 1e-7.

    Raises NotPositiveDefinite if the evidence has no inner maximum.
    """
    return maximise_evidence(*posterior._curvature(), posterior.square)
