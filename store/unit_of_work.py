"""The store: blocks that read one state, and blocks that write it as one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection

from alworkbench.core.domain import ProjectSettings
from store.engine import Database
from store.errors import translated
from store.repositories import (
    ClassRepository,
    ComputedRepository,
    ImageRepository,
    LabelRepository,
    ProjectRepository,
    RoundRepository,
    SimulationRepository,
)


class SqlReader:
    """The repositories on one connection; of no use after its block has ended."""

    def __init__(self, connection: Connection, where: Path) -> None:
        self.images = ImageRepository(connection)
        self.classes = ClassRepository(connection)
        self.rounds = RoundRepository(connection)
        self.labels = LabelRepository(connection)
        self.computed = ComputedRepository(connection)
        self.simulations = SimulationRepository(connection)
        self._project = ProjectRepository(connection, where)

    def settings(self) -> ProjectSettings:
        return self._project.settings()


class SqlWriter(SqlReader):
    def save_settings(self, settings: ProjectSettings) -> None:
        self._project.save(settings)


class SqlStore:
    """What `ports.Store` asks for; `with` closes it."""

    def __init__(self, database: Database, where: Path) -> None:
        self._database = database
        self._where = where

    @contextmanager
    def read(self) -> Iterator[SqlReader]:
        with translated(self._where), self._database.reading() as connection:
            yield SqlReader(connection, self._where)

    @contextmanager
    def write(self) -> Iterator[SqlWriter]:
        with translated(self._where), self._database.writing() as connection:
            yield SqlWriter(connection, self._where)

    def close(self) -> None:
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
