"""Read the schema version of a database, and upgrade an older one.

Alembic runs the steps. An upgrade is one transaction, after a copy of the database was made. A database
of an unknown version is not changed.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from alworkbench.core.errors import ProjectDamaged, ProjectTooNew
from store.copies import back_up, keep_newest
from store.engine import migration_engine, transaction
from store.sqlite_version import sqlite_module
from store.triggers import POSTGRESQL_TRIGGERS

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0019"
"""The newest revision in `migrations/versions`, which this program reads and writes."""

MIGRATIONS = Path(__file__).parent / "migrations"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema of a database file."""

    empty: bool
    """There is no table: the file is missing or new."""
    revision: str | None


def inspect(path: Path) -> Schema:
    """Read the schema of a database file without changing a byte of it.

    An ordinary connection merges a WAL file into the database when it closes, and a read-only connection
    leaves a new WAL file: the mode is chosen so that neither happens. Raises the driver's errors for a
    file that is not of SQLite, and ProjectDamaged for a database of another program.
    """
    if not path.exists():
        return Schema(empty=True, revision=None)
    wal = path.with_name(path.name + "-wal")
    mode = "ro" if wal.exists() and wal.stat().st_size else "rw"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    with closing(sqlite_module().connect(uri, uri=True, timeout=30.0)) as connection:
        connection.execute("PRAGMA query_only = ON")
        return _schema_of(connection, path)


def _schema_of(connection: sqlite3.Connection, path: Path) -> Schema:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return Schema(empty=True, revision=None)
    if "alembic_version" not in tables:
        raise ProjectDamaged(path.parent, f"{path.name} is a database of another program")
    rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    return Schema(empty=False, revision=rows[0][0] if rows else None)


def config(migrations: Path = MIGRATIONS, connection: Connection | None = None) -> Config:
    """The configuration of Alembic's commands: the folder of the steps, and a connection."""
    from alembic.config import Config

    made = Config(attributes={"connection": connection})
    # Alembic reads a percent sign in its options as the start of a substitution.
    made.set_main_option("script_location", str(migrations).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made


def known_revisions(migrations: Path = MIGRATIONS) -> list[str]:
    """Every revision that this program can read or upgrade, newest first."""
    from alembic.script import ScriptDirectory

    return [
        step.revision for step in ScriptDirectory.from_config(config(migrations)).walk_revisions()
    ]


def upgrade(connection: Connection, migrations: Path = MIGRATIONS) -> None:
    """Bring the schema to the newest revision, inside the caller's transaction.

    In SQLite, the foreign keys of `connection` must be off (see `migration_engine`); they are checked here.
    """
    make_schema(connection, "head", migrations)
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise RuntimeError(f"the upgrade broke {len(broken)} foreign keys, first {broken[0]}")
    else:
        for statement in POSTGRESQL_TRIGGERS:
            connection.exec_driver_sql(statement.replace("%", "%%"))


def make_schema(connection: Connection, revision: str, migrations: Path = MIGRATIONS) -> None:
    """Run the steps up to a revision, inside the caller's transaction."""
    from alembic import command

    command.upgrade(config(migrations, connection), revision)


def bring_up_to_date(
    path: Path, head: str = HEAD, migrations: Path = MIGRATIONS, *, copy_first: bool = True
) -> None:
    """Upgrade the database file if it is older, after a copy of it was made.

    The copy is kept beside it and named in a message; of such copies the last few stay. Raises
    ProjectTooNew for a revision that is not known here. A failure changes nothing.
    """
    found = inspect(path)
    if found.revision == head:
        return
    known = known_revisions(migrations)
    refuse_unknown(found, known, path)
    with migrating(path) as connection:
        driver: Any = connection.connection.driver_connection
        found = _schema_of(driver, path)  # another process may have upgraded it
        if found.revision == head:
            return
        refuse_unknown(found, known, path)
        copy = None
        if copy_first and not found.empty:
            copy = back_up(path, path.with_name(f"{path.name}.before-{head}"))
        upgrade(connection, migrations)
    if copy is not None:
        tell_of_upgrade(path, found.revision, copy, head)


def tell_of_upgrade(path: Path, former: str | None, copy: Path, head: str = HEAD) -> None:
    """Name the copy from before an upgrade, and delete older ones than the last few."""
    log.warning(
        "The project in %s was upgraded from schema %s to %s. The database of before is kept as %s.",
        path.parent,
        former,
        head,
        copy.name,
    )
    keep_newest(path, copy)


def refuse_unknown(found: Schema, known: list[str], path: Path) -> None:
    """Raises ProjectTooNew for a revision that is not among the known ones."""
    if found.revision is not None and found.revision not in known:
        raise ProjectTooNew(path.parent, found.revision)


@contextmanager
def migrating(path: Path) -> Iterator[Connection]:
    """A transaction that may change the schema of a database file."""
    engine = migration_engine(path)
    try:
        with engine.connect() as connection, transaction(connection):
            yield connection
    finally:
        engine.dispose()
