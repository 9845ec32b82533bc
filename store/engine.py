"""Connections to a project's database, and the two kinds of transaction on them.

SQLite in WAL mode allows one writer and any number of readers at the same time. Each process therefore
has one writing connection with a fair lock, and separate connections for reading. This module begins
transactions by itself: a writer uses BEGIN IMMEDIATE, because a transaction that reads first and takes
the write lock later fails where another process has written in between.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine, QueuePool, StaticPool, create_engine, event
from sqlalchemy.exc import OperationalError

from alworkbench.core.errors import ProjectBusy, ProjectUnavailable
from store.copies import copy_connected
from store.errors import decode_json
from store.lock import FairLock
from store.sqlite_version import sqlite_module, warn_of_wal_reset_bug
from store.statements import SharedStatements

PATIENCE = 30.0
"""Seconds that a writer waits for the writers before it, in this process or in others."""

STATEMENTS = SharedStatements()


class Database(Protocol):
    """What transactions need of a database."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that sees one state of the database and cannot write."""
        ...

    def writing(self) -> AbstractContextManager[Connection]:
        """A connection in a transaction that holds the write lock; commits when the block ends."""
        ...

    def copy_to(self, target: Path) -> None:
        """Write one state of the database to `target`, as an SQLite file, while others write."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a commit is on the disk when it returns
    "PRAGMA fullfsync = ON",  # macOS: also flushes the cache of the drive; no effect elsewhere
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA recursive_triggers = ON",  # REPLACE must fire the triggers on DELETE
    "PRAGMA journal_size_limit = 67108864",  # a large import leaves no large WAL file behind
    "PRAGMA cache_size = -32768",  # KiB
    "PRAGMA trusted_schema = OFF",
)


def make_engine(database: str, *pragmas: str, patience: float = PATIENCE, **pool: Any) -> Engine:
    """An engine whose connections begin and end transactions only by explicit SQL."""
    engine = create_engine(
        URL.create("sqlite", database=database),
        module=sqlite_module(),
        isolation_level="AUTOCOMMIT",
        json_deserializer=decode_json,
        execution_options={"compiled_cache": STATEMENTS},
        connect_args={"check_same_thread": False, "timeout": patience},
        **pool,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        for pragma in (*PRAGMAS, *pragmas):
            connection.execute(pragma).close()

    return engine


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """Hold the write lock for a block; commit at its end, roll back when it raises."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        roll_back(connection)
        raise


def roll_back(connection: Connection) -> None:
    """End a transaction. After some errors, such as a full disk, SQLite has already ended it."""
    driver = connection.connection.driver_connection
    if driver is not None and driver.in_transaction:
        connection.exec_driver_sql("ROLLBACK")


# ---------------------------------------------------------------------------------------- databases
class FileDatabase:
    """A database file in WAL mode. `path` exists and has the schema."""

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        warn_of_wal_reset_bug()
        self._path = path
        self._patience = patience
        self._lock = FairLock()
        foreign_keys = "PRAGMA foreign_keys = ON"
        self._writer = make_engine(
            str(path),
            foreign_keys,
            patience=patience,
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
        )
        self._readers = make_engine(
            str(path),
            foreign_keys,
            "PRAGMA query_only = ON",
            patience=patience,
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=-1,  # a reader never waits, not even for a connection
        )
        self._closed = False
        try:
            with self._writer.connect() as connection:
                use_wal(connection, path)
        except BaseException:
            self._writer.dispose()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """See `Database.reading`."""
        self._refuse_when_closed()
        with self._readers.connect() as connection:
            # BEGIN alone does not fix the state that is seen; the first read does.
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT version_num FROM alembic_version").close()
            try:
                yield connection
            finally:
                roll_back(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """See `Database.writing`. Raises ProjectBusy after `patience` seconds of waiting."""
        self._refuse_when_closed()
        if self._lock.held_here:
            raise RuntimeError("a write block is open in this thread already")
        if not self._lock.acquire(self._patience):
            raise ProjectBusy(self._path.parent)
        try:
            self._refuse_when_closed()
            with self._writer.connect() as connection, transaction(connection):
                yield connection
        finally:
            self._lock.release()

    def copy_to(self, target: Path) -> None:
        """See `Database.copy_to`."""
        self._refuse_when_closed()
        with self._readers.connect() as connection:
            copy_connected(connection.connection.driver_connection, target, self._path.parent)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise RuntimeError("this store was closed")

    def close(self) -> None:
        """Wait for an open write block, then close. The last process to close merges the WAL file."""
        if self._closed:
            return
        # In a write block of this thread there is nothing to wait for.
        got = not self._lock.held_here and self._lock.acquire(self._patience)
        self._closed = True
        self._readers.dispose()
        self._writer.dispose()
        if got:
            self._lock.release()


class MemoryDatabase:
    """A database in memory: it has one connection, so reads and writes of threads take turns.

    A read inside a write block of the same thread sees what the block has written so far.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = FairLock()
        self._open: Connection | None = None
        self._writing = False
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """See `Database.reading`."""
        if self._lock.held_here and self._open is not None:
            yield self._open
            return
        if self._closed:
            raise RuntimeError("this store was closed")
        self._lock.acquire(-1)
        try:
            with self._engine.connect() as self._open:
                yield self._open
        finally:
            self._open = None
            self._lock.release()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """See `Database.writing`."""
        with self.reading() as connection:
            if self._writing:
                raise RuntimeError("a write block is open in this thread already")
            self._writing = True
            try:
                with transaction(connection):
                    yield connection
            finally:
                self._writing = False

    def copy_to(self, target: Path) -> None:
        """See `Database.copy_to`."""
        with self.reading() as connection:
            copy_connected(connection.connection.driver_connection, target, target.parent)

    def close(self) -> None:
        """Drop the database."""
        if not self._closed:
            self._closed = True
            self._engine.dispose()


def use_wal(connection: Connection, path: Path) -> None:
    """Put the file into WAL mode, where readers and the writer never wait for each other.

    SQLite does not wait for this lock, whatever its busy timeout. Where several processes open a new
    project at the same time, this function waits.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            mode = connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar_one()
            break
        except OperationalError as error:
            if "locked" not in str(error.orig) or time.monotonic() > until:
                raise
            connection.rollback()
            time.sleep(0.01)
    if mode != "wal":
        raise ProjectUnavailable(
            path.parent, f"SQLite uses the journal mode {mode!r} there, but WAL is required"
        )


def memory_engine() -> Engine:
    """An engine for one database in memory."""
    return make_engine(":memory:", "PRAGMA foreign_keys = ON", poolclass=StaticPool)


def migration_engine(path: Path, patience: float = PATIENCE) -> Engine:
    """An engine for changes of the schema, without foreign keys: SQLite rebuilds tables.

    The caller checks the foreign keys before the commit.
    """
    return make_engine(
        str(path),
        "PRAGMA foreign_keys = OFF",
        patience=patience,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
    )
