"""How many images of a round one person holds: a fair share of what is left.

    share = max(FEWEST, min(MOST, answers left // people at work // tabs of the person))

A person is at work who asked for images in the last `LATELY`, as every open page does again and again, and
who answered or came within `PAUSE`. Who pauses keeps the image on screen, and nothing more, while others
work. Whoever holds more than the share gives the rest back. With people of equal speed, nobody waits for
more than one of their turns while another person holds more than FEWEST images: one on screen, one ready.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from alworkbench.core.domain import Item

MOST = 24
"""Images held at once: enough to go on through a short outage."""
FEWEST = 2
"""The image on screen, and the one that follows without a wait."""
PAUSED = 1
"""The image on screen."""
LATELY = timedelta(seconds=90)
"""An open page asks at least once a minute, also in a hidden tab."""
PAUSE = timedelta(minutes=2)
"""So long without an answer is a pause."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a person may answer now."""

    items: list[Item]
    """Leased to this tab, by position."""
    limit: int
    """What the tab may hold. A tab that holds more gives the rest back with `Labels.release`."""
    people: int
    """Who work on the round now, this person included."""
    done: bool
    """Whether this person has answered every item that may still be asked of them, and others have not."""
    in_other_tab: bool = False
    """Whether this tab gets nothing and another open tab of this person holds images."""


def fair_share(left: int, people: int, tabs: int = 1, *, pauses: bool = False) -> int:
    """How many of the answers that are left one tab may hold; see the head of this module."""
    if pauses and people > 1:
        return PAUSED
    return max(FEWEST, min(MOST, left // max(1, people) // max(1, tabs)))


class AtWork:
    """Who asked for images and who answered lately, as this process saw it. For several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, dict[str | None, datetime]] = {}
        """Person -> tab -> when it asked last."""
        self._busy: dict[str, datetime] = {}
        """Person -> when they answered last, or came."""

    def asks(self, person: str, tab: str | None, now: datetime) -> None:
        """A tab of this person asks for images."""
        with self._lock:
            self._forget(now)
            if person not in self._asked:
                self._busy[person] = now
            self._asked.setdefault(person, {})[tab] = now

    def answers(self, person: str, now: datetime) -> None:
        """This person gives an answer."""
        with self._lock:
            if person in self._asked:
                self._busy[person] = now

    def pauses(self, person: str, now: datetime) -> bool:
        """Whether this person has not answered for a while, nor come."""
        with self._lock:
            return not _within(self._busy.get(person, now), now, PAUSE)

    def people(self, now: datetime) -> set[str]:
        """Who are at work."""
        with self._lock:
            self._forget(now)
            return {p for p in self._asked if _within(self._busy.get(p, now), now, PAUSE)}

    def tabs(self, person: str, now: datetime) -> int:
        """How many tabs of this person ask."""
        with self._lock:
            self._forget(now)
            return len(self._asked.get(person, {}))

    def _forget(self, now: datetime) -> None:
        """Tabs that do not ask any more. A time far ahead is from before the clock was set back."""
        for person, tabs in list(self._asked.items()):
            for tab in [tab for tab, at in tabs.items() if not _within(at, now, LATELY)]:
                del tabs[tab]
            if not tabs:
                del self._asked[person]
                self._busy.pop(person, None)


def _within(at: datetime, now: datetime, time: timedelta) -> bool:
    return abs(now - at) <= time
