"""Projects of older versions are brought up to date, those of newer ones left alone."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from alworkbench.core.errors import ProjectDamaged, ProjectExists, ProjectMissing, ProjectTooNew
from store import copies, create_store, open_store, upgrades
from store.engine import memory_engine, transaction
from store.new_schema import make_new_schema
from store.schema import Base
from store.triggers import TRIGGERS
from tests.store.making import CLASSES, NOW, SETTINGS, answer, new_project

LATER = "later"
"""A revision after the newest of ours, whichever that is."""

ADD_A_COLUMN = f"""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{LATER}", "{upgrades.HEAD}"
def upgrade():
    with op.batch_alter_table("image") as table:  # SQLite builds the table anew
        table.add_column(sa.Column("note", sa.Text(), nullable=False, server_default="none"))
        table.create_check_constraint("note", "length(note) < 100")
"""
FAIL_AFTER_A_STEP = (
    ADD_A_COLUMN + "    op.execute('DROP TABLE metric')\n    raise RuntimeError('no')\n"
)
BREAK_A_KEY = ADD_A_COLUMN + "    op.execute('DELETE FROM image')\n"


@pytest.fixture
def old(path: Path) -> Path:
    """A project as this version writes it, with one label."""
    with closing(new_project(path, images=3)) as store, store.write() as writer:
        writer.labels.add(answer("e", 2), NOW)
    return path


def newer_program(tmp_path: Path, step: str) -> Path:
    """The steps of a later version: one more than ours."""
    migrations = tmp_path / "later %d" / "migrations"
    shutil.copytree(upgrades.MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    (migrations / "versions" / "9999_later.py").write_text(step)
    return migrations


def contents(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def files(path: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in path.parent.iterdir() if not p.name.endswith("-shm")}


SCHEMA = "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'alembic%'"


def statements(sql: list[str]) -> list[str]:
    """Column for column, constraint for constraint; their order within a table is free."""
    plain = [re.sub(r"[\s\"]+", " ", s).strip() for s in sql if s]
    return sorted(" ".join(sorted(re.split(r"[ ,()]+", s))) for s in plain)


def test_the_steps_make_exactly_the_schema_that_the_program_uses() -> None:
    found = []
    for build in (upgrades.upgrade, Base.metadata.create_all):
        engine = memory_engine()
        with engine.connect() as connection, transaction(connection):
            build(connection)
            if build is not upgrades.upgrade:
                for trigger in TRIGGERS:
                    connection.execute(text(trigger))
            found.append(statements(list(connection.scalars(text(SCHEMA)))))
        engine.dispose()
    assert found[0] == found[1]


def test_a_new_project_has_exactly_what_the_steps_make(tmp_path: Path) -> None:
    """Whatever a step makes or writes, a new project has too, with its columns in the same order."""
    found = []
    for build in (upgrades.upgrade, make_new_schema):
        database = tmp_path / build.__name__
        with upgrades.migrating(database) as connection:
            build(connection)
        with closing(sqlite3.connect(database)) as file:
            every = file.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
            columns = [
                file.execute(f"PRAGMA table_xinfo({name!r})").fetchall() for name, _ in every
            ]
        rows = [line for line in contents(database) if line.startswith("INSERT")]
        names, made = [name for name, _ in every], statements([sql for _, sql in every])
        found.append((names, made, columns, rows))
    assert found[0] == found[1]


def test_head_is_the_newest_step() -> None:
    assert upgrades.known_revisions()[0] == upgrades.HEAD


def test_an_up_to_date_project_opens_without_a_copy(old: Path) -> None:
    open_store(old).close()
    assert [p.name for p in old.parent.iterdir()] == ["project.db"]


def test_an_older_project_is_copied_and_then_upgraded(old: Path, tmp_path: Path) -> None:
    before = contents(old)
    upgrades.bring_up_to_date(old, LATER, newer_program(tmp_path, ADD_A_COLUMN))
    copy = old.with_name(f"project.db.before-{LATER}")
    assert contents(copy) == before
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("SELECT note, count(*) FROM image").fetchall() == [("none", 3)]
        assert connection.execute("SELECT event_id FROM label").fetchall() == [("e",)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with pytest.raises(sqlite3.IntegrityError, match="only ever added"):
            connection.execute("DELETE FROM label")
    shutil.copy(copy, old)  # the copy is a project again
    open_store(old).close()


def test_a_copy_never_replaces_an_earlier_one(old: Path) -> None:
    target = old.with_name("copy.db")
    made = [copies.back_up(old, target).name for _ in range(3)]
    assert made == ["copy.db", "copy.db.2", "copy.db.3"]
    assert sorted(p.name for p in old.parent.iterdir()) == [*made, "project.db"]


def test_a_copy_contains_the_last_write(old: Path) -> None:
    """The newest commits lie in the WAL file while the project is open."""
    with closing(open_store(old)) as store:
        with store.write() as writer:
            writer.labels.add(answer("last", 3), NOW)
        copy = copies.back_up(old, old.with_name("copy.db"))
        with store.write() as writer:
            writer.labels.add(answer("later", 3), NOW)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT event_id FROM label").fetchall() == [("e",), ("last",)]


@pytest.mark.parametrize(("step", "reason"), [(FAIL_AFTER_A_STEP, "no"), (BREAK_A_KEY, "foreign")])
def test_an_upgrade_that_fails_leaves_the_project_as_it_was(
    old: Path, tmp_path: Path, step: str, reason: str
) -> None:
    before = contents(old)
    with pytest.raises(RuntimeError, match=reason):
        upgrades.bring_up_to_date(old, LATER, newer_program(tmp_path, step))
    assert contents(old) == before
    open_store(old).close()


def test_a_project_before_the_first_step_is_upgraded_after_a_copy(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    with closing(open_store(path)) as store, store.read() as reader, pytest.raises(ProjectMissing):
        reader.settings()
    assert path.with_name(f"project.db.before-{upgrades.HEAD}").exists()


def test_a_newer_project_is_refused_and_stays_byte_for_byte(old: Path, tmp_path: Path) -> None:
    upgrades.bring_up_to_date(old, LATER, newer_program(tmp_path, ADD_A_COLUMN))
    before = files(old)
    with pytest.raises(ProjectTooNew, match=r"'later'.*Nothing was changed.*pip install --upgrade"):
        open_store(old)
    with pytest.raises(ProjectExists):
        create_store(old, SETTINGS, CLASSES, NOW)
    assert files(old) == before
    assert not list(old.parent.glob("*-shm"))


def test_a_newer_project_that_was_killed_is_refused_and_stays_byte_for_byte(
    old: Path, tmp_path: Path
) -> None:
    upgrades.bring_up_to_date(old, LATER, newer_program(tmp_path, ADD_A_COLUMN))
    killed = tmp_path / "killed" / "project.db"
    killed.parent.mkdir()
    with closing(sqlite3.connect(old)) as connection:  # its last commit is in the WAL file only
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE project SET settings = '{}'")
        connection.commit()
        for name in ("project.db", "project.db-wal"):
            shutil.copy(old.with_name(name), killed.with_name(name))
    before = files(killed)
    assert before["project.db-wal"]
    with pytest.raises(ProjectTooNew):
        open_store(killed)
    assert files(killed) == before


def test_a_project_is_made_once(path: Path) -> None:
    new_project(path, images=1).close()
    before = path.read_bytes()
    for place in (path, path.parent):
        with pytest.raises(ProjectExists, match="alworkbench status"):
            create_store(place, SETTINGS, CLASSES, NOW)
    assert path.read_bytes() == before


def test_of_several_who_make_one_project_one_succeeds(path: Path) -> None:
    results: list[str] = []

    def make() -> None:
        try:
            create_store(path, SETTINGS, CLASSES, NOW).close()
            results.append("made")
        except ProjectExists:
            results.append("exists")

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == ["exists"] * 3 + ["made"]
    with closing(open_store(path)) as store, store.read() as reader:
        assert reader.classes.current().id == 1


def test_several_who_open_an_older_project_upgrade_it_once(old: Path, tmp_path: Path) -> None:
    later = newer_program(tmp_path, ADD_A_COLUMN)
    failures: list[Exception] = []

    def upgrade() -> None:
        try:
            upgrades.bring_up_to_date(old, LATER, later)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(list(old.parent.glob("*.before-*"))) == 1


def test_incomplete_settings_are_damage(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("UPDATE project SET settings = '{}'")
        connection.commit()
    with (
        closing(open_store(old)) as store,
        store.read() as reader,
        pytest.raises(ProjectDamaged, match="settings cannot be read"),
    ):
        reader.settings()


def test_the_copy_before_an_upgrade_is_named_and_only_the_last_ones_stay(
    old: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = [old.with_name(f"project.db.before-{n}") for n in range(5)]
    for n, path in enumerate(before):
        path.touch()
        os.utime(path, (n, n))
    upgrades.bring_up_to_date(old, LATER, newer_program(tmp_path, ADD_A_COLUMN))
    assert f"from schema {upgrades.HEAD} to {LATER}" in caplog.text
    assert f"is kept as project.db.before-{LATER}" in caplog.text
    kept = sorted(p.name for p in old.parent.glob("*.before-*"))
    assert kept == [before[3].name, before[4].name, f"project.db.before-{LATER}"]
