"""A folder of files that can be made again: bounded in size, shared by threads and processes.

The files that were not used for the longest time are removed first. The time of the last use is the
modification time of a file, renewed at most once an hour. Nothing is locked between processes: a file
appears whole or not at all, two processes that make the same file write the same bytes, and a file that
another process removes is made again.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from alworkbench.core.atomic_files import write_atomically

ROOM = 0.9
"""After a removal the files fill this share of the limit."""
LOOK_EVERY = 1 / 16
"""So much of the limit may be added before the folder is measured again: others add files too."""
RENEWED = 3600.0
"""Seconds after which a use is noted again."""
LEAST_FREE = 1 << 30
"""Bytes of the disk that are left to others: with less, nothing is kept."""


class CacheFolder:
    """Files by name; a name is a relative path. Threads may share it."""

    def __init__(self, folder: Path, most_bytes: int, *, may_write: bool = True) -> None:
        """Nothing is made on the disk yet. Without `may_write` the folder is only read."""
        self.folder = folder
        self.most_bytes = most_bytes
        self.may_write = may_write
        self._added: int | None = None  # bytes since the folder was measured; None: never measured
        self._counting = threading.Lock()
        self._tidying = threading.Lock()

    def get(self, name: str) -> bytes | None:
        """The bytes of a file; None where there is none."""
        path = self.folder / name
        try:
            with path.open("rb") as stream:
                data = stream.read()
                used = os.fstat(stream.fileno()).st_mtime
        except OSError:
            return None
        if self.may_write and abs(time.time() - used) > RENEWED:
            with suppress(OSError):
                os.utime(path)
        return data

    def holds(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.folder / name).is_file()

    def put(self, name: str, data: bytes) -> bool:
        """Keep a file, and remove others where the limit is reached. Whether it was kept.

        It is not kept where the folder may not be written, the disk is nearly full, or writing fails: a
        cache is never the reason for an error.
        """
        path = self.folder / name
        try:
            if not self.may_write or not self._has_room(len(data)):
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)
        except OSError:
            return False
        with self._counting:
            known = self._added is not None
            self._added = (self._added or 0) + len(data)
            due = not known or self._added > LOOK_EVERY * self.most_bytes
        if due:
            self.tidy()
        return True

    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size, _ in self._files())

    def tidy(self) -> None:
        """Remove the files that were not used for the longest time, where all together exceed the limit.

        Drafts of killed processes are removed too. Does nothing where another thread is at it.
        """
        if not self.may_write or not self._tidying.acquire(blocking=False):
            return
        try:
            with self._counting:
                self._added = 0
            files = sorted(self._files())
            total = sum(size for _, size, _ in files)
            most = ROOM * self.most_bytes if total > self.most_bytes else total
            for used, size, path in files:
                left_over = path.endswith(".part") and time.time() - used > RENEWED
                if total > most or left_over:
                    with suppress(OSError):
                        Path(path).unlink()
                        total -= size
        finally:
            self._tidying.release()

    def _has_room(self, size: int) -> bool:
        there = next(each for each in (self.folder, *self.folder.parents) if each.exists())
        return shutil.disk_usage(there).free >= LEAST_FREE + size

    def _files(self) -> Iterator[tuple[float, int, str]]:
        """Last use, bytes and path of each file, links not followed."""
        folders = [str(self.folder)]
        while folders:
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                        elif entry.is_file(follow_symlinks=False):
                            about = entry.stat(follow_symlinks=False)
                            yield about.st_mtime, about.st_size, entry.path
            except OSError:  # another process removed it
                continue
