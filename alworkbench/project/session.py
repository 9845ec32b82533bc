"""One open project: its folder, its store, its engine, its clock, and the lock for computations.

Every object of a `Workbench` works on the session of its project. Results are computed outside of any
transaction and stored in one short transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alworkbench.core.domain import (
    ClassList,
    EncoderRecord,
    PosteriorRecord,
    ProjectFolder,
    ProjectSettings,
    Role,
    Round,
)
from alworkbench.core.errors import ChangedMeanwhile, FeaturesMissing, NoImages, RoundStillOpen
from alworkbench.core.names import as_on_disk
from alworkbench.core.ports import Reader, Store
from alworkbench.project.image_columns import EncodedImages, ImageColumns
from alworkbench.project.jobs import Jobs

if TYPE_CHECKING:
    import torch

    from alworkbench.encoders.base import Encoder
    from alworkbench.project.artifacts import Engine
    from alworkbench.project.round_history import RoundReports


def utc_now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


class Session:
    """What all objects of one workbench share. Threads of one process may share it too."""

    def __init__(
        self,
        folder: ProjectFolder,
        store: Store,
        *,
        engine: Engine | None = None,
        device: torch.device | None = None,
        clock: Callable[[], datetime] = utc_now,
        asked_by: str = "a script",
    ) -> None:
        """`engine` replaces the one that is read from the folder: simulations share theirs.

        `asked_by` is who starts computations here, in words for the record of a job.
        """
        self.folder = folder
        self.store = store
        self.computing = threading.RLock()
        """Held by each computation. Whoever only reads or records does not take it."""
        self.now = clock
        self.jobs = Jobs(store, clock, asked_by, lambda: self.has_files)
        self.has_files = engine is None
        """Whether images are files. Simulations and replays compute with given features and have none."""
        self._device = device
        self._engine = engine
        self._loading = threading.Lock()
        self._encoder: Encoder | None = None
        self._loading_encoder = threading.Lock()

    @cached_property
    def device(self) -> torch.device:
        """The device that computes; the CPU if none was given."""
        import torch

        return self._device or torch.device("cpu")

    @cached_property
    def round_reports(self) -> RoundReports:
        """The reports of all rounds, which pages of rounds and of accuracy share."""
        from alworkbench.project.round_history import RoundReports

        return RoundReports()

    @property
    def read_only(self) -> bool:
        """Whether nothing can be recorded: the project's folder or its database cannot be written."""
        return self.has_files and not self.folder.can_be_written

    def settings(self) -> ProjectSettings:
        """The settings of the project."""
        with self.store.read() as reader:
            return reader.settings()

    def classes(self) -> ClassList:
        """The newest version of the class list."""
        with self.store.read() as reader:
            return reader.classes.current()

    def encoder_record(self) -> EncoderRecord:
        """The encoder of the project's features. Raises FeaturesMissing before encoding, NoImages."""
        with self.store.read() as reader:
            encoder = reader.computed.encoder()
            images = sum(reader.images.count(role) for role in Role)
        if encoder is None:
            raise FeaturesMissing(images, images) if images else NoImages()
        return encoder

    def engine(self) -> Engine:
        """Head, features and posteriors of this project. Raises FeaturesMissing before encoding."""
        from alworkbench.project.artifacts import ProjectEngine

        with self._loading:
            if self._engine is None:
                self._engine = ProjectEngine(self.folder, self.encoder_record(), self.device)
            return self._engine

    def text_encoder(self, wanted: str, instead: str) -> Encoder:
        """The model of the project's features, loaded once and kept. See `artifacts.load_project_encoder`.

        Raises FeaturesMissing before encoding, EncoderMismatch, and UnknownEncoder where the features came
        from a file: no model can then read what is `wanted`, and the message says what to do `instead`.
        """
        from alworkbench.project.artifacts import load_project_encoder

        with self._loading_encoder:
            if self._encoder is None:
                record = self.encoder_record()
                self._encoder = load_project_encoder(record, self.device, wanted, instead)
            return self._encoder

    def encoded(self) -> set[str]:
        """Content hashes of all images that have features. Loads no tensors.

        Raises FeaturesMissing before encoding.
        """
        if self._engine is not None:
            return set(self._engine.table().hashes)
        from alworkbench.features.shard import encoded_hashes

        return encoded_hashes(self.folder.features / self.encoder_record().id)

    def posterior_record(self, reader: Reader) -> PosteriorRecord | None:
        """The newest posterior of the encoder in use."""
        return reader.computed.posterior(self.engine().encoder_id)

    def encoded_of(self, images: ImageColumns) -> EncodedImages:
        """Those of these images that have features, and their rows.

        Images that the encoder refused are left out. Raises FeaturesMissing.
        """
        table = self.engine().table()
        rows = table.find(images.hashes)
        there = rows >= 0
        unusable = table.quarantined()
        without = images.hashes[~there].tolist()
        missing = sum(content.decode() not in unusable for content in without)
        if missing:
            raise FeaturesMissing(missing, len(images))
        return EncodedImages(images.ids[there], rows[there])


def refuse_open(reader: Reader) -> None:
    """Raises RoundStillOpen where a round is open."""
    current = reader.rounds.current()
    if current is not None:
        raise RoundStillOpen(current.number, reader.rounds.progress(current.id).items_left)


def refuse_closed(reader: Reader, current: Round) -> None:
    """Raises ChangedMeanwhile where this round is not open any more."""
    now = reader.rounds.current()
    if now is None or now.id != current.id:
        raise ChangedMeanwhile(f"round {current.number} was closed", "alworkbench learn")


def stored_id(value: int | None) -> int:
    """The id of a value that was read from the store. Raises ValueError where it was never stored."""
    if value is None:
        raise ValueError("this value was never stored")
    return value


def some_of(rows: Sequence[int] | np.ndarray, count: int, seed: int) -> list[int]:
    """A random sample of at most `count` rows without replacement, fixed by the seed, in order."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(rows), generator=generator)[:count].sort().values
    if isinstance(rows, np.ndarray):
        return rows[chosen.numpy()].tolist()
    return [rows[i] for i in chosen.tolist()]


def resolve(folder: ProjectFolder, path: str) -> Path:
    """A stored path, absolute or relative to the project folder, as the disk spells it now."""
    return as_on_disk(folder.path / path)


def portable(folder: ProjectFolder, root: Path) -> str:
    """As a folder is stored: relative to the project if inside it, so that it can be moved; else absolute."""
    absolute, project = root.resolve(), folder.path.resolve()
    if absolute.is_relative_to(project):
        return absolute.relative_to(project).as_posix()
    return absolute.as_posix()
