"""A lock that threads get in the order in which they asked for it.

With `threading.Lock` a busy writer can take the lock again and again while another thread waits. The
answers of an annotator must not wait that long.
"""

from __future__ import annotations

import threading
from collections import deque


class FairLock:
    """First come, first served. Not reentrant."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._owner: int | None = None
        self._queue: deque[tuple[int, threading.Lock]] = deque()

    @property
    def held_here(self) -> bool:
        """Whether this thread holds the lock."""
        return self._owner == threading.get_ident()

    def acquire(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds (-1: for ever). Returns whether the lock was obtained."""
        me = threading.get_ident()
        with self._guard:
            if self._owner is None:  # the queue is empty whenever there is no owner
                self._owner = me
                return True
            turn = threading.Lock()
            turn.acquire()
            self._queue.append((me, turn))
        try:
            if turn.acquire(timeout=timeout):
                return True
        except BaseException:
            if not self._leave(me, turn):
                self.release()
            raise
        # The lock may have been handed over after the wait ended: then this thread has it.
        return not self._leave(me, turn)

    def _leave(self, me: int, turn: threading.Lock) -> bool:
        """Stop waiting. Returns False if the lock was handed over already."""
        with self._guard:
            if (me, turn) in self._queue:
                self._queue.remove((me, turn))
                return True
            return False

    def release(self) -> None:
        """Hand it to the thread that has waited longest."""
        with self._guard:
            if self._queue:
                self._owner, turn = self._queue.popleft()
                turn.release()
            else:
                self._owner = None
