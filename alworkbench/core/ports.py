"""What the project asks of a store. `store/` implements these protocols; the engine never imports `store`.

A caller may rely on this:

- `Store.write()` is one transaction. It begins by taking the write lock, so what is read inside it
  still holds when it commits. It commits when the block ends and rolls back when the block raises.
  When `write()` has returned, what it wrote survives a killed process and a power cut.
- `Store.read()` sees one consistent state and never waits for a writer.
- Writers of one process wait for each other in the order in which they came; blocks stay short,
  nothing is computed inside them.
- Labels are only ever added. `add` with an event id that is known returns the stored label and adds
  nothing, whatever else the answer says.
- Database rows never leave the store: every method takes and returns values of `core.domain`.
- Clocks: the store never asks for the time. Callers pass it in, always aware and in UTC.

`alworkbench.core.repositories`, `label_repository`, `round_repositories`, `people_repository`,
`note_repository` and `job_repository` have the protocols of what a store holds. All protocols are
`runtime_checkable` because the test run checks annotations, these included.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from alworkbench.core.domain import ProjectSettings
from alworkbench.core.job_repository import Jobs
from alworkbench.core.label_repository import Labels
from alworkbench.core.note_repository import Notes
from alworkbench.core.people_repository import People
from alworkbench.core.repositories import Classes, Computed, Images, Prepared
from alworkbench.core.round_repositories import Reviews, Rounds


@dataclass(frozen=True, slots=True)
class RecordCounts:
    """How many records a copy holds."""

    images: int
    labels: int
    """Every label ever recorded, those taken back included."""


@runtime_checkable
class Reader(Protocol):
    """One consistent state of a project."""

    def faults(self) -> list[str]:
        """What is wrong with the records themselves, each in a few words; empty for a sound store."""
        ...

    @property
    def images(self) -> Images:
        """The pictures."""
        ...

    @property
    def classes(self) -> Classes:
        """The class lists."""
        ...

    @property
    def rounds(self) -> Rounds:
        """The rounds."""
        ...

    @property
    def labels(self) -> Labels:
        """The answers."""
        ...

    @property
    def reviews(self) -> Reviews:
        """The cases for a reviewer."""
        ...

    @property
    def notes(self) -> Notes:
        """Notes and flags of images."""
        ...

    @property
    def people(self) -> People:
        """Who works on the project."""
        ...

    @property
    def jobs(self) -> Jobs:
        """The computations."""
        ...

    @property
    def prepared(self) -> Prepared:
        """The next round, if it is prepared."""
        ...

    @property
    def computed(self) -> Computed:
        """Encoders, posteriors, learners and metrics."""
        ...

    def settings(self) -> ProjectSettings:
        """The settings of the project. Raises ProjectMissing in an empty store."""
        ...


@runtime_checkable
class Writer(Reader, Protocol):
    """One transaction."""

    def save_settings(self, settings: ProjectSettings) -> None:
        """Replace the settings of the project."""
        ...


@runtime_checkable
class Store(Protocol):
    """Everything that a project remembers; `read` and `write` open blocks on it."""

    def read(self) -> AbstractContextManager[Reader]:
        """A block that sees one state and never waits for a writer."""
        ...

    def write(self) -> AbstractContextManager[Writer]:
        """A block that is one transaction: it commits at the end and rolls back when it raises."""
        ...

    def copy_to(self, target: Path) -> RecordCounts:
        """Write one state of all records to the new file `target`, a database in SQLite, while others write.

        The copy is checked, and on the disk when its name appears. Returns what it holds. Raises
        ProjectDamaged.
        """
        ...

    def close(self) -> None:
        """Close all connections; a second call does nothing."""
        ...
