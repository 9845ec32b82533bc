"""One project, open: what every use of it shares."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import torch

from alworkbench.adaptation.learner import Learner, Strengths
from alworkbench.core.domain import ClassList, PosteriorRecord, ProjectFolder, ProjectSettings, Role
from alworkbench.core.errors import FeaturesMissing, RoundStillOpen
from alworkbench.core.ports import Reader, Store
from alworkbench.posterior.name_novelty import NameKnowledge, has_captions, known_names
from alworkbench.project.artifacts import Engine, ProjectEngine


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class OpenProject:
    """Folder, store and engine of a project, and what was computed once and is kept."""

    def __init__(
        self,
        folder: ProjectFolder,
        store: Store,
        *,
        engine: Engine | None = None,
        device: torch.device | None = None,
        strengths: Strengths | None = None,
        targets: Sequence[str] = (),
        clock: Callable[[], datetime] = utc_now,
        watched: bool = True,
    ) -> None:
        """`engine` replaces the one that is read from the folder: simulations share theirs.

        `targets` are content hashes of encoded images whose predictions matter; they may lie outside
        of the project. Without any, a random sample of the pool stands for all of it. What stopping
        rules read is recorded unless `watched` is off, as where nobody will ask for advice.
        """
        self.folder = folder
        self.store = store
        self._device = device or torch.device("cpu")
        self._engine = engine
        self._strengths = strengths or Strengths()
        self._targets = tuple(targets)
        self._clock = clock
        self._is_watched = watched
        self._learner: tuple[tuple[object, ...], Learner] | None = None
        self._names: tuple[tuple[object, ...], tuple[NameKnowledge, ...]] | None = None
        # Computing is serialised; nothing that only reads or records takes this lock.
        self._computing = threading.RLock()
        self._loading = threading.Lock()

    def settings(self) -> ProjectSettings:
        """The settings of the project."""
        with self.store.read() as reader:
            return reader.settings()

    def classes(self) -> ClassList:
        """The newest class list."""
        with self.store.read() as reader:
            return reader.classes.current()

    def now(self) -> datetime:
        """The time by this service's clock."""
        return self._clock()

    def engine(self) -> Engine:
        """The engine values of this project. Raises FeaturesMissing before the first encoding."""
        with self._loading:
            if self._engine is None:
                with self.store.read() as reader:
                    encoder = reader.computed.encoder()
                    images = sum(reader.images.count(role) for role in Role)
                if encoder is None:
                    raise FeaturesMissing(images, images)
                self._engine = ProjectEngine(self.folder, encoder, self._device)
            return self._engine

    def _posterior_record(self, reader: Reader) -> PosteriorRecord | None:
        return reader.computed.posterior(self.engine().encoder_id)

    def _rows(self, images: list[tuple[int, str]]) -> dict[int, int]:
        """Row of the features -> image id, in the order of the images."""
        table = self.engine().table()
        known = table.rows_by_hash()
        found = {known[content]: image for image, content in images if content in known}
        unusable = table.quarantined()
        missing = sum(content not in known and content not in unusable for _, content in images)
        if missing:
            raise FeaturesMissing(missing, len(images))
        return found

    def _names_known(
        self, classes: ClassList, record: PosteriorRecord | None
    ) -> tuple[NameKnowledge, ...]:
        """Of the class names; none without a posterior of captions or before prompts are encoded."""
        if record is None or not has_captions(record.provenance):
            return ()
        key = (classes.id, record.id)
        if self._names is None or self._names[0] != key:
            engine = self.engine()
            try:
                activations = engine.class_activations(classes)
            except FeaturesMissing:  # a class was added since; encoding is the next step
                return ()
            found = known_names(engine.posterior(record).text, classes.names, activations)
            self._names = key, found
        return self._names[1]


def refuse_open(reader: Reader) -> None:
    """Raises RoundStillOpen."""
    current = reader.rounds.current()
    if current is not None:
        unanswered = sum(item.label is None for item in reader.rounds.items(current.id))
        raise RoundStillOpen(current.number, unanswered)


def stored_id(value: int | None) -> int:
    """A stored value's id."""
    if value is None:
        raise ValueError("this value was never stored")
    return value


def some_of(rows: list[int], count: int, seed: int) -> list[int]:
    """A seeded random sample without replacement, in the order of the rows."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(rows), generator=generator)[:count].sort().values
    return [rows[i] for i in chosen.tolist()]
