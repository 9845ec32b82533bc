"""What the service asks of a store. `store/` implements it; the engine never imports `store`.

A caller may rely on this:

- `Store.write()` is one transaction. It begins by taking the write lock, so what is read inside it
  still holds when it commits. It commits when the block ends and rolls back when the block raises.
  When `write()` has returned, what it wrote survives a killed process and a power cut.
- `Store.read()` sees one consistent state and never waits for a writer.
- Writers of one process wait for each other in the order in which they came; blocks stay short,
  nothing is computed inside them.
- Labels are only ever added. `add` with an event id that is known returns the stored label and adds
  nothing, whatever else the answer says.
- Rows never leave the store: every method takes and returns values of `domain.py`.
- Clocks: the store never asks for the time. Callers pass it in, always aware and in UTC.

The protocols are `runtime_checkable` because the test run checks annotations, these included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from alworkbench.core.domain import (
    Answer,
    ClassList,
    EncoderRecord,
    FoundImage,
    Image,
    ImportSummary,
    Item,
    Label,
    LearnerRecord,
    MetricRecord,
    NewRound,
    PosteriorRecord,
    ProjectSettings,
    QuarantinedFile,
    Role,
    Round,
    SimulationPoint,
    SimulationRecord,
    TakeBack,
)


@runtime_checkable
class Images(Protocol):
    def add(
        self,
        found: Iterable[FoundImage],
        quarantined: Iterable[QuarantinedFile],
        *,
        root: str,
        role: Role,
    ) -> ImportSummary:
        """Add pictures found below `root` (a folder, absolute or relative to the project).

        Unseen content becomes an image with this role. Known content keeps its id and its role and
        gains a path. Adding the same file again changes nothing. Quarantined files are remembered by
        path; one that has since become readable leaves the quarantine.
        """
        ...

    def get(self, image_id: int) -> Image: ...
    def by_hash(self, content_hash: str) -> Image | None: ...
    def by_path(self, path: str) -> Image | None:
        """The image with a path equal to this, or that ends with `/` + this if only one does."""
        ...

    def ids_and_hashes(self, role: Role) -> list[tuple[int, str]]:
        """(image id, content hash) of every image with this role, by id."""
        ...

    def hashes_and_paths(self, role: Role) -> list[tuple[str, str]]:
        """(content hash, the newest place where it was found) of every image with this role."""
        ...

    def count(self, role: Role) -> int: ...
    def set_role(self, image_ids: Sequence[int], role: Role) -> None:
        """Give images another role: all of them, or none.

        Raises ImageInUse for one that was ever answered, or that the open round asks about: an image
        that was learned from is never in the audit set. Raises NotInProject for an unknown id.
        """
        ...

    def quarantined(self) -> list[QuarantinedFile]: ...


@runtime_checkable
class Classes(Protocol):
    def current(self) -> ClassList: ...
    def get(self, class_list_id: int) -> ClassList: ...
    def add(self, classes: ClassList, now: datetime) -> ClassList:
        """Store a new version; names that are known keep their class id."""
        ...


@runtime_checkable
class Rounds(Protocol):
    def open(self, new: NewRound, now: datetime) -> Round:
        """Publish a round with its items. Raises RoundStillOpen if one is open."""
        ...

    def current(self) -> Round | None:
        """The open round, or None."""
        ...

    def get(self, round_id: int) -> Round: ...
    def all(self) -> list[Round]: ...
    def items(self, round_id: int) -> list[Item]:
        """Every item in its order, with its lease and the answer that counts now."""
        ...

    def item(self, item_id: int) -> Item | None: ...

    def claim(
        self, round_id: int, annotator: str, limit: int, now: datetime, until: datetime
    ) -> list[Item]:
        """Up to `limit` unanswered items leased to this annotator until `until`, in order.

        Items that the annotator holds already come back with the same token and the later end. Items
        whose lease ran out before `now` are free again. Two annotators never hold one item.
        """
        ...

    def close(self, round_id: int, now: datetime) -> Round: ...


@runtime_checkable
class Labels(Protocol):
    def add(self, answer: Answer, now: datetime) -> Label: ...
    def add_many(self, answers: Sequence[Answer], now: datetime) -> list[Label]: ...
    def by_event(self, event_id: str) -> Label | None: ...
    def retract(self, label_id: int, event_id: str, annotator: str, now: datetime) -> None:
        """Take one label back, by adding the record of that; the same event id acts once."""
        ...

    def retracted_by(self, event_id: str) -> Label | None:
        """The label that this take-back took back, or None for an unknown event id."""
        ...

    def take_backs(self) -> list[TakeBack]:
        """Every take-back, oldest first."""
        ...

    def all(self) -> list[Label]:
        """Every label ever recorded, those taken back included, oldest first."""
        ...

    def newest_of(self, annotator: str, round_id: int) -> Label | None:
        """The annotator's newest label in the round that was not taken back."""
        ...

    def current(self, role: Role) -> dict[int, Label]:
        """Image id -> the label that counts: the newest that was not taken back."""
        ...

    def history(self, image_id: int) -> list[Label]:
        """Every label ever given to the image, those taken back included, oldest first."""
        ...

    def count(self) -> int:
        """How many labels were ever recorded (take-backs are not labels)."""
        ...


