"""A project that an earlier version wrote is opened, read, replayed, continued and exported."""

import contextlib
import csv
import json
import sqlite3
import zipfile
from pathlib import Path

import pytest

from alworkbench.cli.labelling import print_round
from alworkbench.core.domain import Answer, AnswerKind, ProjectFolder, Role
from alworkbench.core.errors import UnknownStrategy
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.replay import replay
from alworkbench.simulation.rerun import plan_of
from alworkbench.simulation.results import load_results
from store import memory_store, open_store
from tests.making_project import closing

ARCHIVE = Path(__file__).parent / "fixtures" / "project-0003.zip"
"""Made by `fixtures/make_project_0003.py`, whose docstring says what is in it."""


@pytest.fixture
def old(tmp_path):
    """A workbench on a copy of the project."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    with closing(Workbench(ProjectFolder(tmp_path), open_store(tmp_path))) as workbench:
        yield workbench


def test_records_are_read_as_they_were_written(old):
    status = old.status()
    assert (status.pool_images, status.audit_images, status.encoded) == (60, 36, 96)
    assert (status.labels, status.skipped, status.rounds_closed) == (49, 1, 3)
    assert (status.open_answered, status.audit_accuracy) == (6, 1.0)
    assert status.classes == ("ant", "bee", "cat", "dog")
    found = [(r.number, r.strategy, r.batch_size, r.state) for r in old.rounds.all()]
    assert found == [
        (1, "random", 12, "closed"),
        (2, "epig", 12, "closed"),
        (3, "audit", 4, "closed"),
        (4, "coverage", 12, "open"),
    ]
    assert [(m.round_number, m.labels, m.audit_images) for m in old.measurements.all()] == [
        (0, 0, 36),
        (1, 9, 36),
        (1, 31, 36),
        (2, 43, 36),
    ]
    curve = old.audit.report()
    assert [(e.round, e.strategy, e.accuracy.labels) for e in curve.drawn] == [(1, "random", 9)]
    assert (curve.population.drawn, curve.counterfactual.labels) == (4, 43)
    assert old.audit.advise(0.9).stop


def test_draws_of_the_audit_set_are_recorded_as_changes_of_roles(old):
    (drawn,) = [r for r in old.rounds.all() if r.strategy == "audit"]
    asked = [item.image_id for item in old.rounds.items(drawn.id)]
    with old.session.store.read() as reader:
        changes = reader.images.role_changes()
    assert [(c.image_id, c.former, c.role) for c in changes] == [
        (image, Role.POOL, Role.AUDIT) for image in asked
    ]
    assert {c.recorded_at for c in changes} == {drawn.opened_at}


def test_a_stored_simulation_keeps_strategies_that_may_be_gone(old):
    (result,) = load_results(old.session.folder.simulations)
    assert plan_of(result).strategies == ("random", "modal-margin", "epig-closed", "coverage")
    assert {arm.adaptation for arm in result.arms} == {"free-weights", "linearised"}
    assert len(result.points) == 24
    assert len(result.table()) == 8


def test_every_round_is_asked_again_and_every_learner_learns_again(old):
    found = replay(old, memory_store)
    assert found.difference is None
    assert (found.rounds, found.images, found.learners) == (4, 40, 3)


def test_stored_learners_predict_as_they_did(old):
    """Closing an audit round measures every stored learner again; nothing new is labelled here."""
    before = {m.learner_id: m.values for m in old.measurements.all()}
    finish(old)
    old.audit.draw(2)
    old.rounds.close(force=True)
    after = {m.learner_id: m.values for m in old.measurements.all()}
    assert len(after) == len(before) + 1
    for learner, values in before.items():
        for name in ("accuracy", "nlpd", "ece"):
            assert after[learner][name] == pytest.approx(values[name], rel=1e-4), (learner, name)


def test_the_open_round_is_answered_closed_and_exported(old, tmp_path):
    assert len(finish(old)) == 6
    assert old.status().labels == 55
    assert old.measurements.all()[-1].round_number == 4
    assert old.labels.export(tmp_path / "labels.csv").rows == 55 + 1 + 36
    with (tmp_path / "labels.csv").open() as file:
        assert {row["annotator"] for row in csv.DictReader(file)} == {
            "ada",
            "bo",
            "file",
            "manifest",
        }
    assert old.labels.export(tmp_path / "all.csv", history=True).rows == 55 + 1 + 36 + 1
    assert old.rounds.propose().strategy == "coverage"


def test_rounds_of_a_strategy_that_was_removed_are_shown(tmp_path, capsys):
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    folder = ProjectFolder(tmp_path)
    with contextlib.closing(sqlite3.connect(folder.database)) as database:
        database.execute("UPDATE round SET strategy = 'epig-closed' WHERE number IN (2, 4)")
        ((stored,),) = database.execute("SELECT settings FROM project")
        settings = json.dumps({**json.loads(stored), "strategy": "softmax-bald"})
        database.execute("UPDATE project SET settings = ?", (settings,))
        database.commit()
    with closing(Workbench(folder, open_store(tmp_path))) as old:
        names = [r.strategy for r in old.rounds.all()]
        assert names == ["random", "epig-closed", "audit", "epig-closed"]
        assert old.status().open_answered == 6
        assert [each.strategy for each in old.audit.report().drawn] == ["random"]
        print_round(old, old.rounds.current().id, as_json=False)
        assert "strategy epig-closed" in capsys.readouterr().out
        finish(old)
        with pytest.raises(UnknownStrategy, match=r"'softmax-bald' was removed.* 'power-bald'"):
            old.rounds.propose()
        with pytest.raises(UnknownStrategy, match="Use 'epig'"):
            replay(old, memory_store)
        assert old.rounds.propose("power-bald").strategy == "power-bald"


def finish(old):
    """Answer what is left of the open round, and close it."""
    answers = [
        Answer(
            event_id=f"bo-{item.id}",
            image_id=item.image_id,
            kind=AnswerKind.CLASS,
            annotator="bo",
            class_id=item.suggestion.class_id,
            item_id=item.id,
            lease_token=item.lease.token,
        )
        for item in old.labels.claim("bo", 12)
    ]
    old.labels.record_many(answers)
    old.rounds.close()
    return answers
