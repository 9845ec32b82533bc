"""Write blocks of the store in which nothing is computed: a tensor operation inside one fails the test.

Every answer of every person waits for a write block, so a computation inside one stops the labelling.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from torch.utils._python_dispatch import TorchDispatchMode

from store.unit_of_work import SqlStore, SqlWriter


class ComputedWhileWriting(AssertionError):
    """A tensor operation ran while the write lock was held."""


class NoTensors(TorchDispatchMode):
    """Raises ComputedWhileWriting for every operation on tensors in this thread."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        raise ComputedWhileWriting(f"{func} ran inside a write block; compute before it")


@pytest.fixture(autouse=True)
def nothing_is_computed_while_writing() -> Iterator[None]:
    """In every test, whatever it tests."""
    plain = SqlStore.write

    @contextmanager
    def write(self: SqlStore) -> Iterator[SqlWriter]:
        with plain(self) as writer, NoTensors():
            yield writer

    # A test may undo all changes of its own `monkeypatch`; this one stays.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqlStore, "write", write)
        yield
