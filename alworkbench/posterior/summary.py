"""Figures about a posterior, for `alworkbench posterior show`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alworkbench.posterior.kronecker import KroneckerPosterior, best_prior_precision
from alworkbench.posterior.posterior_file import FORMAT, PosteriorFile


@dataclass(frozen=True, slots=True)
class SideSummary:
    """Figures about the posterior of one projection W (D x P)."""

    activation_size: int
    embedding_size: int
    pairs: int
    pseudo_data_weight: float
    prior_precision: float
    prior_of_most_evidence: float
    """The prior precision that maximises the evidence at this pseudo-data weight."""
    log_evidence: float
    """Log evidence of the prior precision, nats, up to a constant."""
    square: float
    """|W|^2 of the mean."""
    trace_of_covariance: float

    @classmethod
    def of(cls, belief: KroneckerPosterior) -> SideSummary:
        """Compute the figures."""
        embedding_size, activation_size = belief.mean.shape
        return cls(
            activation_size,
            embedding_size,
            belief.pairs,
            belief.pseudo_data_weight,
            belief.prior_precision,
            best_prior_precision(belief),
            belief.log_evidence(),
            belief.square,
            belief.trace_of_covariance(),
        )


@dataclass(frozen=True, slots=True)
class PosteriorSummary:
    """Figures about the posteriors of both projections, and where they come from."""

    file: str
    """Path relative to the project folder."""
    format: str
    encoder_id: str
    created_at: datetime
    provenance: Mapping[str, Any]
    image: SideSummary
    text: SideSummary

    @classmethod
    def of(cls, file: str, found: PosteriorFile) -> PosteriorSummary:
        """Compute the figures of a posterior file; `file` is relative to the project folder."""
        posterior = found.posterior
        return cls(
            file,
            FORMAT,
            posterior.encoder_id,
            found.created_at,
            found.provenance,
            SideSummary.of(posterior.image),
            SideSummary.of(posterior.text),
        )
