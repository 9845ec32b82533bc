"""The store: read blocks that see one state, and write blocks that are one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection

from alworkbench.core.domain import ClassList, ProjectSettings
from alworkbench.core.ports import RecordCounts
from store.copies import counted
from store.engine import Database
from store.errors import translated
from store.faults import faults_of
from store.repositories import (
    ClassRepository,
    ComputedRepository,
    ImageRepository,
    JobRepository,
    LabelRepository,
    NoteRepository,
    PeopleRepository,
    PreparedRepository,
    ProjectRepository,
    ReviewRepository,
    RoundRepository,
)


class SqlReader:
    """The repositories on one connection. Do not use it after its block has ended."""

    def __init__(self, connection: Connection, where: Path) -> None:
        self._connection = connection
        self.images = ImageRepository(connection)
        self.classes = ClassRepository(connection)
        self.rounds = RoundRepository(connection)
        self.labels = LabelRepository(connection)
        self.notes = NoteRepository(connection)
        self.people = PeopleRepository(connection)
        self.reviews = ReviewRepository(connection)
        self.computed = ComputedRepository(connection)
        self.jobs = JobRepository(connection)
        self.prepared = PreparedRepository(connection)
        self._project = ProjectRepository(connection, where)

    def settings(self) -> ProjectSettings:
        """The settings of the project. Raises ProjectMissing in an empty store."""
        return self._project.settings()

    def faults(self) -> list[str]:
        """See `ports.Reader.faults`."""
        return faults_of(self._connection)


class SqlWriter(SqlReader):
    """The repositories in a transaction."""

    def save_settings(self, settings: ProjectSettings) -> None:
        """Replace the settings of the project."""
        self._project.save(settings)

    def begin_project(self, settings: ProjectSettings, classes: ClassList, now: datetime) -> None:
        """The first records of a project, in an empty database."""
        self.save_settings(settings)
        self.classes.add(classes, now)


class SqlStore:
    """The implementation of `ports.Store`. A `with` block closes it."""

    def __init__(self, database: Database, where: Path) -> None:
        self._database = database
        self._where = where

    @contextmanager
    def read(self) -> Iterator[SqlReader]:
        """See `ports.Store.read`."""
        with translated(self._where), self._database.reading() as connection:
            yield SqlReader(connection, self._where)

    @contextmanager
    def write(self) -> Iterator[SqlWriter]:
        """See `ports.Store.write`."""
        with translated(self._where), self._database.writing() as connection:
            yield SqlWriter(connection, self._where)

    def copy_to(self, target: Path) -> RecordCounts:
        """See `ports.Store.copy_to`."""
        with translated(self._where):
            self._database.copy_to(target)
            return counted(target)

    def close(self) -> None:
        """See `ports.Store.close`."""
        self._database.close()

    def __enter__(self) -> SqlStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
