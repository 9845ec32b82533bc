"""What is seen by whom, and who waits for whom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy.exc

from alworkbench.core.domain import Role
from alworkbench.core.errors import ProjectBusy
from alworkbench.core.ports import Store
from store import engine, sqlite_version
from store.lock import FairLock
from store.unit_of_work import SqlStore
from tests.store.making import NOW, answer, found, import_pictures, new_project


def elsewhere(action: Callable[[], object]) -> object:
    """What the action gives in another thread; fails if it has to wait for this one."""
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(action()), daemon=True)
    thread.start()
    thread.join(10)
    assert results, "the other thread waits, or failed"
    return results[0]


def count(store: Store) -> int:
    with store.read() as reader:
        return reader.labels.count()


def label(store: Store, event_id: str) -> None:
    with store.write() as writer:
        writer.labels.add(answer(event_id, 1), NOW)


def test_a_block_that_raises_leaves_nothing(store: Store) -> None:
    def interrupted() -> None:
        with store.write() as writer:
            writer.labels.add(answer("e", 1), NOW)
            writer.images.add([found(70)], [], root="x", role=Role.POOL)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert count(store) == 0
    label(store, "f")
    with store.read() as reader:
        assert reader.images.count(Role.POOL) == 6
        assert reader.labels.by_event("e") is None
        assert reader.labels.by_event("f") is not None


def test_a_read_inside_a_write_of_one_thread_does_not_wait(store: Store) -> None:
    with store.write() as writer:
        writer.labels.add(answer("e", 1), NOW)
        with store.read() as reader:
            assert reader.images.count(Role.POOL) == 6
        assert writer.labels.count() == 1
    assert count(store) == 1


def test_a_write_inside_a_read_of_one_thread_does_not_wait(store: Store) -> None:
    with store.read() as reader:
        assert reader.images.count(Role.POOL) == 6
        label(store, "e")
    assert count(store) == 1


def test_write_blocks_do_not_nest(store: Store) -> None:
    with store.write() as writer:
        writer.labels.add(answer("e", 1), NOW)
        with pytest.raises(RuntimeError, match="open in this thread already"), store.write():
            raise AssertionError("never reached")
    assert count(store) == 1


def test_nothing_is_read_or_written_after_the_block(store: Store) -> None:
    with store.write() as writer:
        pass
    with store.read() as reader:
        pass
    with pytest.raises(sqlalchemy.exc.ResourceClosedError):
        writer.labels.add(answer("e", 1), NOW)
    with pytest.raises(sqlalchemy.exc.ResourceClosedError):
        reader.labels.count()
    assert count(store) == 0


def test_a_closed_store_refuses_reads_and_writes(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(RuntimeError, match="closed"), store.read():
        pass
    with pytest.raises(RuntimeError, match="closed"), store.write():
        pass


def test_threads_read_and_write_together(store: Store) -> None:
    failures: list[BaseException] = []

    def work(name: int) -> None:
        try:
            for n in range(15):
                label(store, f"{name}-{n}")
                with store.read() as reader:
                    assert reader.labels.by_event(f"{name}-{n}") is not None
                    assert reader.labels.count() >= n
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert count(store) == 60


# ------------------------------------------------------------------------------- of files only
def test_a_reader_does_not_wait_for_a_writer_and_sees_the_state_before(path: Path) -> None:
    with closing(new_project(path, images=2)) as store:
        with store.write() as writer:
            writer.labels.add(answer("e", 1), NOW)
            assert elsewhere(lambda: count(store)) == 0
            assert count(store) == 0
        assert elsewhere(lambda: count(store)) == 1


def test_a_writer_does_not_wait_for_a_reader_whose_state_stays(path: Path) -> None:
    with closing(new_project(path, images=2)) as store:
        with store.read() as reader:  # its state is fixed here, before anything is asked
            elsewhere(lambda: label(store, "e") or True)
            assert reader.labels.count() == 0
            elsewhere(lambda: import_pictures(store, 5) or True)
            assert reader.images.count(Role.POOL) == 2
        assert count(store) == 1


def test_a_reader_cannot_write(path: Path) -> None:
    with closing(new_project(path, images=1)) as store, store.read() as reader:
        with pytest.raises(sqlalchemy.exc.OperationalError, match="readonly"):
            reader.labels.add(answer("e", 1), NOW)  # type: ignore[attr-defined]
        assert reader.labels.count() == 0


def test_waiting_too_long_for_another_process_raises_project_busy(path: Path) -> None:
    new_project(path, images=1).close()
    impatient = SqlStore(engine.FileDatabase(path, patience=0.1), path.parent)
    # Two copies of SQLite in one process do not see each other's locks: take the store's own.
    with closing(impatient), closing(sqlite_version.sqlite_module().connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProjectBusy, match="Run it again"):
            label(impatient, "e")
        assert count(impatient) == 0  # reading goes on
        other.rollback()
        label(impatient, "e")
        assert count(impatient) == 1


def test_waiting_too_long_for_another_thread_raises_project_busy(path: Path) -> None:
    new_project(path, images=1).close()
    with closing(SqlStore(engine.FileDatabase(path, patience=0.1), path.parent)) as store:

        def attempt() -> bool:
            with pytest.raises(ProjectBusy):
                label(store, "e")
            return True

        with store.write():
            assert elsewhere(attempt)


def test_the_pragmas_that_durability_needs_are_set(path: Path) -> None:
    with closing(new_project(path)):
        database = engine.FileDatabase(path)
        with closing(database), database.writing() as writer, database.reading() as reader:
            for connection in (writer, reader):
                for pragma, value in {
                    "journal_mode": "wal",
                    "synchronous": 2,
                    "foreign_keys": 1,
                    "fullfsync": 1,
                    "recursive_triggers": 1,
                    "busy_timeout": 30_000,
                }.items():
                    found_ = connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()
                    assert found_ == value, pragma


# ------------------------------------------------------------------------------------- the lock
def test_the_lock_is_handed_over_in_the_order_of_asking() -> None:
    lock = FairLock()
    order: list[int] = []
    assert lock.acquire(1)

    def wait(number: int) -> None:
        assert lock.acquire(20)
        order.append(number)
        lock.release()

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=wait, args=(number,)))
        threads[-1].start()
        while len(lock._queue) <= number:
            time.sleep(0.001)
    lock.release()
    for thread in threads:
        thread.join(20)
    assert order == list(range(8))


def test_a_thread_that_stops_waiting_leaves_the_queue() -> None:
    lock = FairLock()
    assert lock.acquire(1)
    assert lock.held_here
    assert elsewhere(lambda: (lock.acquire(0.01), lock.held_here)) == (False, False)
    lock.release()
    assert not lock.held_here
    assert lock.acquire(0)
    lock.release()


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((4, 0, 0), False),
    ],
)
def test_versions_of_sqlite_with_the_wal_reset_bug(
    version: tuple[int, ...], affected: bool
) -> None:
    assert sqlite_version.has_wal_reset_bug(version) is affected


def test_an_affected_sqlite_is_named_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_version, "has_wal_reset_bug", lambda version: True)
    sqlite_version.warn_of_wal_reset_bug.cache_clear()
    sqlite_version.warn_of_wal_reset_bug()
    sqlite_version.warn_of_wal_reset_bug()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "3.51.3" in caplog.text


def test_a_second_project_compiles_no_statement_again(tmp_path: Path) -> None:
    def counts(store: Store) -> tuple[int, int]:
        with store.read() as reader:
            return reader.labels.count(), reader.images.count(Role.POOL)

    with closing(new_project(tmp_path / "one", images=1)) as first:
        label(first, "a")
        assert counts(first) == (1, 1)
    known = len(engine.STATEMENTS)
    with closing(new_project(tmp_path / "two", images=3)) as second:
        assert counts(second) == (0, 3)
        label(second, "b")
        assert counts(second) == (1, 3)
    assert len(engine.STATEMENTS) == known
