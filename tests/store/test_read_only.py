"""A project that cannot be written can be read."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

import store
from alworkbench.core.domain import ProjectFolder, Role
from alworkbench.core.errors import ProjectReadOnly
from tests.store.making import NOW, answer, new_project


@pytest.mark.parametrize("open_elsewhere", [False, True])
def test_a_read_only_project_is_read_and_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_elsewhere: bool
):
    path = tmp_path / "project"
    writer_of_another = new_project(path, images=3)
    with writer_of_another.write() as writer:
        writer.labels.add(answer("e", 2), NOW)
    if not open_elsewhere:
        writer_of_another.close()  # otherwise the newest records stand in the write-ahead log

    def content() -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in path.iterdir() if not p.name.endswith("-shm")}

    before = content()
    monkeypatch.setattr(ProjectFolder, "can_be_written", False)
    with closing(store.open_store(path)) as found:
        with found.read() as reader:
            assert reader.images.count(Role.POOL) == 3
            assert reader.labels.count() == 1
        with pytest.raises(ProjectReadOnly, match="read-only"), found.write():
            pass
    assert content() == before
    writer_of_another.close()


def test_the_store_says_what_is_wrong_with_its_records(tmp_path: Path):
    with closing(new_project(tmp_path / "project", images=2)) as found, found.read() as reader:
        assert reader.faults() == []
