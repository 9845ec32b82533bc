"""Values that are kept in memory while what they were made of is the same. Threads share them.

A page is drawn again at every touch. What it shows of many records or of large files is made once, and made
again when a mark of the records, or the file, has changed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


class KeptValues(Generic[T]):
    """The values of the marks that were asked for last."""

    def __init__(self, most: int = 1) -> None:
        """At most `most` values are kept."""
        self._most = most
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, mark: Hashable, make: Callable[[], T]) -> T:
        """The value of this mark, made where it is not kept. Raises what `make` raises, and keeps nothing."""
        with self._lock:
            if mark in self._kept:
                self._kept.move_to_end(mark)
                return self._kept[mark]
        made = make()  # without the lock: two threads may make it, and it is the same
        with self._lock:
            self._kept[mark] = made
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made


class KeptFiles(Generic[T]):
    """What was read from files, each until it changes.

    Of more than `most_bytes` the files that were written last are kept, whatever is asked for: a list of
    more files than that, read from its beginning to its end again and again, still finds most of them here.
    The newest one is kept, however large it is.
    """

    def __init__(self, read: Callable[[Path], T], most_bytes: int) -> None:
        """`read` reads one file; `most_bytes` is the sum of the sizes of the files that are kept."""
        self._read = read
        self._most = most_bytes
        self._kept: dict[Path, tuple[tuple[int, int, int], T]] = {}
        self._lock = threading.Lock()

    def of(self, path: Path) -> T:
        """What the file says now. Raises OSError, and what `read` raises; nothing is kept then."""
        try:
            found = path.stat()
        except OSError:
            with self._lock:
                self._kept.pop(path, None)
            raise
        mark = (found.st_mtime_ns, found.st_size, found.st_ino)
        with self._lock:
            kept = self._kept.get(path)
        if kept is not None and kept[0] == mark:
            return kept[1]
        value = self._read(path)
        with self._lock:
            self._kept[path] = mark, value
            total = sum(size for (_, size, _), _ in self._kept.values())
            while total > self._most and len(self._kept) > 1:
                oldest = min(self._kept, key=lambda each: self._kept[each][0])
                total -= self._kept.pop(oldest)[0][1]
        return value
