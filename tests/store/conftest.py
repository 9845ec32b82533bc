"""Stores in a file and in memory, as fixtures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alworkbench.core.ports import Store
from store import create_store, memory_store
from tests.store.making import CLASSES, NOW, SETTINGS, import_pictures
from tests.store.server import empty_database


@pytest.fixture(params=["file", "memory", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A new project with 6 pictures: what holds for one kind of store holds for the other."""
    if request.param == "file":
        made = create_store(tmp_path / "project.db", SETTINGS, CLASSES, NOW)
    elif request.param == "server":
        url = empty_database()
        made = create_store(tmp_path / "project.db", SETTINGS, CLASSES, NOW, server=url)
    else:
        made = memory_store(SETTINGS, CLASSES, NOW)
    import_pictures(made, 6)
    yield made
    made.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a project's database may be made."""
    return tmp_path / "project" / "project.db"
