"""What is wrong with the records themselves: the database's own checks."""

from __future__ import annotations

from sqlalchemy import Connection, inspect

from store.triggers import APPEND_ONLY_TABLES

MOST_FAULTS = 10
"""Faults that are listed."""


def faults_of(connection: Connection) -> list[str]:
    """Each fault in a few words; an empty list for a sound database."""
    if connection.dialect.name == "sqlite":
        return _of_sqlite(connection)
    return _of_server(connection)


def _of_sqlite(connection: Connection) -> list[str]:
    found = connection.exec_driver_sql(f"PRAGMA integrity_check({MOST_FAULTS})").scalars()
    keys = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [
        *(str(each) for each in found if each != "ok"),
        *(f"a row of {table} refers to a missing row" for table, *_ in keys[:MOST_FAULTS]),
    ]


def _of_server(connection: Connection) -> list[str]:
    """Every value is read, which finds damaged pages; then what the server knows of its own state."""
    for table in inspect(connection).get_table_names():
        connection.exec_driver_sql(f'SELECT sum(length(t::text)) FROM "{table}" AS t').close()
    here = "relnamespace = current_schema()::regnamespace"
    broken = connection.exec_driver_sql(
        f"SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
        f"WHERE NOT indisvalid AND {here}"
    ).scalars()
    unchecked = connection.exec_driver_sql(
        "SELECT conname FROM pg_constraint "
        "WHERE NOT convalidated AND connamespace = current_schema()::regnamespace"
    ).scalars()
    guarded = connection.exec_driver_sql(
        f"SELECT relname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
        f"WHERE tgname = relname || '_no_change' AND tgenabled IN ('O', 'A') AND {here}"
    ).scalars()
    found = [f"the index {name} is not valid" for name in broken]
    found += [f"the constraint {name} was never checked" for name in unchecked]
    open_tables = sorted(set(APPEND_ONLY_TABLES) - set(guarded))
    found += [f"rows of {name} can be changed: their trigger is off" for name in open_tables]
    return found[:MOST_FAULTS]
