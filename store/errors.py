"""Translate errors of SQLite and PostgreSQL into errors that a user can correct.

All other errors of SQLAlchemy are mistakes of this program and pass unchanged.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from alworkbench.core.errors import (
    ProjectBusy,
    ProjectDamaged,
    ProjectDiskFull,
    ProjectError,
    ProjectReadOnly,
    ProjectUnavailable,
    ServerUnavailable,
)

SMALLEST_SPACE = 1 << 16
"""Bytes; with less, an error of input or output means a full disk."""


def as_project_error(error: BaseException, where: Path) -> ProjectError | None:
    """The ProjectError for an error of the driver, or None for any other error."""
    if (found := _undecodable(error)) is not None:
        return ProjectDamaged(where, found)
    if hasattr(error, "sqlstate"):
        return _of_server(error, error.sqlstate, where)
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(code, int):
        return None
    # Result codes: https://sqlite.org/rescode.html. The upper bytes tell apart cases of one kind.
    match code & 0xFF:
        case 5 | 6:  # BUSY, LOCKED
            return ProjectBusy(where)
        case 13:  # FULL
            return ProjectDiskFull(where)
        case 10 | 14 if _no_space(where):  # the files beside the database cannot be made
            return ProjectDiskFull(where)
        case 11 | 26:  # CORRUPT, NOTADB
            return ProjectDamaged(where, str(error))
        case 3 | 8 | 10 | 14:  # PERM, READONLY, IOERR, CANTOPEN
            return ProjectUnavailable(where, str(error))
        case _:
            return None


def _no_space(where: Path) -> bool:
    """Whether the disk has less space than SQLite needs to open a database: it makes files beside it."""
    try:
        return shutil.disk_usage(where).free < SMALLEST_SPACE
    except OSError:
        return False


def _of_server(error: BaseException, state: str | None, where: Path) -> ProjectError | None:
    """The same for an error of PostgreSQL. States: https://www.postgresql.org/docs/current/errcodes-appendix."""
    words = " ".join(str(error).split())
    match state:
        case "55P03" | "40001" | "40P01":  # lock not available, serialisation, deadlock
            return ProjectBusy(where)
        case "53100":  # disk full
            return ProjectDiskFull(where)
        case "25006":  # read-only transaction
            return ProjectReadOnly(where)
        case "XX001" | "XX002":  # damaged table, damaged index
            return ServerUnavailable(where, f"it reports damage: {words}; restore a backup")
        case None:  # no answer of the server: it is not there, or the connection broke
            gone = type(error).__name__ in (
                "OperationalError",
                "InterfaceError",
                "ConnectionTimeout",
            )
            return ServerUnavailable(where, words) if gone else None
        # Connection, sign-in, unknown database, missing right, resources, stopped by an operator
        case _ if state[:2] in ("08", "28", "3D", "53", "57") or state == "42501":
            return ServerUnavailable(where, words)
        case _:
            return None


def _undecodable(error: BaseException) -> str | None:
    """What is wrong with a stored value that the driver or SQLAlchemy cannot decode; None for other errors.

    Neither gives such an error a code, so it is known by its words. Both drivers take them from CPython.
    """
    words = str(error)
    if type(error).__name__ == "OperationalError" and "Could not decode to UTF-8" in words:
        column = words.partition("column '")[2].partition("'")[0]
        return f"a text in the column {column!r} is not UTF-8"
    if isinstance(error, UndecodableJson):
        return words
    if isinstance(error, LookupError) and "not among the defined enum values" in words:
        return f"a word in it has no meaning: {words.partition('. Enum name')[0]}"
    return None


def decode_json(text: str) -> object:
    """The value of a JSON column. Raises UndecodableJson, which becomes a ProjectDamaged."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise UndecodableJson(f"a stored value is not JSON: {error}") from error


class UndecodableJson(Exception):
    """The text of a JSON column is not JSON."""


@contextmanager
def translated(where: Path) -> Iterator[None]:
    """Raise the errors of the driver as ProjectErrors about the project in `where`."""
    try:
        yield
    except DBAPIError as error:
        if error.orig is not None and (told := as_project_error(error.orig, where)) is not None:
            raise told from error
        raise
    except Exception as error:
        if (told := as_project_error(error, where)) is not None:
            raise told from error
        raise
