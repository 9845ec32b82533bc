"""A project on a disk that cannot be written is read from a copy of its database.

SQLite needs files beside a database in WAL mode, and makes them where they are missing. On a read-only disk
it therefore refuses to open the database at all. The copy lies in a temporary folder and is deleted at the
end.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Connection

from alworkbench.core.errors import ProjectReadOnly
from store.engine import FileDatabase
from store.upgrades import bring_up_to_date


class ReadOnlyDatabase:
    """A copy of a database that refuses to be written. See `engine.Database`."""

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self._scratch = tempfile.TemporaryDirectory(prefix="alworkbench-read-only-")
        copy = Path(self._scratch.name) / path.name
        try:
            for name in (path.name, f"{path.name}-wal"):
                if (source := path.with_name(name)).exists():
                    shutil.copyfile(source, copy.with_name(name))
            bring_up_to_date(copy, copy_first=False)
            self._copy = FileDatabase(copy)
        except BaseException:
            self._scratch.cleanup()
            raise

    def reading(self) -> AbstractContextManager[Connection]:
        """See `engine.Database.reading`."""
        return self._copy.reading()

    def writing(self) -> AbstractContextManager[Connection]:
        """Raises ProjectReadOnly."""
        raise ProjectReadOnly(self._folder)

    def copy_to(self, target: Path) -> None:
        """See `engine.Database.copy_to`."""
        self._copy.copy_to(target)

    def close(self) -> None:
        """Delete the copy."""
        self._copy.close()
        self._scratch.cleanup()
