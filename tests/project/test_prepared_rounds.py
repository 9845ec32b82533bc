"""The next round is ready before the open one ends, and handing over to it waits for nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from alworkbench.acquisition.strategy import AcquisitionContext, Batch, Strategy
from alworkbench.core.domain import Answer, AnswerKind, JobKind, LabelClass
from alworkbench.core.errors import ChangedMeanwhile, NothingPrepared, PoolExhausted
from alworkbench.project import learners, ranked_batch
from alworkbench.project.checkup import check_up
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.replay import replay
from store import memory_store
from tests.making_project import POOL
from tests.quiet_writes import NoTensors


def prepare(workbench: Workbench, answers: Callable) -> None:
    workbench.rounds.propose("margin")
    answers(workbench, 4)
    workbench.prepared.prepare()


@pytest.fixture
def begun(lived: Callable) -> Workbench:
    """A round of five images, of which four are answered, and the next round prepared."""
    return lived(prepare)


def images(workbench: Workbench, round_id: int) -> list[int]:
    return [item.image_id for item in workbench.rounds.items(round_id)]


def test_a_round_is_due_for_preparing_from_the_share_of_answers_that_the_project_sets(
    workbench: Workbench, answers: Callable
) -> None:
    assert not workbench.prepared.due()
    with workbench.session.store.write() as writer:
        writer.save_settings(replace(writer.settings(), prepare_at=0.8))
    workbench.rounds.propose("random")
    due = []
    for _ in range(5):
        due.append(workbench.prepared.due())
        answers(workbench, 1)
    assert due == [False, False, False, False, True]
    with workbench.session.store.write() as writer:
        writer.save_settings(replace(writer.settings(), prepare_at=0.0))
    assert not workbench.prepared.due()
    with workbench.session.store.write() as writer:
        writer.save_settings(replace(writer.settings(), prepare_at=1.0))
    assert workbench.prepared.due()
    workbench.prepared.prepare()
    assert not workbench.prepared.due()


def test_where_several_people_answer_each_answer_that_is_wanted_counts(
    workbench: Workbench, answers: Callable
) -> None:
    """Five images that two people answer want ten answers: five first answers are half of them."""
    with workbench.session.store.write() as writer:
        writer.save_settings(replace(writer.settings(), prepare_at=0.8, overlap=2))
    workbench.rounds.propose("random")
    answers(workbench, 5, annotator="ada")
    due = []
    for _ in range(4):
        due.append(workbench.prepared.due())
        answers(workbench, 1, annotator="bo")
    assert due == [False, False, False, True]
    made = workbench.prepared.prepare().batch.settings["prepared"]
    assert (made["answered"], made["asked"], made["labels"]) == (9, 10, 5)


def test_a_batch_is_ranked_as_if_the_images_still_to_be_labelled_were_picked_already(
    workbench: Workbench, answers: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[int]] = []
    plain = ranked_batch.find_strategy

    def watched(name: str) -> Strategy:
        found = plain(name)

        def choose(context: AcquisitionContext) -> Batch:
            seen.append(sorted(context.pending.tolist()))
            return found.choose(context)

        return replace(found, choose=choose)

    monkeypatch.setattr(ranked_batch, "find_strategy", watched)
    workbench.rounds.propose("coverage")
    answers(workbench, 3)
    workbench.prepared.prepare()
    current = workbench.rounds.current()
    assert current is not None
    waiting = [item for item in workbench.rounds.items(current.id) if not item.complete]
    rows = workbench.session.engine().table().rows_by_hash()
    hashes = [workbench.images.get(item.image_id).hash for item in waiting]
    assert seen == [[], sorted(rows[each] for each in hashes)]


def test_preparing_changes_neither_the_open_round_nor_what_the_project_has_learned(
    begun: Workbench,
) -> None:
    current, kept = begun.rounds.current(), begun.prepared.kept()
    assert current is not None
    assert kept is not None
    with begun.session.store.read() as reader:
        assert reader.computed.learner() is None
        assert [each.learner_id for each in reader.computed.metrics()] == [None]
    assert kept.learner.labels == 4
    assert not {item.image_id for item in kept.batch.items} & set(images(begun, current.id))
    assert check_up(begun.session).healthy


def test_handing_over_closes_one_round_and_opens_the_next_at_once(
    begun: Workbench, answers: Callable
) -> None:
    kept = begun.prepared.kept()
    assert kept is not None
    answers(begun, 1)
    with NoTensors():  # nothing is computed, not only nothing inside of write blocks
        opened = begun.prepared.go_on()
    first, second = begun.rounds.all()
    assert (first.number, second.number, second.id) == (1, 2, opened.id)
    assert first.closed_at is not None
    assert images(begun, opened.id) == [item.image_id for item in kept.batch.items]
    assert opened.settings["prepared"] == {
        "after_round": 1,
        "answered": 4,
        "asked": 5,
        "labels": 4,
    }
    assert begun.prepared.kept() is None
    assert begun.prepared.unlearned() == first
    measured = begun.learners.learn(after=first)
    assert measured is not None
    assert (measured.round_number, measured.labels) == (1, 5)
    assert begun.prepared.unlearned() is None
    assert begun.rounds.current() == opened
    assert check_up(begun.session).healthy


def test_the_learner_that_ranked_is_named_and_is_not_the_learner_of_the_project(
    begun: Workbench,
) -> None:
    opened = begun.prepared.go_on()
    with begun.session.store.read() as reader:
        (ahead,) = reader.computed.learners(ahead=True)
        assert reader.computed.learners() == []
        assert reader.computed.learner() is None
        assert reader.computed.get_learner(ahead.id) == ahead
    assert opened.learner_id == ahead.id
    assert ahead.labels == 4


def test_images_that_were_answered_meanwhile_are_not_asked_again(begun: Workbench) -> None:
    kept = begun.prepared.kept()
    assert kept is not None
    first, *others = [item.image_id for item in kept.batch.items]
    begun.labels.record(Answer("file", first, AnswerKind.SKIP, "bo", source="csv"))
    opened = begun.prepared.go_on()
    assert images(begun, opened.id) == others
    assert opened.settings["answered_meanwhile"] == [first]
    assert opened.batch_size == len(others)


def test_a_round_that_is_closed_in_the_usual_way_drops_what_was_prepared(
    begun: Workbench,
) -> None:
    begun.rounds.close()
    with begun.session.store.read() as reader:
        assert reader.prepared.get() is None
    assert check_up(begun.session).healthy
    begun.rounds.propose()
    with pytest.raises(NothingPrepared):
        begun.prepared.go_on(force=True)


def test_what_was_prepared_before_the_classes_changed_is_not_asked(begun: Workbench) -> None:
    """Other classes cannot come while a round is open; a name of before may come back from a backup."""
    with begun.session.store.write() as writer:
        classes = writer.classes.current()
        more = replace(classes, classes=(*classes.classes, LabelClass("eel")))
        writer.classes.add(more, begun.session.now())
    with pytest.raises(NothingPrepared):
        begun.prepared.go_on()
    assert begun.rounds.current() is not None


def test_preparing_again_keeps_the_newer_batch_and_one_file(
    begun: Workbench, answers: Callable
) -> None:
    answers(begun, 1)
    begun.prepared.prepare()
    kept = begun.prepared.kept()
    assert kept is not None
    assert kept.learner.labels == 5
    assert len(list(begun.session.folder.learners.glob("*"))) == 1


def test_a_round_that_ends_while_the_next_is_prepared_leaves_nothing_behind(
    workbench: Workbench, answers: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench.rounds.propose("random")
    answers(workbench, 4)
    plain = learners.save_learner

    def closed_meanwhile(*given: object) -> None:
        plain(*given)
        monkeypatch.undo()
        workbench.rounds.close()

    monkeypatch.setattr(learners, "save_learner", closed_meanwhile)
    with pytest.raises(ChangedMeanwhile):
        workbench.prepared.prepare()
    assert len(list(workbench.session.folder.learners.glob("*"))) == 1
    assert workbench.jobs.newest()[1].kind is JobKind.PREPARE


def test_a_pool_without_further_images_prepares_nothing(
    workbench: Workbench, answers: Callable
) -> None:
    workbench.rounds.propose("random", POOL)
    answers(workbench, POOL - 1)
    assert workbench.prepared.failed() is None
    with pytest.raises(PoolExhausted) as problem:
        workbench.prepared.prepare()
    assert not list(workbench.session.folder.learners.glob("*"))
    failed = workbench.prepared.failed()
    assert failed is not None
    assert (failed.kind, failed.reason) == (JobKind.PREPARE, str(problem.value))
    workbench.rounds.close()
    assert workbench.prepared.failed() is None


def test_a_failed_preparation_is_forgotten_when_the_next_one_succeeds(
    workbench: Workbench, answers: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench.rounds.propose("random")
    answers(workbench, 4)
    with monkeypatch.context() as broken:
        broken.setattr(learners, "save_learner", _no_space)
        with pytest.raises(OSError, match="no space"):
            workbench.prepared.prepare()
    failed = workbench.prepared.failed()
    assert failed is not None
    assert "no space" in failed.reason
    workbench.prepared.prepare()
    assert workbench.prepared.failed() is None


def _no_space(*_: object) -> None:
    raise OSError("no space")


def test_a_replay_repeats_prepared_rounds(workbench: Workbench, answers: Callable) -> None:
    workbench.rounds.propose("margin")
    for _ in range(3):
        answers(workbench, 4)
        workbench.prepared.prepare()
        answers(workbench, 1)
        closed = workbench.rounds.current()
        workbench.prepared.go_on()
        answers(workbench, 1)  # given before the learner of the last round is there
        workbench.learners.learn(after=closed)
    answers(workbench, 4)
    workbench.rounds.close()
    found = replay(workbench, memory_store)
    assert found.difference is None
    assert (found.rounds, found.learners) == (4, 4)


def test_a_learner_ahead_gives_what_a_learner_of_the_same_labels_gives(
    begun: Workbench, answers: Callable
) -> None:
    kept = begun.prepared.kept()
    assert kept is not None
    begun.learners.learn()
    features = begun.session.engine().table().gather(torch.arange(10))
    with begun.session.store.read() as reader:
        newest = reader.computed.learner()
        classes = reader.classes.current()
        posterior = begun.session.posterior_record(reader)
    assert newest is not None
    usual = begun.learners.load(newest, classes, posterior).logits(features)
    ahead = replace(newest, id=newest.id + 1, file=kept.learner.file)
    assert torch.equal(begun.learners.load(ahead, classes, posterior).logits(features), usual)
