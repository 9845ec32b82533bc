"""What a project computes with: head, features, class activations and posterior.

`ProjectEngine` reads them from a project folder, once, for all threads of a process. `FixedEngine` holds
them in memory, for simulations that share one set of features between many runs.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import Strengths
from alworkbench.adaptation.learner import Learner, zero_shot
from alworkbench.core.domain import ClassList, EncoderRecord, PosteriorRecord, ProjectFolder
from alworkbench.core.errors import (
    EncoderMismatch,
    FeaturesMissing,
    PosteriorMissing,
    UnknownEncoder,
)
from alworkbench.encoders import load_encoder
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.head import Head, ensemble_prompts
from alworkbench.features.store import FeatureStore
from alworkbench.features.table import FeatureTable
from alworkbench.features.usable_rows import UnusableRow
from alworkbench.posterior.kronecker import Posterior
from alworkbench.posterior.posterior_file import load_posterior


@dataclass(frozen=True, slots=True)
class FeaturesSummary:
    """What happened when features were computed or taken from a file."""

    encoder_id: str
    encoded: int
    known: int
    """Images that had features before."""
    quarantined: int
    """Images without features: those that were set aside now, and those that were set aside earlier."""
    seconds: float
    unusable: tuple[UnusableRow, ...] = ()
    """Rows of a features file that were set aside."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why images have no features -> how many."""


@runtime_checkable
class Engine(Protocol):
    """What the objects of a workbench compute with."""

    @property
    def encoder_id(self) -> str:
        """Hash of the encoder."""
        ...

    @property
    def head(self) -> Head:
        """The two projections and the logit scale."""
        ...

    @property
    def device(self) -> torch.device:
        """The device of all tensors."""
        ...

    def table(self) -> FeatureTable:
        """Features of all encoded images."""
        ...

    def class_activations(self, classes: ClassList) -> Float[Tensor, "C Q"]:
        """One effective text activation per class, in the order of the list."""
        ...

    def posterior(self, record: PosteriorRecord) -> Posterior:
        """The posterior of this record."""
        ...


@dataclass(frozen=True, slots=True)
class FixedEngine:
    """Everything in memory, computed before."""

    encoder_id: str
    head: Head
    features: FeatureTable
    activations: Float[Tensor, "C Q"]
    belief: Posterior

    @property
    def device(self) -> torch.device:
        """The device of the class activations."""
        return self.activations.device

    def table(self) -> FeatureTable:
        """The features that it was made with."""
        return self.features

    def class_activations(self, classes: ClassList) -> Float[Tensor, "C Q"]:
        """The prepared activations. Raises ValueError for another number of classes."""
        if len(classes) != len(self.activations):
            raise ValueError(f"{len(self.activations)} classes were prepared, not {len(classes)}")
        return self.activations

    def posterior(self, record: PosteriorRecord) -> Posterior:
        """The posterior that it was made with, whatever the record."""
        return self.belief


class ProjectEngine:
    """Engine values of a project folder, read when they are first needed."""

    def __init__(self, folder: ProjectFolder, encoder: EncoderRecord, device: torch.device) -> None:
        self._folder = folder
        self._encoder = encoder
        self._store = FeatureStore(folder.features / encoder.id)
        self._head: Head | None = None
        self._posteriors: dict[int, Posterior] = {}
        self._lock = threading.RLock()
        self.device = device

    @property
    def encoder_id(self) -> str:
        """Hash of the encoder."""
        return self._encoder.id

    @property
    def head(self) -> Head:
        """The head of the encoder, read once."""
        with self._lock:
            if self._head is None:
                self._head = self._store.read_head().to(self.device, torch.float32)
            return self._head

    def table(self) -> FeatureTable:
        """Features of all encoded images."""
        return self._store.open_table()

    def class_activations(self, classes: ClassList) -> Float[Tensor, "C Q"]:
        """One text activation for each class. Raises FeaturesMissing for new prompts."""
        prompts = [prompt for c in classes.classes for prompt in c.prompts]
        class_of = torch.tensor([i for i, c in enumerate(classes.classes) for _ in c.templates])
        activations = self._store.prompt_activations(prompts)
        if activations is None:
            raise FeaturesMissing(len(prompts), len(prompts), what="prompts of the classes")
        return ensemble_prompts(self.head, activations.to(self.device), class_of.to(self.device))

    def posterior(self, record: PosteriorRecord) -> Posterior:
        """The posterior of this record, read once. Raises InvalidPosteriorFile."""
        with self._lock:
            if record.id not in self._posteriors:
                path = self._folder.path / record.file
                found = load_posterior(path, encoder_id=self.encoder_id)
                self._posteriors[record.id] = found.posterior.to(self.device)
            return self._posteriors[record.id]


def starting_learner(
    engine: Engine, classes: ClassList, record: PosteriorRecord | None, strengths: Strengths
) -> Learner:
    """The zero-shot model of this class list, with the posterior at these strengths.

    Raises PosteriorMissing, FeaturesMissing.
    """
    if record is None:
        raise PosteriorMissing(engine.encoder_id)
    belief = engine.posterior(record).tempered(strengths.image, strengths.text)
    return zero_shot(engine.head, belief, engine.class_activations(classes))


def load_project_encoder(
    record: EncoderRecord, device: torch.device, wanted: str, instead: str
) -> Encoder:
    """The model that computed the project's features.

    Raises UnknownEncoder where the features came from a file: no model can then encode what is `wanted`,
    and the message says what to do `instead`. Raises EncoderMismatch where the model was changed since.
    """
    refuse_file(record, wanted, instead)
    encoder = load_encoder(record.spec, device)
    if encoder.id != record.id:
        raise EncoderMismatch("The project's features", record.id, encoder.id)
    return encoder


def refuse_file(record: EncoderRecord, wanted: str, instead: str) -> None:
    """Raises UnknownEncoder where features came from a file, as `load_project_encoder` does."""
    if record.from_file:
        raise UnknownEncoder(
            f"The features of this project came from a file ({record.spec}), so no model can "
            f"encode {wanted}. {instead}"
        )
