"""Records of what was computed: encoders, posteriors, learners and their measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

FROM_FILE = "features:"
"""What the spec of an encoder begins with whose features came from a file."""


@dataclass(frozen=True, slots=True)
class EncoderRecord:
    """An encoder as the project knows it."""

    id: str
    """Hash of architecture, weights, preprocessing and dtype."""
    spec: str
    """What the user wrote: `bundled`, `ARCH:TAG`, `ARCH:path` or `features:NAME`."""

    @property
    def from_file(self) -> bool:
        """Whether the features came from a file, so that no model can encode anything else."""
        return self.spec.startswith(FROM_FILE)


@dataclass(frozen=True, slots=True)
class PosteriorRecord:
    """A posterior of the project and where it lies."""

    id: int
    encoder_id: str
    file: str
    """Relative to the project folder."""
    created_at: datetime
    provenance: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LearnerRecord:
    """A learner of the project and where it lies."""

    id: int
    round_id: int
    """The round whose labels it learned last."""
    posterior_id: int
    class_list_id: int
    file: str
    labels: int
    created_at: datetime
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """What the audit set says of a learner; `round_number` 0 is the zero-shot model."""

    round_number: int
    learner_id: int | None
    labels: int
    """Labels learned from."""
    audit_images: int
    values: Mapping[str, Any]
    measured_at: datetime
