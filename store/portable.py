"""Copies of all rows between SQLite and PostgreSQL, of any schema that this program has known.

Alembic makes the schema of the copy at the revision of the original. Tables and columns are then those that
both databases have, whatever the schema.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Inspector,
    MetaData,
    Table,
    and_,
    bindparam,
    func,
    insert,
    inspect,
    select,
    update,
)

from alworkbench.core.atomic_files import atomic_path
from alworkbench.core.errors import ProjectDamaged
from store.engine import migration_engine, transaction
from store.repositories.common import CHUNK
from store.sqlite_version import sqlite_module
from store.upgrades import make_schema

VERSION = "alembic_version"


def copy_to_file(source: Connection, target: Path, where: Path) -> None:
    """Copy the rows that a connection sees to the new SQLite file `target`, checked and on the disk.

    Raises ProjectDamaged about the project in `where` if the copy has a fault.
    """
    with atomic_path(target) as draft:
        engine = migration_engine(draft)
        try:
            with engine.connect() as copy, transaction(copy):
                make_schema(copy, revision_of(source))
                copy_rows(source, copy)
                broken = copy.exec_driver_sql("PRAGMA foreign_key_check").all()
        finally:
            engine.dispose()
        if broken:
            raise ProjectDamaged(where, f"a row of {broken[0][0]} refers to a missing row")
        with closing(sqlite_module().connect(draft)) as connection:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise ProjectDamaged(where, verdict)


def revision_of(connection: Connection) -> str:
    """The schema's revision."""
    return str(connection.exec_driver_sql(f"SELECT version_num FROM {VERSION}").scalar_one())


def copy_rows(source: Connection, target: Connection) -> None:
    """Copy every row of every table to tables of the same schema, which are empty."""
    there, here = _tables(inspect(source)), _tables(inspect(target))
    if {n: t.columns.keys() for n, t in there.items()} != {
        n: t.columns.keys() for n, t in here.items()
    }:
        raise RuntimeError("the two databases have different schemas")
    order = _in_order(inspect(target), list(here))
    for name, late in order.items():
        _copy_table(source, target, there[name], here[name], late)
    for name, late in order.items():
        if late:
            _fill_late(source, target, there[name], here[name], late)
    if target.dialect.name == "postgresql":
        for table in here.values():
            _go_on_counting(target, table)


def _tables(found: Inspector) -> dict[str, Table]:
    """The tables with the types of their columns, without their constraints."""
    metadata = MetaData()
    return {
        name: Table(
            name,
            metadata,
            *(
                Column(
                    each["name"],
                    JSON(none_as_null=True) if isinstance(each["type"], JSON) else each["type"],
                    primary_key=each["name"]
                    in found.get_pk_constraint(name)["constrained_columns"],
                    autoincrement=False,
                )
                for each in found.get_columns(name)
            ),
        )
        for name in found.get_table_names()
        if name != VERSION
    }


def _in_order(found: Inspector, names: list[str]) -> dict[str, set[str]]:
    """Every table after those that it refers to -> the columns that are filled later.

    Where tables refer to each other in a circle, a column that may be empty waits until both are filled.
    """
    keys = {name: found.get_foreign_keys(name) for name in names}
    empty = {name: {c["name"] for c in found.get_columns(name) if c["nullable"]} for name in names}
    order: dict[str, set[str]] = {}

    def waits_for(name: str, *, later: bool) -> bool:
        return any(
            key["referred_table"] not in (name, *order)
            and not (later and empty[name].issuperset(key["constrained_columns"]))
            for key in keys[name]
        )

    while len(order) < len(names):
        left = [name for name in names if name not in order]
        free = [name for name in left if not waits_for(name, later=False)]
        chosen = free[0] if free else next(n for n in left if not waits_for(n, later=True))
        order[chosen] = {
            column
            for key in keys[chosen]
            if key["referred_table"] not in (chosen, *order)
            for column in key["constrained_columns"]
        }
    return order


def _copy_table(
    source: Connection, target: Connection, there: Table, here: Table, late: set[str]
) -> None:
    every = select(there).order_by(*there.primary_key.columns)
    rows = source.execute(every.execution_options(yield_per=CHUNK))
    for chunk in rows.mappings().partitions():
        values = [{k: None if k in late else v for k, v in row.items()} for row in chunk]
        target.execute(insert(here), values)


def _fill_late(
    source: Connection, target: Connection, there: Table, here: Table, columns: set[str]
) -> None:
    keys = [column.name for column in here.primary_key.columns]
    chosen = select(*(there.c[name] for name in (*keys, *sorted(columns))))
    statement = (
        update(here)
        .where(and_(*(here.c[name] == bindparam(f"at_{name}") for name in keys)))
        .values({name: bindparam(f"to_{name}") for name in columns})
    )
    for row in source.execute(chosen).mappings():
        if any(row[name] is not None for name in columns):
            values = {f"at_{name}": row[name] for name in keys}
            target.execute(statement, values | {f"to_{name}": row[name] for name in columns})


def _go_on_counting(target: Connection, table: Table) -> None:
    """Let the ids of new rows go on after the copied ones."""
    for column in table.primary_key.columns:
        sequence = target.scalar(
            select(func.pg_get_serial_sequence(f'"{table.name}"', column.name))
        )
        newest = target.scalar(select(func.max(column))) if sequence else None
        if newest is not None:
            target.execute(select(func.setval(sequence, newest)))
