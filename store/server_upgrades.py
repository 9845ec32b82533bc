"""The schema of a project on a PostgreSQL server: read, made and upgraded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, inspect, text

from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import ProjectReadOnly, ServerHoldsProject, ServerUnavailable
from store.copies import free_name
from store.engine import PATIENCE
from store.portable import VERSION, copy_to_file
from store.postgresql import server_engine, server_transaction
from store.upgrades import HEAD, Schema, known_revisions, refuse_unknown, tell_of_upgrade, upgrade


@contextmanager
def migrating_server(url: URL, folder: Path) -> Iterator[Connection]:
    """A transaction with the project's lock. It may change the schema: completely, or not at all."""
    with _connected(url, folder) as connection, server_transaction(connection, PATIENCE, folder):
        yield connection


@contextmanager
def _connected(url: URL, folder: Path) -> Iterator[Connection]:
    engine = server_engine(url, pool_size=1, max_overflow=0)
    try:
        with engine.connect() as connection:
            if connection.scalar(text("SELECT current_schema()")) is None:
                raise ServerUnavailable(folder, "the schema that the URL names does not exist")
            yield connection
    finally:
        engine.dispose()


def schema_of_server(connection: Connection) -> Schema:
    """The schema of the database. Raises ServerHoldsProject for tables of another program."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return Schema(empty=True, revision=None)
    if VERSION not in tables:
        raise ServerHoldsProject("tables of another program")
    return Schema(
        empty=False, revision=connection.scalar(text(f"SELECT version_num FROM {VERSION}"))
    )


def bring_server_up_to_date(url: URL, folder: Path, *, may_write: bool = True) -> Schema:
    """Upgrade the schema if it is older, after a copy of all rows was made; returns the schema before.

    The copy is an SQLite file in the project folder. An empty database stays empty. Raises ProjectTooNew
    for an unknown revision, and ProjectReadOnly for an older one where the folder cannot be written.
    """
    with _connected(url, folder) as connection:  # without the lock: whoever reads does not wait
        found = schema_of_server(connection)
    if found.empty or found.revision == HEAD:
        return found
    with migrating_server(url, folder) as connection:
        found = schema_of_server(connection)  # another process may have upgraded it
        if found.revision == HEAD:
            return found
        database = ProjectFolder(folder).database
        refuse_unknown(found, known_revisions(), database)
        if not may_write:
            raise ProjectReadOnly(folder)
        copy = free_name(database.with_name(f"{database.name}.before-{HEAD}"))
        copy_to_file(connection, copy, folder)
        upgrade(connection)
    tell_of_upgrade(database, found.revision, copy)
    return found
