"""Compiled SQL that all engines of SQLite share.

SQLAlchemy keeps compiled statements for each engine. A server has an engine for each project, and each
project would compile the same hundred statements again, a millisecond each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.util import LRUCache

MOST_STATEMENTS = 1000


class SharedStatements(LRUCache[Any, Any]):
    """What SQLAlchemy takes as `compiled_cache`, for engines that are made with the same options.

    A key of SQLAlchemy holds the dialect, which is an object of the engine; here its class stands for it.
    """

    def __init__(self) -> None:
        super().__init__(MOST_STATEMENTS)

    def get(self, key: Any, default: Any = None) -> Any:
        """The compiled statement, or `default`."""
        return super().get(_shared(key), default)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(_shared(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_shared(key), value)


def _shared(key: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(type(part) if isinstance(part, Dialect) else part for part in key)
