"""A posterior in figures, for people and programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alworkbench.posterior.kronecker import KroneckerPosterior, best_prior_precision
from alworkbench.posterior.posterior_file import FORMAT, PosteriorFile


@dataclass(frozen=True, slots=True)
class SideSummary:
    """Of the belief about one projection W (D x P)."""

    activation_size: int
    embedding_size: int
    pairs: int
    pseudo_data_weight: float
    prior_precision: float
    prior_of_most_evidence: float
    """What the evidence would choose at this weight."""
    log_evidence: float
    """At the prior precision, up to what does not depend on it; nats."""
    square: float
    """|W|^2."""
    trace_of_covariance: float

    @classmethod
    def of(cls, belief: KroneckerPosterior) -> SideSummary:
        """The figures of one projection's posterior."""
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
    """The figures of a posterior that people compare."""

    file: str
    """Relative to the project."""
    format: str
    encoder_id: str
    created_at: datetime
    provenance: Mapping[str, Any]
    image: SideSummary
    text: SideSummary

    @classmethod
    def of(cls, file: str, found: PosteriorFile) -> PosteriorSummary:
        """The figures of a posterior file; `file` is relative to the project."""
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
