"""A close is one transaction: learner, measurement and the end of the round are stored together or not."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from sqlalchemy import event

from alworkbench.core.domain import Answer, AnswerKind, Role
from alworkbench.core.errors import ChangedMeanwhile, NoOpenRound, WorkbenchError
from alworkbench.project import learners
from alworkbench.project.checkup import check_up
from alworkbench.project.workbench import Workbench
from store.repositories import ComputedRepository, RoundRepository
from tests.making_project import NAMES, Project
from tests.quiet_writes import ComputedWhileWriting


class Stopped(BaseException):
    """A process that ends in the middle: no handler of errors catches it."""


def state(workbench: Workbench) -> tuple[object, ...]:
    """What a close changes: rounds, learners, measurements and the files of learners."""
    with workbench.session.store.read() as reader:
        return (
            reader.rounds.all(),
            reader.computed.learners(),
            reader.computed.metrics(),
            sorted(workbench.session.folder.learners.glob("*.safetensors")),
        )


def answer_all(workbench: Workbench, answers: Callable) -> None:
    workbench.rounds.propose("random")
    answers(workbench, 5)


@pytest.fixture
def answered(lived: Callable) -> Workbench:
    """An open round whose images are all answered."""
    return lived(answer_all)


def test_a_tensor_operation_inside_a_write_block_is_refused(workbench: Workbench) -> None:
    with pytest.raises(ComputedWhileWriting), workbench.session.store.write():
        torch.ones(2).sum()
    with workbench.session.store.write():
        pass
    torch.ones(2).sum()


STEPS: tuple[tuple[Any, str], ...] = (
    (learners, "leave_one_out"),
    (learners, "save_learner"),
    (ComputedRepository, "add_learner"),
    (ComputedRepository, "add_metrics"),
    (RoundRepository, "close"),
)


@pytest.mark.parametrize(("place", "step"), STEPS, ids=[step for _, step in STEPS])
@pytest.mark.parametrize("done", [False, True], ids=["before it", "after it"])
def test_a_close_that_ends_at_any_step_leaves_the_state_of_before(
    answered: Workbench, monkeypatch: pytest.MonkeyPatch, place: Any, step: str, done: bool
) -> None:
    before = state(answered)
    plain = getattr(place, step)

    def stop(*given: Any, **named: Any) -> None:
        if done:
            plain(*given, **named)
        raise Stopped

    monkeypatch.setattr(place, step, stop)
    with pytest.raises(Stopped):
        answered.rounds.close()
    assert state(answered) == before
    monkeypatch.undo()
    assert answered.rounds.close() is not None
    rounds, stored, metrics, files = state(answered)
    assert (len(stored), len(files), rounds[-1].closed_at is None) == (1, 1, False)
    assert [each.learner_id for each in metrics] == [None, stored[0].id]


@pytest.mark.parametrize("step", ["add_learner", "add_metrics"])
def test_a_killed_close_leaves_the_state_of_before_and_doctor_names_its_file(
    project: Project, answers: Callable, step: str
) -> None:
    with project.open() as workbench:
        workbench.rounds.propose("random")
        answers(workbench, 5)
        rounds, stored, metrics, _ = state(workbench)
    child = os.fork()
    if child == 0:  # the end of this process runs no handler and no rollback
        try:
            with project.open() as killed:
                setattr(ComputedRepository, step, lambda *_, **__: os._exit(9))
                killed.rounds.close()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with project.open() as workbench:
        (file,) = state(workbench)[-1]
        assert state(workbench)[:-1] == (rounds, stored, metrics)
        os.utime(file, (0, 0))  # a file of an hour ago belongs to no running computation
        named = [each for each in check_up(workbench.session).findings if file.name in each.problem]
        assert len(named) == 1
        file.unlink()
        workbench.rounds.close()
        assert check_up(workbench.session).healthy


def test_two_closes_at_once_in_threads_give_one_learner(answered: Workbench) -> None:
    outcomes: list[object] = []

    def close() -> None:
        try:
            outcomes.append(answered.rounds.close())
        except WorkbenchError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=close) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert outcomes.count(NoOpenRound) == 1
    assert len(state(answered)[1]) == 1


def test_the_second_of_two_closes_changes_nothing_and_says_so(
    project: Project, answered: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim of the job keeps two closes apart; this holds even where a claim was lost."""
    plain = learners.save_learner

    def closed_by_another(path: Path, *given: Any) -> None:
        plain(path, *given)
        monkeypatch.undo()
        with project.open() as other:
            other.session.has_files = False  # it takes no claim, as a replay
            other.rounds.close()

    monkeypatch.setattr(learners, "save_learner", closed_by_another)
    with pytest.raises(ChangedMeanwhile, match="round 1 was closed"):
        answered.rounds.close()
    _, stored, metrics, files = state(answered)
    assert [each.learner_id for each in metrics] == [None, stored[0].id]
    assert [each.name for each in files] == [Path(stored[0].file).name]


def test_answers_that_come_while_a_round_closes_belong_to_the_next_learner(
    project: Project, workbench: Workbench, answers: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench.rounds.propose("random")
    answers(workbench, 3)
    plain = learners.save_learner

    def answered_meanwhile(*given: Any) -> None:
        plain(*given)
        monkeypatch.undo()
        answers(workbench, 2, "bo")

    monkeypatch.setattr(learners, "save_learner", answered_meanwhile)
    measured = workbench.rounds.close()
    assert measured is not None
    assert measured.labels == 3
    with workbench.session.store.read() as reader:
        assert len(reader.labels.current(Role.POOL)) == 5
    again = workbench.learners.learn()
    assert again is not None
    assert again.labels == 5


@contextmanager
def statements(workbench: Workbench) -> Iterator[list[int]]:
    """Statements of each write block, in their order."""
    counts: list[int] = []
    engine = workbench.session.store._database._writer

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("BEGIN"):
            counts.append(0)
        elif counts:
            counts[-1] += 1

    event.listen(engine, "before_cursor_execute", count)
    try:
        yield counts
    finally:
        event.remove(engine, "before_cursor_execute", count)


def test_the_write_blocks_of_a_close_are_as_short_with_many_labels(
    workbench: Workbench, answers: Callable, project: Project
) -> None:
    found = []
    for labels in (1, 35):
        opened = workbench.rounds.propose("random", labels)
        classes = workbench.classes.current()
        given = [
            Answer(
                f"{item.id}", item.image_id, AnswerKind.CLASS, "ada", item_id=item.id,
                class_id=classes.with_name(NAMES[item.id % len(NAMES)]).id,
            )
            for item in workbench.rounds.items(opened.id)
        ]  # fmt: skip
        workbench.labels.record_many(given)
        with statements(workbench) as counts:
            workbench.rounds.close()
        found.append(max(counts))
    assert found[0] == found[1]
