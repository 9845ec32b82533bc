"""Choose the SQLite driver, and warn of versions that can lose commits."""

from __future__ import annotations

import logging
import sqlite3
from functools import cache
from importlib import import_module
from types import ModuleType

from alworkbench.core.errors import ProjectError

OLDEST_SQLITE = (3, 35, 0)  # RETURNING

log = logging.getLogger(__name__)


def has_wal_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether this SQLite may lose commits when two processes write at once in WAL mode.

    Versions 3.7.0 to 3.51.2, but for the corrected 3.50.7 and 3.44.6 and what followed on those
    branches (https://sqlite.org/wal.html, "The WAL-Reset Bug").
    """
    if version >= (3, 51, 3) or version < (3, 7, 0):
        return False
    return not ((3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45))


@cache
def sqlite_module() -> ModuleType:
    """The driver: Python's own, or an installed `pysqlite3` where that carries a better SQLite."""
    module: ModuleType = sqlite3
    if has_wal_reset_bug(sqlite3.sqlite_version_info):
        try:
            other = import_module("pysqlite3.dbapi2")
        except ImportError:
            pass
        else:
            if not has_wal_reset_bug(other.sqlite_version_info):
                module = other
    if module.sqlite_version_info < OLDEST_SQLITE:
        raise ProjectError(
            f"This Python has SQLite {module.sqlite_version}; alworkbench needs 3.35 or newer. Use a "
            f"newer Python, or install a newer SQLite with `pip install pysqlite3`."
        )
    return module


@cache
def warn_of_wal_reset_bug() -> None:
    """Warn once per process if this SQLite has the bug."""
    module = sqlite_module()
    if has_wal_reset_bug(module.sqlite_version_info):
        log.warning(
            "SQLite %s can lose commits when two processes write to one project at the same time "
            "(corrected in 3.51.3). Run one writing command at a time, or install a newer "
            "SQLite with `pip install pysqlite3`.",
            module.sqlite_version,
        )
