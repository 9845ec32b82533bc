"""Gaussian belief over one projection matrix, with a Kronecker-factored precision.

    precision = A~ (x) B~      A~ = sqrt(tau / n) A + sqrt(lambda) I
                               B~ = strength * (sqrt(tau / n) B + sqrt(lambda) I)

    Cov[W_dp, W_eq] = (B~^-1)_de (A~^-1)_pq

A and B are decomposed once; every prior precision lambda, pseudo-data weight tau and strength after
that is a vector operation. tau = 1 counts the n pairs as what they are in the approximation
(A (x) B) / n; Baumann et al., arXiv:2412.06014, use tau = 10 with factors divided by sqrt(n).

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
from scipy.optimize import minimize_scalar
from torch import Tensor

from alworkbench.errors import NotPositiveDefinite
from alworkbench.posterior.curvature import KroneckerFactors

# Sums of float32 blocks leave eigenvalues of this share of the largest, of either sign, where the
# exact factor has zeros. What is more negative is no rounding.
_ROUNDING = 1e-5


@dataclass(frozen=True, slots=True)
class Spectrum:
    """A symmetric factor, decomposed: vectors @ diag(values) @ vectors.T, float64."""

    values: Float[Tensor, "M"]
    vectors: Float[Tensor, "M M"]

    @classmethod
    def of(cls, factor: Float[Tensor, "M M"], name: str) -> Spectrum:
        """Decompose; rounding below zero is cut off, more is refused as NotPositiveDefinite."""
        if not torch.isfinite(factor).all():
            raise NotPositiveDefinite(
                f"The {name} factor holds values that are not finite. Fit the posterior again from "
                f"activations without them: `alworkbench fit --pairs captions.csv`."
            )
        values, vectors = torch.linalg.eigh((factor.double() + factor.double().T) / 2)
        smallest, largest = float(values[0]), float(values[-1])
        if largest <= 0 or smallest < -_ROUNDING * largest:
            raise NotPositiveDefinite(
                f"The {name} factor is not positive semi-definite: its eigenvalues go from "
                f"{smallest:.3g} to {largest:.3g}. A sum of outer products cannot be that; fit the "
                f"posterior again with `alworkbench fit --pairs captions.csv`."
            )
        return cls(values.clamp_min(0), vectors)

    def dense(self) -> Float[Tensor, "M M"]:
        return (self.vectors * self.values) @ self.vectors.T

    def to(self, device: torch.device | str) -> Spectrum:
        return Spectrum(self.values.to(device), self.vectors.to(device))


@dataclass(frozen=True, slots=True)
class KroneckerPosterior:
    """Belief about one projection: matrix-normal around the projection of the model."""

    mean: Float[Tensor, "D P"]
    activation: Spectrum
    """A, decomposed."""
    embedding: Spectrum
    """B, decomposed."""
    pairs: int
    prior_precision: float
    pseudo_data_weight: float = 1.0
    strength: float = 1.0
    """A factor on the whole precision: below 1, the posterior is a weaker prior for learning."""

    @classmethod
    def from_factors(
        cls,
        mean: Float[Tensor, "D P"],
        factors: KroneckerFactors,
        *,
        pseudo_data_weight: float = 1.0,
        prior_precision: float | None = None,
    ) -> KroneckerPosterior:
        """Decompose the factors; without a prior precision, take the one of most evidence."""
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
        """The same belief with its precision multiplied by `strength`."""
        if not strength > 0:
            raise ValueError(f"a strength is positive, found {strength}")
        return replace(self, strength=self.strength * strength)

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
        root = self.activation_root()
        return root @ root.T

    def embedding_covariance(self) -> Float[Tensor, "D D"]:
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
        """sum of the variances of all entries of W: tr A~^-1 tr B~^-1."""
        of_a = float(self.activation_precisions.reciprocal().sum())
        return of_a * float(self.embedding_precisions.reciprocal().sum())

    def log_evidence(self) -> float:
        """Log marginal likelihood of lambda, up to what does not depend on it.

        -lambda / 2 |W|^2 + D P / 2 log lambda - 1 / 2 (D logdet A~ + P logdet B~)
        """
        penalty = self.prior_precision * float(self.mean.double().square().sum())
        freedom = self.mean.numel() * math.log(self.prior_precision)
        return 0.5 * (freedom - penalty - self.log_determinant())

    def sample(self, draws: int, generator: torch.Generator) -> Float[Tensor, "K D P"]:
        """Joint draws of the whole matrix: W + L_B E L_A^T with standard normal E."""
        noise = torch.randn(
            draws, *self.mean.shape, generator=generator, device=generator.device
        ).to(self.mean)
        left = self.embedding_root().to(self.mean)
        right = self.activation_root().to(self.mean)
        return self.mean + left @ noise @ right.T

    def to(self, device: torch.device | str) -> KroneckerPosterior:
        return replace(
            self,
            mean=self.mean.to(device),
            activation=self.activation.to(device),
            embedding=self.embedding.to(device),
        )


@dataclass(frozen=True, slots=True)
class Posterior:
    """Beliefs about both projections of one encoder; independent of each other."""

    image: KroneckerPosterior
    text: KroneckerPosterior
    encoder_id: str

    def tempered(self, image: float, text: float) -> Posterior:
        return replace(self, image=self.image.tempered(image), text=self.text.tempered(text))

    def to(self, device: torch.device | str) -> Posterior:
        return replace(self, image=self.image.to(device), text=self.text.to(device))


def best_prior_precision(posterior: KroneckerPosterior) -> float:
    """The prior precision of most evidence, by a bracketed scalar search on log lambda.

    A grid over 24 decades finds the basin (it is two small tables, so it costs nothing), Brent's
    method finishes inside it. Raises NotPositiveDefinite where the evidence has no inner maximum.
    """
    exponents = torch.linspace(-27.6, 27.6, 241, dtype=torch.float64)
    device = posterior.activation.values.device
    candidates = exponents.exp().to(device)  # G
    roots = candidates.sqrt()[:, None]
    scale = math.sqrt(posterior.pseudo_data_weight / posterior.pairs)
    size_d, size_p = posterior.mean.shape
    of_a = (scale * posterior.activation.values + roots).log().sum(dim=-1)  # G
    of_b = (scale * posterior.embedding.values + roots).log().sum(dim=-1)  # G
    square = float(posterior.mean.double().square().sum())
    evidence = 0.5 * (
        size_d * size_p * exponents.to(device) - candidates * square - size_d * of_a - size_p * of_b
    )
    best = int(evidence.argmax())
    if best in (0, len(exponents) - 1):
        raise NotPositiveDefinite(
            "The evidence has no maximum in the prior precision: the factors carry no curvature, or "
            "the projection is zero. Fit the posterior from more pairs."
        )

    def loss(log_precision: float) -> float:
        return -replace(posterior, prior_precision=math.exp(log_precision)).log_evidence()

    found = minimize_scalar(
        loss,
        bounds=(float(exponents[best - 1]), float(exponents[best + 1])),
        method="bounded",
        options={"xatol": 1e-7},
    )
    return math.exp(float(found.x))
