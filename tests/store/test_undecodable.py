"""A stored value that cannot be decoded is a damaged project, which one error names."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alworkbench.core.domain import Role
from alworkbench.core.errors import ProjectDamaged
from alworkbench.core.ports import Reader
from store import open_store
from tests.store.making import found, new_project

NOT_UTF8 = "CAST(x'636166e9ff' AS TEXT)"
CASES: dict[str, tuple[str, str, str, Callable[[Reader], Any], str]] = {
    "a path": (
        *("image_path", "path", NOT_UTF8),
        lambda reader: reader.images.hashes_and_paths(Role.POOL),
        "column 'path' is not UTF-8",
    ),
    "a class name": (
        *("label_class", "name", NOT_UTF8),
        lambda reader: reader.classes.current(),
        "column 'name' is not UTF-8",
    ),
    "settings in bytes": (
        *("project", "settings", NOT_UTF8),
        lambda reader: reader.settings(),
        "column 'settings' is not UTF-8",
    ),
    "settings cut short": (
        *("project", "settings", "'{'"),
        lambda reader: reader.settings(),
        "a stored value is not JSON",
    ),
    "a role": (
        *("image", "role", "'pxol'"),
        lambda reader: reader.images.by_hash(found(1).hash),
        "'pxol' is not among",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_undecodable_text_is_a_damaged_project(path: Path, case: str) -> None:
    table, column, value, read, reason = CASES[case]
    new_project(path, images=2).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for (trigger,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(f"UPDATE {table} SET {column} = {value} WHERE id = 1")
        connection.commit()
    with (
        closing(open_store(path)) as store,
        pytest.raises(ProjectDamaged, match=reason) as raised,
        store.read() as reader,
    ):
        read(reader)
    assert "project.db" in str(raised.value)
    assert "Restore" in str(raised.value)
