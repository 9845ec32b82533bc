"""Helpers of several repositories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, Insert

T = TypeVar("T")

CHUNK = 2_000
"""Rows of one statement: far fewer than SQLite's 32,766 parameters allow, and enough to be fast."""


def in_chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """The values in lists of at most `size`; only one list is in memory."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk


def new_id(connection: Connection, statement: Insert) -> int:
    """Insert one row and return its id."""
    key = connection.execute(statement).inserted_primary_key
    assert key is not None
    return int(key[0])
