"""A database of every schema that ever was opens with all that it holds, also after a kill in its upgrade."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from alworkbench.core.domain import AnswerKind, Role, RoundState
from alworkbench.core.ports import Reader
from store import open_store, upgrades
from tests.forking import FORKING
from tests.store.making import MINUTE, NOW, answer, content

KEPT = Path(__file__).parent / "kept"
REVISIONS = sorted(path.stem for path in KEPT.glob("*.sql"))


def restored(revision: str, folder: Path) -> Path:
    """The kept database of a revision as a file."""
    path = folder / "project.db"
    folder.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((KEPT / f"{revision}.sql").read_text(encoding="utf-8"))
    return path


def check(reader: Reader) -> None:
    """What `kept/make_kept.py` wrote is there, value for value."""
    assert reader.faults() == []
    assert (reader.settings().name, reader.settings().seed) == ("animals", 7)
    assert reader.classes.current().names == ("cat", "dog", "owl")
    hashes = {
        role: [content_ for _, content_ in reader.images.ids_and_hashes(role)] for role in Role
    }
    assert hashes[Role.POOL] == [content(n) for n in range(1, 7)]
    assert hashes[Role.AUDIT] == [content(n) for n in (7, 8)]
    assert reader.images.get(2).paths == ("/photos/été/2.png",)
    assert [file.path for file in reader.images.quarantined()] == ["/photos/bad.png"]
    labels = [
        (la.id, la.event_id, la.image_id, la.kind, la.class_id, la.annotator, la.item_id)
        for la in reader.labels.all()
    ]
    chosen, unsure, skip = AnswerKind.CLASS, AnswerKind.CANNOT_TELL, AnswerKind.SKIP
    assert labels == [
        (1, "audit", 7, chosen, 3, "file", None),
        (2, "a0", 1, chosen, 1, "ann", 1),
        (3, "a1", 2, chosen, 2, "ann", 2),
        (4, "a2", 3, chosen, 3, "ann", 3),
        (5, "b0", 1, unsure, None, "bob", 1),
        (6, "b1", 4, skip, None, "bob", 4),
        (7, "b2", 6, chosen, 2, "bob", None),
    ]
    third = reader.labels.all()[3]
    assert (third.recorded_at, third.duration_ms) == (NOW + 2 * MINUTE, 1502)
    assert third.suggested_class_id == 2
    taken = [(t.label_id, t.event_id, t.recorded_at) for t in reader.labels.take_backs()]
    assert taken == [(2, "undo-1", NOW + 3 * MINUTE), (7, "undo-2", NOW + 11 * MINUTE)]
    first, second = reader.rounds.all()
    assert (first.strategy, first.seed, first.state) == ("random", 2**40 + 3, RoundState.CLOSED)
    assert (first.closed_at, first.settings) == (NOW + 5 * MINUTE, {"draws": 8})
    assert (second.strategy, second.state, second.learner_id) == ("margin", RoundState.OPEN, 1)
    items = reader.rounds.items(second.id)
    assert [(i.image_id, i.score, i.label is None) for i in items] == [
        (4, 0.5, False),
        (5, 0.625, True),
    ]
    assert items[1].suggestion is not None
    assert items[1].suggestion.probability == 0.75
    assert [lease.annotator for lease in items[1].leases] == ["bob"]
    assert items[1].leases[0].until - NOW == timedelta(minutes=13)
    assert reader.computed.posteriors()[0].provenance == {"n": 5}
    assert [le.settings for le in reader.computed.learners()] == [{"ridge": 0.1}]
    assert [m.values for m in reader.computed.metrics()] == [{"accuracy": 0.5}]


def test_the_database_of_every_earlier_schema_is_kept() -> None:
    """Where this fails: run kept/make_kept.py with the code before the new step; see its docstring."""
    assert REVISIONS[: len(upgrades.known_revisions()) - 1] == upgrades.known_revisions()[:0:-1]


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_an_earlier_schema_opens_with_all_it_holds(
    revision: str, tmp_path: Path
) -> None:
    path = restored(revision, tmp_path / "project")
    assert upgrades.inspect(path).revision == revision
    with closing(open_store(path)) as store:
        with store.read() as reader:
            check(reader)
        with store.write() as writer:  # and it goes on
            assert writer.labels.add(answer("more", 5, item_id=5), NOW).id == 8
    assert upgrades.inspect(path).revision == upgrades.HEAD
    copies = list(path.parent.glob("project.db.before-*"))
    assert len(copies) == (revision != upgrades.HEAD)
    for copy in copies:
        assert upgrades.inspect(copy).revision == revision


def upgrade_and_die(path: Path, at: int, told: Connection) -> None:
    """Upgrade, and be killed before statement `at`; tell how many there were."""
    done = 0

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        if done == at:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", count)
    upgrades.bring_up_to_date(path)
    told.send(done)
    told.close()


def test_an_upgrade_killed_anywhere_leaves_the_old_schema_or_the_new(tmp_path: Path) -> None:
    def run(path: Path, at: int) -> int | None:
        mine, theirs = FORKING.Pipe(duplex=False)
        process = FORKING.Process(target=upgrade_and_die, args=(path, at, theirs))
        process.start()
        theirs.close()
        try:
            return mine.recv()
        except EOFError:
            return None
        finally:
            mine.close()
            process.join(60)
            process.close()

    statements = run(restored(REVISIONS[0], tmp_path / "whole"), 0)
    assert statements is not None
    step = max(1, statements // 6)
    found = set()
    for at in sorted({*range(1, statements, step), statements - 1, statements}):
        path = restored(REVISIONS[0], tmp_path / f"killed{at}")
        assert run(path, at) is None
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA query_only = ON")
            (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("SELECT count(*) FROM label").fetchall() == [(7,)]
        found.add(revision)
        with closing(open_store(path)) as store, store.read() as reader:
            check(reader)
    assert REVISIONS[0] in found
    assert found <= {REVISIONS[0], upgrades.HEAD}
