"""A project on a PostgreSQL server: what is its own. The contracts of every store are tested beside it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from alworkbench.core.domain import ProjectFolder, Role
from alworkbench.core.errors import (
    InvalidStoreUrl,
    ProjectBusy,
    ProjectDamaged,
    ProjectExists,
    ProjectMissing,
    ProjectReadOnly,
    ProjectTooNew,
    ServerHoldsProject,
    ServerUnavailable,
)
from alworkbench.core.ports import Store
from alworkbench.core.unexpected import without_passwords
from store import create_store, move_to_server, open_store, server, upgrades
from store.columns import Base
from store.engine import migration_engine
from store.portable import copy_rows
from store.postgresql import ServerDatabase
from store.server_upgrades import migrating_server
from store.server_url import parsed, read_pointer, without_password
from store.upgrades import make_schema
from tests.forking import FORKING
from tests.store.making import CLASSES, NOW, SETTINGS, answer, import_pictures, open_round
from tests.store.processes import claim_everything, label_for_ever
from tests.store.server import empty_database, run_on_server
from tests.store.test_faults import events
from tests.store.test_kept import REVISIONS, check, restored


@pytest.fixture
def url() -> str:
    return empty_database()


def made(folder: Path, url: str, images: int = 4) -> Store:
    store = create_store(folder, SETTINGS, CLASSES, NOW, server=url)
    import_pictures(store, images)
    return store


@pytest.fixture
def folder(tmp_path: Path, url: str) -> Path:
    """The folder of a project on the server, with 4 images."""
    made(tmp_path / "project", url).close()
    return tmp_path / "project"


@pytest.fixture
def opened(folder: Path) -> Iterator[Store]:
    with closing(open_store(folder)) as store:
        yield store


# ------------------------------------------------------------------------------------ the folder
def test_the_folder_names_the_database_and_holds_no_records(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == ["store.json"]
    moved = folder.rename(folder.with_name("moved"))
    with closing(open_store(moved)) as store, store.read() as reader:
        assert reader.images.count(Role.POOL) == 4


def test_the_password_is_used_and_never_written(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = sa.make_url(url).query["options"].partition("=")[2]  # type: ignore[union-attr]
    run_on_server(
        "DO $$ BEGIN CREATE ROLE secretive LOGIN PASSWORD 'open-sesame'; "
        "EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"GRANT ALL ON SCHEMA {name} TO secretive",
    )
    full = sa.make_url(url).set(username="secretive", password="open-sesame")
    made(tmp_path, full.render_as_string(hide_password=False)).close()
    assert "sesame" not in (tmp_path / "store.json").read_text()
    with pytest.raises(ServerUnavailable, match="no password supplied") as caught:
        open_store(tmp_path)
    assert "sesame" not in str(caught.value)

    monkeypatch.setenv("ALWORKBENCH_STORE", full.render_as_string(hide_password=False))
    open_store(tmp_path).close()
    other = full.set(database="another").render_as_string(hide_password=False)
    monkeypatch.setenv("ALWORKBENCH_STORE", other)  # the password of another database
    with pytest.raises(ServerUnavailable, match="no password supplied"):
        open_store(tmp_path)
    monkeypatch.delenv("ALWORKBENCH_STORE")
    monkeypatch.setenv("PGPASSWORD", "open-sesame")
    open_store(tmp_path).close()
    monkeypatch.setenv("PGPASSWORD", "wrong")
    with pytest.raises(ServerUnavailable, match="password authentication failed") as caught:
        open_store(tmp_path)
    assert "wrong" not in str(caught.value)


def test_traces_hold_no_password() -> None:
    line = "['init', '--store', 'postgresql+psycopg://ann:s3cret:@/x@host:5/db', 'http://h/p']"
    assert without_passwords(line) == line.replace("s3cret:@/x", "***")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("mysql://ann:hidden@host/db", "does not begin"),
        ("sqlite:///hidden.db", "does not begin"),
        ("postgresql://ann:hidden@host", "names no database"),
        ("postgresql://ann:hidden@host/db?service=x", "parameter 'service'"),
        ("postgresql://ann:hidden@host/db?password=hidden", "parameter 'password'"),
        ("postgresql://ann:hidden@host:port/db", "not a URL"),
        ("hidden", "not a URL"),
    ],
)
def test_a_url_that_cannot_be_used_is_not_repeated(given: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidStoreUrl, match=why) as caught:
        create_store(tmp_path, SETTINGS, CLASSES, NOW, server=given)
    assert "hidden" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"url": 5}', "\xff"])
def test_a_pointer_that_names_nothing_is_damage(folder: Path, text: str) -> None:
    (folder / "store.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ProjectDamaged, match=r"store\.json"):
        open_store(folder)


def test_a_pointer_cannot_make_the_client_read_other_settings(folder: Path) -> None:
    pointer = folder / "store.json"
    url = json.loads(pointer.read_text())["url"]
    pointer.write_text(json.dumps({"url": f"{url}&sslkey=/etc/passwd"}))
    with pytest.raises(InvalidStoreUrl, match="parameter 'sslkey'"):
        open_store(folder)


def test_a_project_is_made_once_and_leaves_other_tables_alone(
    folder: Path, tmp_path: Path, url: str
) -> None:
    for again in (url, None):
        with pytest.raises(ProjectExists):
            create_store(folder, SETTINGS, CLASSES, NOW, server=again)
    with pytest.raises(ServerHoldsProject, match="a project"):
        create_store(tmp_path / "second", SETTINGS, CLASSES, NOW, server=url)
    songs = empty_database()
    run_on_server("CREATE TABLE songs (title text)", url=songs)
    with pytest.raises(ServerHoldsProject, match="another program"):
        create_store(tmp_path / "second", SETTINGS, CLASSES, NOW, server=songs)
    assert list((tmp_path / "second").iterdir()) == []


def test_what_is_not_there_is_said(folder: Path, url: str) -> None:
    name = url.rpartition("%3D")[2]
    run_on_server(f"DROP SCHEMA {name} CASCADE")
    with pytest.raises(ServerUnavailable, match="does not exist"):
        open_store(folder)
    run_on_server(f"CREATE SCHEMA {name}")
    with pytest.raises(ProjectMissing):
        open_store(folder)
    gone = sa.make_url(url).set(port=1).render_as_string(hide_password=False)
    (folder / "store.json").write_text(json.dumps({"url": gone}))
    with pytest.raises(ServerUnavailable, match="refused"):
        open_store(folder)


# --------------------------------------------------------------------------------- transactions
def test_what_a_write_block_reads_still_holds_when_it_commits(folder: Path) -> None:
    """Each adds one to a number that it read; nobody's addition is lost, over several connections."""

    def add() -> None:
        with closing(open_store(folder)) as store:
            for _ in range(5):
                with store.write() as writer:
                    found = writer.settings()
                    writer.save_settings(replace(found, seed=found.seed + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with closing(open_store(folder)) as store, store.read() as reader:
        assert reader.settings().seed == SETTINGS.seed + 20


def test_a_reader_sees_one_state_and_never_waits(folder: Path, opened: Store) -> None:
    with closing(open_store(folder)) as other, other.read() as reader:
        assert reader.labels.count() == 0
        with opened.write() as writer:
            writer.labels.add(answer("e", 1), NOW)
            with closing(open_store(folder)) as third, third.read() as fresh:
                assert fresh.labels.count() == 0  # opened while somebody writes
        assert reader.labels.count() == 0
        with opened.read() as fresh:
            assert fresh.labels.count() == 1


def test_a_writer_gives_up_after_its_patience(folder: Path, opened: Store) -> None:
    hasty = server.SqlStore(
        ServerDatabase(read_pointer(folder / "store.json"), folder, patience=0.05), folder
    )
    with closing(hasty), opened.write(), pytest.raises(ProjectBusy), hasty.write():
        pass
    with closing(hasty := open_store(folder)), hasty.write() as writer:
        writer.labels.add(answer("after", 1), NOW)


def test_times_are_exact_and_in_utc_whatever_the_server_says(opened: Store) -> None:
    at = NOW.replace(microsecond=123456)
    with opened.write() as writer:
        assert writer.labels.add(answer("e", 1), at).recorded_at == at
    with opened.read() as reader:
        assert reader.labels.all()[0].recorded_at.tzinfo == UTC


@pytest.mark.parametrize(
    "change", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
@pytest.mark.parametrize("table", ["label", "label_retraction", "role_change"])
def test_rows_of_answers_are_only_ever_added(
    folder: Path, url: str, change: str, table: str
) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="only ever added"):
        run_on_server(change.format(table), url=url)


def test_a_lost_connection_loses_the_open_block_and_nothing_else(opened: Store) -> None:
    with opened.write() as writer:
        writer.labels.add(answer("before", 1), NOW)
    end_others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'alworkbench' AND pid <> pg_backend_pid()"
    )

    def interrupted() -> None:
        with opened.write() as writer:
            writer.labels.add(answer("lost", 2), NOW)
            run_on_server(end_others)

    with pytest.raises(ServerUnavailable, match="sent again"):
        interrupted()
    with opened.write() as writer:
        writer.labels.add(answer("after", 3), NOW)
    assert events(opened) == ["before", "after"]


def test_two_processes_never_claim_one_item(folder: Path, opened: Store) -> None:
    import_pictures(opened, 30)
    open_round(opened, list(range(1, 31)))
    pipes = []
    for name in ("ann", "bob"):
        mine, theirs = FORKING.Pipe(duplex=False)
        FORKING.Process(target=claim_everything, args=(folder, name, theirs)).start()
        pipes.append(mine)
    held = [pipe.recv() for pipe in pipes]
    assert sorted(held[0] + held[1]) == list(range(1, 31))


def test_a_killed_writer_loses_no_acknowledged_label(folder: Path, opened: Store) -> None:
    acknowledged: list[str] = []
    for kill in range(4):
        mine, theirs = FORKING.Pipe(duplex=False)
        process = FORKING.Process(target=label_for_ever, args=(folder, f"run{kill}", theirs))
        process.start()
        theirs.close()
        for _ in range(3 + 2 * kill):
            acknowledged.append(mine.recv())
        process.kill()
        process.join(30)
        while True:
            try:
                acknowledged.append(mine.recv())
            except EOFError:
                break
        mine.close()
        with opened.write():  # the lock of the dead is free
            pass
        stored = events(opened)
        assert set(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))


