"""Killed processes, cut power, full disks and damaged files: what was acknowledged is there."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alworkbench.core.domain import Role
from alworkbench.core.errors import (
    ProjectDamaged,
    ProjectDiskFull,
    ProjectError,
    ProjectMissing,
    ProjectUnavailable,
)
from alworkbench.core.ports import Store
from store import create_store, open_store
from tests.forking import FORKING
from tests.store.making import CLASSES, NOW, SETTINGS, answer, found, new_project
from tests.store.processes import label_for_ever


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]


def events(store: Store) -> list[str]:
    with store.read() as reader:
        labels = [label for n in range(1, 5) for label in reader.labels.history(n)]
    return [label.event_id for label in sorted(labels, key=lambda label: label.id)]


def test_a_killed_writer_loses_no_acknowledged_label(path: Path) -> None:
    new_project(path, images=4).close()
    chance = random.Random(0)
    acknowledged: set[str] = set()
    for kill in range(15):
        mine, theirs = FORKING.Pipe(duplex=False)
        process = FORKING.Process(target=label_for_ever, args=(path, f"run{kill}", theirs))
        process.start()
        theirs.close()
        for _ in range(chance.randrange(1, 12)):
            acknowledged.add(mine.recv())
        time.sleep(chance.random() * 0.005)
        process.kill()
        process.join(30)
        process.close()
        while True:  # what it said before it died
            try:
                acknowledged.add(mine.recv())
            except EOFError:
                break
        mine.close()
        with closing(open_store(path)) as store:
            stored = events(store)
            assert acknowledged <= set(stored)
            assert len(stored) == len(set(stored))
            # Who never heard back sends again: recorded once, acknowledged or not.
            with store.write() as writer:
                again = [answer(event_id, 1) for event_id in stored[-3:]]
                writer.labels.add_many(again, NOW)
            assert events(store) == stored
    assert len(acknowledged) >= 30
    assert integrity(path) == "ok"


def test_a_wal_file_cut_anywhere_opens_as_a_prefix_of_the_commits(path: Path) -> None:
    """What a power cut may leave: the file up to some byte, perhaps with rubbish behind."""
    new_project(path, images=4).close()
    commits = [f"e{n}" for n in range(40)]
    wal = path.with_name(path.name + "-wal")
    with closing(open_store(path)) as store:
        for n, event_id in enumerate(commits):
            with store.write() as writer:
                writer.labels.add(answer(event_id, 1 + n % 4), NOW)
        main, log = path.read_bytes(), wal.read_bytes()

    chance = random.Random(1)
    cuts = sorted([0, len(log), *(chance.randrange(len(log)) for _ in range(58))])
    survived = []
    for n, cut in enumerate(cuts):
        copy = path.parent / f"cut{n}" / "project.db"
        copy.parent.mkdir()
        copy.write_bytes(main)
        rubbish = chance.randbytes(4096) if n % 2 else b""
        copy.with_name("project.db-wal").write_bytes(log[:cut] + rubbish)
        with closing(open_store(copy)) as store:
            stored = events(store)
        assert stored == commits[: len(stored)]
        assert integrity(copy) == "ok"
        survived.append(len(stored))
    assert survived == sorted(survived)
    assert survived[0] == 0
    assert survived[-1] == len(commits)
    assert len(set(survived)) > 20


def test_a_full_disk_raises_and_loses_nothing(path: Path) -> None:
    with closing(new_project(path, images=4)) as store:
        with store.write() as writer:
            writer.labels.add(answer("before", 1), NOW)
        limit_pages(store, "PRAGMA page_count")
        many = (found(n) for n in range(1_000, 9_000))
        with pytest.raises(ProjectDiskFull, match="Free some space"), store.write() as writer:
            writer.images.add(many, [], root="much", role=Role.POOL)
        assert events(store) == ["before"]
        limit_pages(store, "SELECT 1000000")
        with store.write() as writer:
            writer.labels.add(answer("after", 1), NOW)
        assert events(store) == ["before", "after"]
    assert integrity(path) == "ok"


def limit_pages(store: Any, source: str) -> None:
    """Let the database grow to so many pages; to SQLite that is a disk of this size."""
    with store._database._writer.connect() as connection:
        pages = connection.exec_driver_sql(source).scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").close()


# ----------------------------------------------------------------------------- what is opened
def test_an_absent_project_is_missing(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent", tmp_path / "absent" / "project.db"):
        with pytest.raises(ProjectMissing, match="alworkbench init"):
            open_store(place)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "project.db").touch()  # what a killed `init` may leave
    with pytest.raises(ProjectMissing):
        open_store(tmp_path)
    create_store(tmp_path, SETTINGS, CLASSES, NOW).close()


def test_an_absent_project_may_be_opened_empty(path: Path) -> None:
    with closing(open_store(path, must_exist=False)) as store:
        with store.read() as reader, pytest.raises(ProjectMissing):
            reader.settings()
        with store.write() as writer:
            writer.save_settings(SETTINGS)
            writer.classes.add(CLASSES, NOW)
    with closing(open_store(path)) as store, store.read() as reader:
        assert reader.settings() == SETTINGS


@pytest.mark.parametrize(
    "rubbish", [b"not a database " * 400, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_file_that_is_no_database_is_named_and_left_alone(path: Path, rubbish: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(rubbish)
    with pytest.raises(ProjectDamaged, match=r"project\.db"):
        open_store(path)
    with pytest.raises(ProjectDamaged):
        create_store(path, SETTINGS, CLASSES, NOW)
    assert path.read_bytes() == rubbish


def test_a_database_of_another_program_is_named_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    before = path.read_bytes()
    for action in (open_store, lambda p: create_store(p, SETTINGS, CLASSES, NOW)):
        with pytest.raises(ProjectDamaged, match="another program"):
            action(path)
    assert path.read_bytes() == before


def test_damage_found_after_opening_raises_project_damaged(path: Path) -> None:
    new_project(path, images=500).close()
    whole = bytearray(path.read_bytes())
    size = 4096
    for start in range(8 * size, len(whole) - size, size):  # the schema at the start stays readable
        whole[start : start + size] = b"\xa5" * size
    path.write_bytes(whole)
    with pytest.raises(ProjectDamaged, match="from a backup"):
        read_everything(path)


def read_everything(path: Path) -> None:
    with closing(open_store(path)) as store, store.read() as reader:
        for n in range(1, 501):
            reader.labels.history(n)
            reader.images.get(n)


def test_a_folder_in_place_of_the_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "project.db").mkdir()
    with pytest.raises(ProjectError, match=r"project\.db"):
        open_store(tmp_path / "project.db")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ProjectUnavailable):
        create_store(tmp_path / "file" / "project", SETTINGS, CLASSES, NOW)
