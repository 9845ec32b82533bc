"""Failed sign-ins, counted by name and by address, so that nobody can try many passwords."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=15)
"""A failed sign-in counts for so long."""
MOST_OF_A_NAME = 10
MOST_OF_AN_ADDRESS = 50
"""More than of a name: colleagues behind one proxy or router have one address."""
MOST_KEYS = 20_000
"""Names and addresses that are remembered; the one with the oldest last failure is forgotten first."""


class Attempts:
    """Failed sign-ins of this process. Threads may share it; the caller gives the time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: OrderedDict[tuple[str, str], list[datetime]] = OrderedDict()

    def enter(self, name: str, address: str, now: datetime) -> timedelta:
        """How long this name or address must wait until the next try; zero if it need not wait.

        A try that need not wait is counted as failed at once, so that many at the same time are counted too.
        """
        keys = self._keys(name, address)
        with self._lock:
            recent = {key: self._recent(key, now) for key in keys}
            waits = [
                found[-keys[key]] + WINDOW - now
                for key, found in recent.items()
                if len(found) >= keys[key]
            ]
            if waits:
                return max(waits)
            for key, found in recent.items():
                self._failures[key] = [*found, now]
                self._failures.move_to_end(key)
            while len(self._failures) > MOST_KEYS:
                self._failures.popitem(last=False)
        return timedelta(0)

    def succeeded(self, name: str, address: str, now: datetime) -> None:
        """The try that entered at `now` did not fail: forget it, and all failures of the name."""
        with self._lock:
            self._failures.pop(("name", name), None)
            of_address = self._failures.get(("address", address), [])
            if now in of_address:
                of_address.remove(now)

    def _keys(self, name: str, address: str) -> dict[tuple[str, str], int]:
        """What is counted, and how many failures are too many."""
        keys = {("name", name): MOST_OF_A_NAME}
        return keys | {("address", address): MOST_OF_AN_ADDRESS} if address else keys

    def _recent(self, key: tuple[str, str], now: datetime) -> list[datetime]:
        """Failures in the window, oldest first. Those in the future are older than a clock set back."""
        return [at for at in self._failures.get(key, ()) if timedelta(0) <= now - at < WINDOW]