def test_a_project_whose_folder_cannot_be_written_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProjectFolder, "can_be_written", False)
    with closing(open_store(folder)) as store:
        with store.read() as reader:
            assert reader.images.count(Role.POOL) == 4
        with pytest.raises(ProjectReadOnly), store.write():
            pass


# --------------------------------------------------------------------------------------- schema
def test_the_steps_make_the_tables_that_the_program_uses(folder: Path, url: str) -> None:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def loaded(revision: str, tmp_path: Path, url: str) -> Path:
    """A project on the server with the schema and the rows of a kept database; its folder."""
    engine = migration_engine(restored(revision, tmp_path / "kept"))
    folder = tmp_path / "project"
    folder.mkdir()
    with engine.connect() as source, migrating_server(parsed(url), folder) as connection:
        make_schema(connection, revision)
        copy_rows(source, connection)
        if revision == upgrades.HEAD:
            upgrades.upgrade(connection)  # an older one gets its triggers when it is opened
    engine.dispose()
    text = without_password(parsed(url)).render_as_string(hide_password=False)
    (folder / "store.json").write_text(json.dumps({"url": text}))
    return folder


@pytest.mark.parametrize("revision", [REVISIONS[0], REVISIONS[4], REVISIONS[-1]])
def test_an_older_schema_is_copied_and_upgraded_with_all_it_holds(
    revision: str, tmp_path: Path, url: str
) -> None:
    folder = loaded(revision, tmp_path, url)
    with closing(open_store(folder)) as store:
        with store.read() as reader:
            check(reader)
        with store.write() as writer:  # ids go on
            assert writer.labels.add(answer("more", 5, item_id=5), NOW).id == 8
    copies = list(folder.glob("project.db.before-*"))
    assert len(copies) == (revision != upgrades.HEAD)
    for copy in copies:
        assert upgrades.inspect(copy).revision == revision
        (tmp_path / "again").mkdir()
        copy.rename(tmp_path / "again" / "project.db")  # the copy is a project in SQLite
        with closing(open_store(tmp_path / "again")) as store, store.read() as reader:
            check(reader)


