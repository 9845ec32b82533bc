"""The database of a project: one SQLite file, or a PostgreSQL database. `README.md` lists what callers may
rely on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from alworkbench.core.domain import ClassList, ProjectFolder, ProjectSettings
from alworkbench.core.errors import ProjectExists, ProjectMissing, ProjectUnavailable
from alworkbench.core.ports import Store
from alworkbench.core.reasons import why_unreadable
from store.engine import FileDatabase, MemoryDatabase, memory_engine, transaction
from store.errors import translated
from store.new_schema import make_new_schema
from store.read_only import ReadOnlyDatabase
from store.unit_of_work import SqlStore, SqlWriter
from store.upgrades import bring_up_to_date, inspect, migrating

__all__ = ["create_store", "memory_store", "move_to_server", "open_store"]


def open_store(path: Path, *, must_exist: bool = True) -> Store:
    """The store of the project in `path`: its folder, or the project.db in it.

    An older schema is upgraded first, after a copy of the database. Where the file or its folder cannot be
    written, the store can be read, and a write block raises ProjectReadOnly. Without `must_exist`, a
    missing file becomes an empty store without settings and classes.
    Raises ProjectMissing, ProjectTooNew, ProjectDamaged, ProjectBusy or ProjectUnavailable.
    """
    database = _database(path)
    folder = database.parent
    with translated(folder):
        place = ProjectFolder(folder)
        if place.pointer.is_file():
            from store.server import open_server_store

            return open_server_store(folder)
        if database.exists() and not place.can_be_written:
            return SqlStore(ReadOnlyDatabase(database), folder)
        if must_exist and inspect(database).empty:
            raise ProjectMissing(folder)
        _make_folder(folder)
        bring_up_to_date(database)
        return SqlStore(FileDatabase(database), folder)


def create_store(
    path: Path,
    settings: ProjectSettings,
    classes: ClassList,
    now: datetime,
    *,
    server: str | None = None,
) -> Store:
    """A new project in `path`: its folder, or the project.db in it. Missing folders are made.

    `server` is the URL of an empty PostgreSQL database that is to hold the records; the folder then holds
    the other files, and the URL without its password. A failure leaves no project. Raises ProjectExists
    if there is one, and InvalidStoreUrl, ServerHoldsProject and ServerUnavailable about the server.
    """
    database = _database(path)
    folder = database.parent
    _make_folder(folder)
    with translated(folder):
        if server is not None:
            from store.server import create_server_store

            return create_server_store(folder, server, settings, classes, now)
        if ProjectFolder(folder).pointer.is_file():
            raise ProjectExists(folder)
        with migrating(database) as connection:
            if not inspect(database).empty:
                raise ProjectExists(folder)
            make_new_schema(connection)
            SqlWriter(connection, folder).begin_project(settings, classes, now)
        return SqlStore(FileDatabase(database), folder)


def memory_store(settings: ProjectSettings, classes: ClassList, now: datetime) -> Store:
    """A store in memory, for tests and simulations. `close` deletes it."""
    engine = memory_engine()
    with engine.connect() as connection, transaction(connection):
        make_new_schema(connection)
        SqlWriter(connection, Path("memory")).begin_project(settings, classes, now)
    return SqlStore(MemoryDatabase(engine), Path("memory"))


def move_to_server(folder: Path, server: str) -> None:
    """See `store.server.move_to_server`, which needs the package psycopg."""
    from store import server as servers

    servers.move_to_server(folder, server)


def _database(path: Path) -> Path:
    inside = ProjectFolder(path).database
    return path if path.name == inside.name else inside


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ProjectUnavailable(folder, why_unreadable(error)) from error
