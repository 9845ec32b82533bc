"""Projects whose records lie on a PostgreSQL server: made, opened, moved there.

Only they need the package psycopg.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from alworkbench.core.domain import ClassList, ProjectFolder, ProjectSettings
from alworkbench.core.errors import ProjectExists, ProjectMissing, ServerHoldsProject
from alworkbench.core.ports import Store
from store.engine import migration_engine
from store.errors import translated
from store.portable import copy_rows, revision_of
from store.postgresql import ServerDatabase
from store.server_upgrades import bring_server_up_to_date, migrating_server, schema_of_server
from store.server_url import parsed, read_pointer, write_pointer
from store.unit_of_work import SqlStore, SqlWriter
from store.upgrades import make_schema, upgrade


def open_server_store(folder: Path) -> Store:
    """The store that the project's `store.json` names. See `store.open_store`."""
    place = ProjectFolder(folder)
    url, may_write = read_pointer(place.pointer), place.can_be_written
    if bring_server_up_to_date(url, folder, may_write=may_write).empty:
        raise ProjectMissing(folder)
    return SqlStore(ServerDatabase(url, folder, read_only=not may_write), folder)


def create_server_store(
    folder: Path, server: str, settings: ProjectSettings, classes: ClassList, now: datetime
) -> Store:
    """A new project whose records lie in the empty database at the URL `server`. See `store.create_store`."""
    url = parsed(server)
    place = ProjectFolder(folder)
    if place.holds_project:
        raise ProjectExists(folder)
    try:
        with migrating_server(url, folder) as connection:
            if not schema_of_server(connection).empty:
                raise ServerHoldsProject("a project")
            upgrade(connection)
            SqlWriter(connection, folder).begin_project(settings, classes, now)
            # Before the commit: a database that holds a project has a folder that names it.
            write_pointer(place.pointer, url)
    except BaseException:
        place.pointer.unlink(missing_ok=True)
        raise
    return SqlStore(ServerDatabase(url, folder), folder)


def move_to_server(folder: Path, server: str) -> None:
    """Move the records of the project in `folder` from its SQLite file to the empty database at `server`.

    Nobody else may have the project open. The file is deleted when all rows are on the server. Raises
    InvalidStoreUrl, ServerHoldsProject and ServerUnavailable; the file is then as it was.
    """
    url = parsed(server)
    place = ProjectFolder(folder)
    engine = migration_engine(place.database)
    try:
        with (
            translated(folder),
            engine.connect() as source,
            migrating_server(url, folder) as connection,
        ):
            if not schema_of_server(connection).empty:
                raise ServerHoldsProject("a project")
            make_schema(connection, revision_of(source))
            copy_rows(source, connection)
            upgrade(connection)
            write_pointer(place.pointer, url)
    except BaseException:
        place.pointer.unlink(missing_ok=True)
        raise
    finally:
        engine.dispose()
    place.database.unlink()
