"""The newest schema in an empty SQLite database.

The steps of all versions take a tenth of a second. A simulation makes an empty store for each of its runs, so
the steps run once in a process, and what they made is made again from its own statements.
"""

from __future__ import annotations

import functools

from sqlalchemy import Connection

from store.engine import memory_engine, transaction
from store.upgrades import upgrade

_OBJECTS = """SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
    ORDER BY type = 'trigger', type = 'index', rowid"""
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


def make_new_schema(connection: Connection) -> None:
    """What `upgrade` makes of an empty SQLite database, inside the caller's transaction."""
    statements, rows = _after_all_steps()
    for statement in statements:
        connection.exec_driver_sql(statement)
    for table, values in rows:
        places = ", ".join("?" * len(values))
        connection.exec_driver_sql(f'INSERT INTO "{table}" VALUES ({places})', values)


@functools.cache
def _after_all_steps() -> tuple[tuple[str, ...], tuple[tuple[str, tuple[object, ...]], ...]]:
    """The statements of tables, indexes and triggers, and each row with its table."""
    engine = memory_engine()
    try:
        with engine.connect() as connection, transaction(connection):
            upgrade(connection)
            statements = connection.exec_driver_sql(_OBJECTS).scalars().all()
            tables = connection.exec_driver_sql(_TABLES).scalars().all()
            rows = [
                (table, tuple(row))
                for table in tables
                for row in connection.exec_driver_sql(f'SELECT * FROM "{table}"')
            ]
    finally:
        engine.dispose()
    return tuple(statements), tuple(rows)
