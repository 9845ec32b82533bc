"""Complete copies of a database that may be in use.

The file of a database in use is never copied as a file: its newest commits lie beside it, and pages change
while they are read. SQLite's own backup reads one state, and whoever writes does not wait for it.
"""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import atomic_path
from alworkbench.core.errors import ProjectDamaged
from alworkbench.core.ports import RecordCounts
from store.sqlite_version import sqlite_module

KEPT = 3
"""Copies from before upgrades that stay beside a project; older ones are deleted."""

log = logging.getLogger(__name__)


def back_up(path: Path, target: Path) -> Path:
    """Copy a database file to `target`, or to `target.2` and so on if that exists. Returns the copy."""
    target = free_name(target)
    with closing(sqlite_module().connect(path)) as source:
        source.execute("PRAGMA query_only = ON")
        copy_connected(source, target, path.parent)
    return target


def copy_connected(source: Any, target: Path, where: Path) -> None:
    """Copy the database of an open connection of the driver to the file `target`.

    The copy is complete, checked and on the disk when its name appears. Raises ProjectDamaged about the
    project in `where` if SQLite's check of the copy finds a fault.
    """
    with atomic_path(target) as draft:
        with closing(sqlite_module().connect(draft)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, that can be put back as it is
            (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise ProjectDamaged(where, verdict)


def counted(copy: Path) -> RecordCounts:
    """How many records a copy holds."""
    with closing(sqlite_module().connect(copy)) as connection:
        images, labels = (
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("image", "label")
        )
    return RecordCounts(images, labels)


def free_name(target: Path) -> Path:
    """`target`, or `target.2` and so on if that exists."""
    names = (target.with_name(f"{target.name}.{n}") for n in range(2, 10_000))
    return target if not target.exists() else next(name for name in names if not name.exists())


def keep_newest(path: Path, newest: Path) -> None:
    """Delete copies from before upgrades of the database `path`, but for `newest` and the last ones."""
    others = [each for each in path.parent.glob(f"{path.name}.before-*") if each != newest]
    others.sort(key=lambda each: each.stat().st_mtime_ns, reverse=True)
    for each in others[KEPT - 1 :]:
        each.unlink(missing_ok=True)
