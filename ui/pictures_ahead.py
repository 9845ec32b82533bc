"""Renditions made before a browser asks for them: those of the images that a tab was just given.

One thread makes them, so that answers and other requests keep the machine; a browser that asks for a picture
that is not made yet never waits for this queue. The thread starts with the first wish and ends with the
server.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from alworkbench.core.errors import WorkbenchError

MOST_WISHES = 1024
"""Pictures that wait at most. The oldest wishes are dropped: their images were probably seen already."""

_log = logging.getLogger(__name__)


class PicturesAhead:
    """Makes pictures in a thread, those that were wished for first at first."""

    def __init__(self, make: Callable[[str, int], object]) -> None:
        """`make` makes the rendition of a content hash with a side and keeps it."""
        self._make = make
        self._wishes: dict[
            tuple[str, int], None
        ] = {}  # in order; a wish that is made again keeps its place
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy = False
        self._stopping = False

    def wish(self, contents: Iterable[str], side: int) -> None:
        """Make the renditions of these content hashes soon, in this order. Returns at once."""
        with self._changed:
            if self._stopping:
                return
            for content in contents:
                self._wishes.setdefault((content, side))
            while len(self._wishes) > MOST_WISHES:
                del self._wishes[next(iter(self._wishes))]
            if self._wishes and self._thread is None:
                self._thread = threading.Thread(target=self._work, name="pictures", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        """Until all wishes are fulfilled, or `timeout` seconds have passed; whether they are."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._wishes and not self._busy, timeout)

    def stop(self, timeout: float) -> None:
        """Drop what waits, and wait for the picture that is being made."""
        with self._changed:
            self._stopping = True
            self._wishes.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._wishes or self._stopping)
                if self._stopping:
                    return
                content, side = next(iter(self._wishes))
                del self._wishes[content, side]
                self._busy = True
            try:
                self._make(content, side)
            except (WorkbenchError, LookupError):
                continue  # who asks for the picture is told why there is none
            except Exception:
                _log.exception("a picture could not be made ahead")
