"""The way in on a machine where nobody has a password: the printed address works once.

A program of another user of this machine can reach a loopback address, too. The address that the terminal
prints therefore holds a token. The first browser that brings it is let in. On a server of several projects it
becomes a guest, who may enter every project in which nobody has a password, for as long as the server runs.
"""

from __future__ import annotations

import secrets
import threading
from datetime import datetime, timedelta

PASS_LASTS = timedelta(minutes=15)
"""How long the browser that brought the token may take to give a name."""


class Entrance:
    """The one-time token of this process, and the passes and names of browsers that brought it."""

    def __init__(self, token: str | None) -> None:
        """`token` is None where people sign in with passwords."""
        self.token = token
        self._unused = token
        self._passes: dict[str, datetime] = {}
        self._guests: dict[str, str] = {}
        self._lock = threading.Lock()

    def exchange(self, token: str) -> bool:
        """Whether this is the token and nobody brought it before; it is used up then."""
        with self._lock:
            unused = self._unused
            if unused is None or not secrets.compare_digest(token.encode(), unused.encode()):
                return False
            self._unused = None
            return True

    def new_pass(self, now: datetime) -> str:
        """A text with which a browser may give a name, for `PASS_LASTS`."""
        made = secrets.token_urlsafe(32)
        with self._lock:
            self._passes[made] = now + PASS_LASTS
        return made

    def holds(self, given: str, now: datetime) -> bool:
        """Whether this pass may still be used."""
        with self._lock:
            ends = self._passes.get(given)
        return ends is not None and ends - PASS_LASTS <= now < ends

    def spend(self, given: str, now: datetime) -> bool:
        """Use a pass up; False for one that may not be used."""
        valid = self.holds(given, now)
        with self._lock:
            return self._passes.pop(given, None) is not None and valid

    def admit(self, name: str) -> str:
        """A text by which the browser of this guest is known until the server ends."""
        made = secrets.token_urlsafe(32)
        with self._lock:
            self._guests[made] = name
        return made

    def guest(self, given: str) -> str | None:
        """The name of the guest with this text; None for any other text."""
        with self._lock:
            return self._guests.get(given)

    def dismiss(self, given: str) -> None:
        """Forget a guest."""
        with self._lock:
            self._guests.pop(given, None)


def new_token() -> str:
    """A one-time token: 256 random bits."""
    return secrets.token_urlsafe(32)
