"""Translate errors of SQLite into errors that a user can correct.

All other errors of SQLAlchemy are mistakes of this program and pass unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from alworkbench.core.errors import (
    ProjectBusy,
    ProjectDamaged,
    ProjectDiskFull,
    ProjectError,
    ProjectUnavailable,
)


def as_project_error(error: BaseException, where: Path) -> ProjectError | None:
    """The ProjectError for an error of the SQLite driver, or None for any other error."""
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(code, int):
        return None
    # Result codes: https://sqlite.org/rescode.html. The upper bytes tell apart cases of one kind.
    match code & 0xFF:
        case 5 | 6:  # BUSY, LOCKED
            return ProjectBusy(where)
        case 13:  # FULL
            return ProjectDiskFull(where)
        case 11 | 26:  # CORRUPT, NOTADB
            return ProjectDamaged(where, str(error))
        case 3 | 8 | 10 | 14:  # PERM, READONLY, IOERR, CANTOPEN
            return ProjectUnavailable(where, str(error))
        case _:
            return None


@contextmanager
def translated(where: Path) -> Iterator[None]:
    """Raise the errors of the SQLite driver as ProjectErrors about the project in `where`."""
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
