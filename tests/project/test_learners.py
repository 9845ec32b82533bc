"""A project learns in the way that its settings name, and goes on with the same model when reopened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import fields, replace

import pytest
import torch

from alworkbench.adaptation import learning
from alworkbench.adaptation.learner_file import load_learner, save_learner
from alworkbench.adaptation.learning import LearnedWeights
from alworkbench.adaptation.prior import Prior
from alworkbench.core.domain import Goal, Role
from alworkbench.core.errors import UnknownAdaptation
from alworkbench.posterior.linearisation import WeightUpdate
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.replay import replay
from store import memory_store, open_store
from tests.making_project import Project


@pytest.mark.parametrize(
    "way", ["pool-taught", "free-weights", "linearised", "probe", "cache", "zero-shot"]
)
def test_a_project_goes_on_with_what_it_learned(
    project: Project, answers: Callable, way: str
) -> None:
    with closing(open_store(project.folder)) as store, store.write() as writer:
        writer.save_settings(replace(writer.settings(), adaptation=way, strategy="random"))
    workbench = project.open()
    workbench.rounds.propose()
    answers(workbench, 5)
    workbench.rounds.close()
    features = workbench.session.engine().table().gather(torch.arange(10))
    learned = workbench.learners.newest().logits(features)
    with workbench.session.store.read() as reader:
        record = reader.computed.learner()
    assert record is not None
    assert record.settings["adaptation"] == way
    workbench.session.store.close()
    again = project.open()
    assert torch.equal(again.learners.newest().logits(features), learned)
    again.session.store.close()


def test_before_the_first_label_a_change_of_the_method_changes_the_predictions(
    project: Project,
) -> None:
    workbench = project.open()
    features = workbench.session.engine().table().gather(torch.arange(10))
    found = {}
    for way in ("free-weights", "pool-taught", "free-weights"):
        workbench.learners.change_method(way)
        found.setdefault(way, []).append(workbench.learners.newest().logits(features))
    workbench.session.store.close()
    assert torch.equal(*found["free-weights"])
    assert not torch.equal(found["pool-taught"][0], found["free-weights"][0])


def taught_by(way: str) -> Callable[[Workbench, Callable], None]:
    def life(workbench: Workbench, answers: Callable) -> None:
        workbench.learners.change_method(way)
        workbench.rounds.propose(strategy="random")
        answers(workbench, 5)
        workbench.rounds.close()

    return life


TAUGHT = {way: taught_by(way) for way in ("free-weights", "pool-taught")}


@pytest.mark.parametrize("strategy", ["coverage", "margin", "bald", "random"])
def test_strategies_choose_the_same_images_whether_the_pool_teaches_or_not(
    lived: Callable, strategy: str
) -> None:
    """They look at the learner of the labels."""
    asked = []
    for life in TAUGHT.values():
        workbench = lived(life)
        opened = workbench.rounds.propose(strategy=strategy, seed=7)
        asked.append([item.image_id for item in workbench.rounds.items(opened.id)])
        workbench.session.store.close()
    assert asked[0] == asked[1]


def test_a_project_with_a_removed_method_opens_and_names_the_methods_when_it_learns(
    project: Project, answers: Callable
) -> None:
    workbench = project.open()
    workbench.rounds.propose(strategy="random")
    answers(workbench, 5)
    with workbench.session.store.write() as writer:
        writer.save_settings(replace(writer.settings(), adaptation="projections"))
    workbench.session.store.close()
    again = project.open()
    assert again.session.settings().adaptation == "projections"
    with pytest.raises(UnknownAdaptation, match="free-weights, linearised, probe"):
        again.rounds.close()
    with again.session.store.read() as reader:
        assert len(reader.labels.current(Role.POOL)) == 5
    again.learners.change_method("linearised")
    again.rounds.close()
    assert again.learners.newest().update is not None
    again.session.store.close()


@pytest.mark.parametrize("embedded", [False, True])
def test_a_learner_opened_again_is_the_same_to_the_bit_whatever_the_input_of_its_residual_head(
    project: Project, answers: Callable, monkeypatch: pytest.MonkeyPatch, embedded: bool
) -> None:
    monkeypatch.setattr(learning, "choose_prior", lambda *_: Prior(0.5, 90.0, embedded))
    workbench = project.open()
    workbench.rounds.propose()
    answers(workbench, 5)
    workbench.rounds.close()
    features = workbench.session.engine().table().gather(torch.arange(10))
    learned, draws = (
        workbench.learners.newest().logits(features),
        workbench.learners.newest().draws(2, 0),
    )
    workbench.session.store.close()
    again = project.open()
    assert torch.equal(again.learners.newest().logits(features), learned)
    found = again.learners.newest().draws(2, 0)
    for field in fields(WeightUpdate):
        one, other = getattr(found, field.name), getattr(draws, field.name)
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other)
    assert (found.residual_embedded is not None) == embedded
    again.session.store.close()


@pytest.mark.parametrize("change", ["an older file", "another number of classes"])
def test_a_residual_head_is_learned_again_if_the_file_has_none_for_these_classes(
    project: Project, answers: Callable, change: str
) -> None:
    workbench = project.open()
    workbench.rounds.propose()
    answers(workbench, 5)
    workbench.rounds.close()
    features = workbench.session.engine().table().gather(torch.arange(10))
    learned = workbench.learners.newest().logits(features)
    with workbench.session.store.read() as reader:
        record = reader.computed.learner()
    assert record is not None
    path = workbench.session.folder.path / record.file
    stored = load_learner(path)
    learned_update = stored.weights.update
    assert learned_update.residual is not None
    assert learned_update.offset is not None
    update = WeightUpdate(learned_update.image, learned_update.text)
    prior = None
    if change != "an older file":
        update = replace(
            update, residual=learned_update.residual[1:], offset=learned_update.offset[1:]
        )
        prior = stored.weights.prior
    assert stored.labels is not None
    encoder = workbench.session.engine().encoder_id
    save_learner(path, LearnedWeights(update, prior), stored.hashes, *stored.labels, encoder)
    workbench.session.store.close()
    again = project.open()
    assert torch.allclose(again.learners.newest().logits(features), learned, atol=1e-3)
    assert again.learners.newest().draws(2, 0).offset is not None
    again.session.store.close()


@pytest.mark.parametrize("goal", list(Goal))
def test_the_goal_decides_whether_there_is_a_class_prior_and_it_is_kept(
    project: Project, answers: Callable, goal: Goal
) -> None:
    with closing(open_store(project.folder)) as store, store.write() as writer:
        writer.save_settings(replace(writer.settings(), goal=goal))
    workbench = project.open()
    workbench.rounds.propose()
    answers(workbench, 5)
    workbench.rounds.close()
    learner = workbench.learners.newest()
    assert learner.state is not None
    class_prior = learner.state.log_class_prior
    assert (class_prior is not None) == (goal is Goal.BALANCED)
    workbench.session.store.close()
    again = project.open()
    found = again.learners.newest().state
    assert found is not None
    if class_prior is None:
        assert found.log_class_prior is None
    else:
        assert found.log_class_prior is not None
        assert torch.equal(found.log_class_prior, class_prior)
    assert torch.equal(found.probabilities, learner.state.probabilities)
    again.session.store.close()


def test_before_the_first_label_a_pool_taught_project_predicts_with_its_pool(
    project: Project,
) -> None:
    workbench = project.open()
    features = workbench.session.engine().table().gather(torch.arange(10))
    found = workbench.learners.newest()
    assert found.state is None
    assert found.pool_term is not None
    assert found.pool_term.folds == 0
    assert not torch.equal(found.logits(features), found.base.logits(features))
    workbench.session.store.close()
    again = project.open()
    assert torch.equal(again.learners.newest().logits(features), found.logits(features))
    again.session.store.close()


def test_images_that_leave_the_pool_no_longer_teach_the_model_before_the_first_label(
    project: Project,
) -> None:
    """The model that a running workbench keeps is the one that it would find when opened again."""
    workbench = project.open()
    features = workbench.session.engine().table().gather(torch.arange(10))
    before = workbench.learners.newest().logits(features)
    workbench.audit.draw(10)
    after = workbench.learners.newest().logits(features)
    assert not torch.equal(after, before)
    workbench.session.store.close()
    again = project.open()
    assert torch.equal(again.learners.newest().logits(features), after)
    again.session.store.close()


def test_a_replay_of_a_pool_taught_project_asks_the_same_images(
    project: Project, answers: Callable
) -> None:
    workbench = project.open()
    for strategy in ("margin", "bald", "margin"):
        workbench.rounds.propose(strategy)
        answers(workbench, 5)
        workbench.rounds.close()
    found = replay(workbench, memory_store)
    assert found.difference is None
    assert (found.rounds, found.learners) == (3, 3)
    workbench.session.store.close()
