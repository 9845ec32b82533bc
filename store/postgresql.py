"""The database of a project on a PostgreSQL server. One database, or one schema of it, holds one project.

Writers take turns by an advisory lock of the project, which ends with its transaction; readers never wait.
Whoever holds the lock sees what was committed before, and nobody else commits until it ends: what is read
in a write block still holds when it commits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from alworkbench.core.errors import ProjectBusy, ProjectReadOnly
from store.engine import PATIENCE
from store.errors import decode_json
from store.lock import FairLock
from store.portable import copy_to_file

LOCK = 0x616C77
"""The first half of the key of every project's lock; the second half is a hash of the schema's name."""
CONNECT = {
    "connect_timeout": 10,  # seconds
    # A dead network is noticed within about half a minute, on both sides.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
    "application_name": "alworkbench",
}
SETTINGS = (
    "SET TIME ZONE 'UTC'",
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
)
DURABLE = (
    "SELECT set_config('synchronous_commit', 'on', false) "
    "WHERE current_setting('synchronous_commit') = 'off'"
)
"""A commit is on the server's disk when it returns, whatever the server's default is."""


def server_engine(url: URL, *settings: str, **pool: Any) -> Engine:
    """An engine whose connections begin and end transactions only by explicit SQL."""
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        json_deserializer=decode_json,
        connect_args={**CONNECT, **{k: v for k, v in url.query.items() if k in CONNECT}},
        poolclass=QueuePool,
        pool_pre_ping=True,  # a server that was started again gets new connections
        **pool,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        before, connection.autocommit = connection.autocommit, True
        for setting in (*SETTINGS, DURABLE, *settings):
            connection.execute(setting)
        connection.autocommit = before

    return engine


@contextmanager
def server_transaction(connection: Connection, patience: float, where: Path) -> Iterator[None]:
    """Hold the project's lock for a block; commit at its end, roll back when it raises."""
    connection.exec_driver_sql("BEGIN")
    try:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, int(patience * 1000))}")
        try:
            connection.execute(
                text(f"SELECT pg_advisory_xact_lock({LOCK}, hashtext(current_schema()))")
            )
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == "55P03":  # lock_not_available
                raise ProjectBusy(where) from error
            raise
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        end(connection)
        raise


def end(connection: Connection) -> None:
    """Roll back; where the connection is gone, the server has done so."""
    if connection.invalidated:
        return
    try:
        connection.exec_driver_sql("ROLLBACK")
    except DBAPIError:
        connection.invalidate()


class ServerDatabase:
    """A project on a server, with its schema. See `engine.Database`."""

    def __init__(
        self, url: URL, folder: Path, *, read_only: bool = False, patience: float = PATIENCE
    ) -> None:
        """`read_only` refuses write blocks: the folder of the project cannot be written."""
        self._folder = folder
        self._read_only = read_only
        self._patience = patience
        self._lock = FairLock()
        # A writer that hangs with the lock, on a machine that sleeps, gives it back.
        idle = f"SET idle_in_transaction_session_timeout = {int(2 * PATIENCE * 1000)}"
        self._writer = server_engine(url, idle, pool_size=1, max_overflow=0)
        self._readers = server_engine(url, pool_size=4, max_overflow=20)
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """See `engine.Database.reading`."""
        self._refuse_when_closed()
        with self._readers.connect() as connection:
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # BEGIN alone does not fix the state that is seen; the first read does.
            connection.exec_driver_sql("SELECT version_num FROM alembic_version").close()
            try:
                yield connection
            finally:
                end(connection)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """See `engine.Database.writing`. Raises ProjectBusy after `patience` seconds of waiting."""
        self._refuse_when_closed()
        if self._read_only:
            raise ProjectReadOnly(self._folder)
        if self._lock.held_here:
            raise RuntimeError("a write block is open in this thread already")
        if not self._lock.acquire(self._patience):
            raise ProjectBusy(self._folder)
        try:
            self._refuse_when_closed()
            with (
                self._writer.connect() as connection,
                server_transaction(connection, self._patience, self._folder),
            ):
                yield connection
        finally:
            self._lock.release()

    def copy_to(self, target: Path) -> None:
        """See `engine.Database.copy_to`."""
        with self.reading() as connection:
            copy_to_file(connection, target, self._folder)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise RuntimeError("this store was closed")

    def close(self) -> None:
        """Wait for an open write block, then close."""
        if self._closed:
            return
        got = not self._lock.held_here and self._lock.acquire(self._patience)
        self._closed = True
        self._readers.dispose()
        self._writer.dispose()
        if got:
            self._lock.release()