def test_a_newer_schema_is_refused(folder: Path, url: str) -> None:
    run_on_server("UPDATE alembic_version SET version_num = 'later'", url=url)
    with pytest.raises(ProjectTooNew, match="'later'"):
        open_store(folder)


def test_an_upgrade_that_fails_leaves_the_schema_as_it_was(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = loaded(REVISIONS[0], tmp_path, url)
    statements = ("SELECT 1", "SELECT no_such_column")
    monkeypatch.setattr(upgrades, "POSTGRESQL_TRIGGERS", statements)
    with pytest.raises(sa.exc.ProgrammingError):
        open_store(folder)
    assert run_on_server("SELECT version_num FROM alembic_version", url=url)[0][0] == REVISIONS[0]
    monkeypatch.undo()
    with closing(open_store(folder)) as store, store.read() as reader:
        check(reader)


# --------------------------------------------------------------------------------------- copies
def test_a_copy_is_a_project_in_sqlite_and_moves_back(tmp_path: Path, url: str) -> None:
    folder = loaded(REVISIONS[-1], tmp_path, url)
    (tmp_path / "copied").mkdir()
    with closing(open_store(folder)) as store:
        counts = store.copy_to(tmp_path / "copied" / "project.db")
    assert (counts.images, counts.labels) == (8, 7)
    with closing(open_store(tmp_path / "copied")) as store, store.read() as reader:
        check(reader)
    move_to_server(tmp_path / "copied", empty_database())
    assert [path.name for path in (tmp_path / "copied").iterdir()] == ["store.json"]
    with closing(open_store(tmp_path / "copied")) as store:
        with store.read() as reader:
            check(reader)
        with store.write() as writer:
            assert writer.labels.add(answer("more", 5, item_id=5), NOW).id == 8


def test_a_move_that_is_refused_leaves_the_file(folder: Path, tmp_path: Path, url: str) -> None:
    path = restored(REVISIONS[-1], tmp_path / "kept")
    before = path.read_bytes()
    with pytest.raises(ServerHoldsProject):
        move_to_server(path.parent, url)
    assert [p.name for p in path.parent.iterdir()] == ["project.db"]
    assert path.read_bytes() == before


def test_damage_to_the_guards_of_the_records_is_found(opened: Store, url: str) -> None:
    with opened.read() as reader:
        assert reader.faults() == []
    run_on_server("ALTER TABLE label DISABLE TRIGGER label_no_change", url=url)
    with opened.read() as reader:
        assert reader.faults() == ["rows of label can be changed: their trigger is off"]