@runtime_checkable
class Computed(Protocol):
    """Encoders, posteriors, learners and metrics: records of files and figures."""

    def set_encoder(self, record: EncoderRecord) -> None: ...
    def encoder(self) -> EncoderRecord | None: ...
    def add_posterior(
        self, encoder_id: str, file: str, provenance: Mapping[str, Any], now: datetime
    ) -> PosteriorRecord: ...
    def posterior(self, encoder_id: str) -> PosteriorRecord | None:
        """The newest posterior of this encoder."""
        ...

    def posteriors(self) -> list[PosteriorRecord]:
        """Every posterior of every encoder, oldest first."""
        ...

    def add_learner(
        self,
        *,
        round_id: int,
        posterior_id: int,
        class_list_id: int,
        file: str,
        labels: int,
        settings: Mapping[str, Any],
        now: datetime,
    ) -> LearnerRecord: ...
    def learner(self) -> LearnerRecord | None:
        """The newest learner, or None before the first round is closed."""
        ...

    def get_learner(self, learner_id: int) -> LearnerRecord: ...
    def learners(self) -> list[LearnerRecord]:
        """Every learner, oldest first."""
        ...

    def add_metrics(self, record: MetricRecord) -> None:
        """A second record of the same round and learner replaces the first."""
        ...

    def metrics(self) -> list[MetricRecord]:
        """By round number, then time."""
        ...


@runtime_checkable
class Simulations(Protocol):
    """Finished simulations, one row for each learner of each run."""

    def add(self, record: SimulationRecord, points: Sequence[SimulationPoint]) -> None:
        """Keep a simulation with its points. One whose key is known already changes nothing."""
        ...

    def all(self) -> list[SimulationRecord]:
        """Oldest first."""
        ...

    def points(self, key: str) -> list[SimulationPoint]:
        """In the order in which they were added; none for an unknown key."""
        ...


@runtime_checkable
class Reader(Protocol):
    @property
    def images(self) -> Images: ...
    @property
    def classes(self) -> Classes: ...
    @property
    def rounds(self) -> Rounds: ...
    @property
    def labels(self) -> Labels: ...
    @property
    def computed(self) -> Computed: ...
    @property
    def simulations(self) -> Simulations: ...
    def settings(self) -> ProjectSettings: ...


@runtime_checkable
class Writer(Reader, Protocol):
    def save_settings(self, settings: ProjectSettings) -> None: ...


@runtime_checkable
class Store(Protocol):
    def read(self) -> AbstractContextManager[Reader]: ...
    def write(self) -> AbstractContextManager[Writer]: ...
    def close(self) -> None: ...
