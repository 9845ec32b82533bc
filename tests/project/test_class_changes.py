"""Changes of the class list in the middle of a campaign: labels stay, the past replays, the model follows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import ClassList, LabelClass, Role
from alworkbench.core.domain.class_changes import renamed
from alworkbench.core.errors import InvalidClassList, RoundStillOpen
from alworkbench.core.ports import Writer
from alworkbench.project.taught_labels import taught_labels
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.replay import replay
from store import memory_store
from tests.making_project import Project, closing, one_round
from tests.project.test_classes import Names


@pytest.fixture
def begun(lived: Callable) -> Workbench:
    """A project with one round that was learned from."""
    return lived(one_round)


def names(workbench: Workbench) -> Names:
    engine = workbench.session.engine()
    return Names(engine.encoder_id, engine.head)


def logits(workbench: Workbench) -> torch.Tensor:
    features = workbench.session.engine().table().gather(torch.arange(8))
    return workbench.learners.newest().logits(features)


def rows(workbench: Workbench) -> tuple:
    with workbench.session.store.read() as reader:
        return reader.labels.all(), reader.labels.take_backs()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_changes_keep_all_labels_and_reopening_gives_the_same_list(
    begun: Workbench, project: Project
) -> None:
    before = rows(begun)
    begun.classes.rename("cat", "kitten", names(begun))
    begun.classes.reorder(["dog", "kitten"])
    begun.classes.show_as("dog", key="q", colour="#c03020", description="barks")
    begun.classes.add(LabelClass("owl"), names(begun))
    found = begun.classes.rename("dog", "hound", names(begun))
    assert found.id == 6
    assert found.names == ("ant", "bee", "kitten", "hound", "owl")
    assert found.keys == ("3", "4", "2", "q", "5")
    assert rows(begun) == before
    with closing(project.open()) as again:
        assert again.classes.current() == found
        assert again.classes.version(2).names == ("ant", "bee", "kitten", "dog")
        assert again.classes.version(1).names == ("ant", "bee", "cat", "dog")
        assert torch.equal(logits(again), logits(begun))


def test_a_rename_teaches_the_same_labels_and_back_gives_the_same_model(begun: Workbench) -> None:
    def taught() -> tuple:
        with begun.session.store.read() as reader:
            found = taught_labels(reader, reader.classes.current(), Role.POOL)
        return found.images, found.targets.tolist(), found.weights.tolist(), found.classes

    labels, model = taught(), logits(begun)
    begun.classes.rename("cat", "kitten", names(begun))
    assert taught() == labels
    assert not torch.equal(logits(begun), model)
    begun.classes.rename("kitten", "cat", names(begun))
    assert taught() == labels
    assert torch.equal(logits(begun), model)


def test_what_only_people_see_changes_nothing_of_the_model_and_of_stopping(
    begun: Workbench, answers: Callable
) -> None:
    model, advice, measured = logits(begun), begun.audit.advise(0.9), begun.measurements.all()
    begun.rounds.propose("margin")
    begun.classes.reorder(["dog"])
    begun.classes.show_as("bee", key="b", colour="#AA0011")
    assert torch.equal(logits(begun), model)
    assert begun.audit.advise(0.9) == advice
    assert begun.measurements.all() == measured
    with begun.session.store.read() as reader:
        assert len(reader.computed.learners()) == 1
    answers(begun, 5)
    begun.rounds.close()
    assert replay(begun, memory_store).difference is None


def test_rounds_before_and_after_changes_replay_without_a_difference(
    begun: Workbench, answers: Callable
) -> None:
    begun.classes.rename("cat", "cat that purrs", names(begun))
    begun.classes.reorder(["dog", "bee"])
    begun.classes.show_as("ant", description="six legs")
    begun.classes.rename("cat that purrs", "cat", names(begun))
    begun.rounds.propose("margin")
    answers(begun, 5)
    begun.rounds.close()
    found = replay(begun, memory_store)
    assert found.difference is None
    assert (found.rounds, found.learners) == (2, 4)


CHANGES: dict[str, Callable[[Workbench], object]] = {
    "add": lambda workbench: workbench.classes.add(LabelClass("owl"), names(workbench)),
    "rename": lambda workbench: workbench.classes.rename("cat", "kitten", names(workbench)),
    "merge": lambda workbench: workbench.classes.merge(["bee"], "ant"),
    "retire": lambda workbench: workbench.classes.retire("dog"),
}


def meaning(project: Project) -> tuple[ClassList, list[tuple[int, int]], str, list[list[float]]]:
    """What the project says: its classes, what it learned, how that was measured, and what it predicts."""
    with closing(project.open()) as workbench:
        with workbench.session.store.read() as reader:
            learners = [(each.class_list_id, each.labels) for each in reader.computed.learners()]
            metrics = [(each.learner_id, each.values) for each in reader.computed.metrics()]
            files = [each.file for each in reader.computed.learners()]
        assert all((project.folder / each).is_file() for each in files)
        return workbench.classes.current(), learners, str(metrics), logits(workbench).tolist()


def killed_at(project: Project, change: Callable[[Workbench], object], boundary: int) -> bool:
    """Make the change in a process that ends there without a word; False where it was done before.

    Boundaries are the beginning and the end of each write block.
    """
    child = os.fork()
    if child == 0:
        try:
            workbench, left = project.open(), iter(range(boundary, -1, -1))
            plain = workbench.session.store.write

            def end() -> None:
                if next(left) == 0:
                    os._exit(9)

            @contextmanager
            def write() -> Iterator[Writer]:
                end()
                with plain() as writer:
                    yield writer
                end()

            workbench.session.store.write = write  # type: ignore[method-assign]
            change(workbench)
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_killed_at_any_boundary_leaves_the_project_of_before_or_of_after(
    begun: Workbench, project: Project, tmp_path: Path, change: Callable[[Workbench], object]
) -> None:
    """A class list without its learner would say something else than either."""
    begun.session.store.close()
    before = meaning(project)
    boundary, after = 0, before
    while after == before and killed_at(project, change, boundary):
        after, boundary = meaning(project), boundary + 1
    assert boundary > 4
    classes, learners, _, predicted = after
    assert classes != before[0]
    assert [class_list for class_list, _ in learners] == [1, 2]
    assert {len(row) for row in predicted} == {len(classes)}


def test_an_open_round_refuses_a_rename_and_its_dry_run(begun: Workbench) -> None:
    begun.rounds.propose("random")
    before = begun.classes.current()
    with pytest.raises(RoundStillOpen):
        begun.classes.rename("cat", "kitten", names(begun))
    with pytest.raises(RoundStillOpen):
        begun.classes.effect(renamed(before, "cat", "kitten"))
    assert begun.classes.current() == before


def test_the_earlier_name_of_another_class_is_refused(begun: Workbench) -> None:
    begun.classes.rename("cat", "kitten", names(begun))
    before = begun.classes.current()
    with pytest.raises(InvalidClassList, match="'kitten'"):
        begun.classes.add(LabelClass("Cat"), names(begun))
    with pytest.raises(InvalidClassList, match="'kitten'"):
        begun.classes.rename("dog", "cat", names(begun))
    assert begun.classes.current() == before


def test_nothing_to_change_makes_no_version(begun: Workbench) -> None:
    before = begun.classes.current()
    assert begun.classes.rename("cat", "cat ") == before
    assert begun.classes.reorder(["ant", "bee"]) == before
    assert begun.classes.show_as("ant", key="", colour="") == before


def test_an_effect_counts_answers_rounds_and_learners(begun: Workbench, answers: Callable) -> None:
    begun.rounds.propose("random")
    answers(begun, 5)
    begun.labels.undo("ada", "back")
    begun.rounds.close()
    classes = begun.classes.current()
    labels, backs = rows(begun)
    round_of = {item.id: r.id for r in begun.rounds.all() for item in begun.rounds.items(r.id)}
    counted = [each for each in labels if each.id != backs[0].label_id]
    for c in classes.classes:
        of_class = [each for each in counted if each.class_id == c.id]
        effect = begun.classes.effect(renamed(classes, c.name, "owl"))
        assert effect.labels == len(of_class)
        assert effect.rounds == len({round_of[each.item_id] for each in of_class if each.item_id})
        assert (effect.learners, effect.learns_again) == (2, True)


@pytest.mark.parametrize(
    ("words", "learns"),
    [
        (["rename", "cat", "kitten"], True),
        (["reorder", "dog"], False),
        (["set", "cat", "--key", "q", "--colour", "#c03020", "--description", "soft"], False),
    ],
)
def test_a_dry_run_writes_nothing(
    begun: Workbench, project: Project, words: list[str], learns: bool
) -> None:
    begun.session.store.close()
    run = CliRunner()
    where = ["--project", str(project.folder)]
    before = contents(project.folder)
    told = run.invoke(app, ["classes", *words, "--dry-run", *where])
    assert told.exit_code == 0, told.output
    assert "Nothing was written." in " ".join(told.output.split())
    found = run.invoke(app, ["classes", *words, "--dry-run", "--json", *where])
    assert json.loads(found.output)["learns_again"] is learns
    assert contents(project.folder) == before


def test_the_commands_change_the_list_and_list_it_in_the_order_of_the_screen(
    project: Project,
) -> None:
    run = CliRunner()
    where = ["--project", str(project.folder)]
    told = run.invoke(app, ["classes", "reorder", "dog", "bee", *where])
    assert "Version 2" in told.output
    assert run.invoke(app, ["classes", "set", "bee", "--key", "b", *where]).exit_code == 0
    assert "so already" in run.invoke(app, ["classes", "reorder", "dog", *where]).output
    assert run.invoke(app, ["classes", "set", "bee", *where]).exit_code == 2
    listed = run.invoke(app, ["classes", "list", *where]).output.splitlines()[1:]
    assert [line.split("  ")[:2] for line in listed] == [
        ["1", "dog"],
        ["b", "bee"],
        ["3", "ant"],
        ["4", "cat"],
    ]
