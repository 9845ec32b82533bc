"""Several answers to one image are one soft label; one answer is what it always was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from alworkbench.adaptation.learner import Learner
from alworkbench.core.domain import Answer, AnswerKind, Label, Role
from alworkbench.core.provenance import MARK, taught_marks
from alworkbench.core.sealed_tensors import SEAL
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.linearisation import WeightUpdate
from alworkbench.project.support_sets import Order
from alworkbench.project.taught_labels import TaughtLabels, taught_labels
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.campaign import read_campaign
from alworkbench.simulation.load.project_data import own_labels
from alworkbench.simulation.replay import replay
from store import memory_store
from tests.making_project import NAMES, Project, closing
from tests.store.making import CLASSES, NOW, SETTINGS, import_pictures

IMAGES, PEOPLE = 4, ("ann", "bob", "cid")
FIRST_CLASS = 1
"""Class ids of a new project are 1, 2, 3, ..."""

Said = tuple[int, str, int | None]
"""Image id, annotator, class id; None is a skip."""

said = st.tuples(
    st.integers(1, IMAGES),
    st.sampled_from(PEOPLE),
    st.one_of(st.none(), st.integers(1, len(CLASSES))),
)


def learned_from(history: Sequence[Said], taken_back: Sequence[int] = ()) -> TaughtLabels:
    """What a project with these answers teaches; `taken_back` are positions in the history."""
    store = memory_store(SETTINGS, CLASSES, NOW)
    import_pictures(store, IMAGES)
    with store.write() as writer:
        stored = writer.labels.add_many([answer(n, *each) for n, each in enumerate(history)], NOW)
        for n in taken_back:
            writer.labels.retract(stored[n].id, f"u{n}", history[n][1], NOW)
    with store.read() as reader:
        found = taught_labels(reader, reader.classes.current())
    store.close()
    return found


def answer(number: int, image: int, person: str, class_id: int | None) -> Answer:
    kind = AnswerKind.SKIP if class_id is None else AnswerKind.CLASS
    return Answer(f"e{number}", image, kind, person, class_id)


def soft(found: TaughtLabels) -> dict[int, tuple[list[float], float]]:
    """Image id -> its target and weight."""
    rows = zip(found.images, found.targets.tolist(), found.weights.tolist(), strict=True)
    return {image: (target, weight) for image, target, weight in rows}


@settings(max_examples=30, deadline=None)
@given(st.lists(said, max_size=12), st.data())
def test_the_newest_answer_of_each_annotator_counts_once(
    history: list[Said], data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.integers(0, len(history) - 1))) if history else set()
    newest = {
        (image, person): (number, class_id)
        for number, (image, person, class_id) in enumerate(history)
        if number not in gone
    }
    wanted: dict[int, list[tuple[int, int]]] = {}
    for (image, _), (number, class_id) in newest.items():
        if class_id is not None:
            wanted.setdefault(image, []).append((number, class_id))
    found = learned_from(history, sorted(gone))
    assert list(found.images) == sorted(wanted, key=lambda image: min(wanted[image]))
    for image, (target, weight) in soft(found).items():
        votes = Counter(class_id for _, class_id in wanted[image])
        assert weight == votes.total()
        assert target == [votes[k + FIRST_CLASS] / weight for k in range(len(CLASSES))]
    for image, one_class in zip(found.images, found.classes, strict=True):
        votes = Counter(class_id for _, class_id in wanted[image])
        most = [each for each in wanted[image] if votes[each[1]] == max(votes.values())]
        assert one_class + FIRST_CLASS == max(most)[1]


@settings(max_examples=15, deadline=None)
@given(st.lists(said, max_size=10), st.permutations(PEOPLE))
def test_it_does_not_matter_which_annotator_said_what(
    history: list[Said], names: list[str]
) -> None:
    other = dict(zip(PEOPLE, names, strict=True))
    renamed = [(image, other[person], class_id) for image, person, class_id in history]
    one, two = learned_from(history), learned_from(renamed)
    assert one.images == two.images
    assert one.classes == two.classes
    assert torch.equal(one.targets, two.targets)
    assert torch.equal(one.weights, two.weights)


@settings(max_examples=15, deadline=None)
@given(st.lists(said, max_size=10, unique_by=lambda each: each[:2]), st.randoms())
def test_the_order_of_annotators_does_not_matter(history: list[Said], random: object) -> None:
    shuffled = list(history)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, two = learned_from(history), learned_from(shuffled)
    assert soft(one) == soft(two)
    marks = [
        {image: taught_marks([("", ids)]) for image, ids in zip(t.images, t.answers, strict=True)}
        for t in (one, two)
    ]
    assert marks[0] == marks[1]


@settings(max_examples=15, deadline=None)
@given(st.lists(said.map(lambda each: (each[0], "ann", each[2])), max_size=10))
def test_what_one_annotator_says_is_one_hot_in_the_order_of_label_ids(history: list[Said]) -> None:
    found = learned_from(history)
    newest = {image: (number, class_id) for number, (image, _, class_id) in enumerate(history)}
    ordered = [image for image in sorted(newest, key=lambda i: newest[i]) if newest[image][1]]
    classes = [int(newest[image][1] or 0) - FIRST_CLASS for image in ordered]
    assert (list(found.images), list(found.classes)) == (ordered, classes)
    onehot = torch.nn.functional.one_hot(torch.tensor(classes, dtype=torch.long), len(CLASSES))
    assert torch.equal(found.targets, onehot.double())
    assert torch.equal(found.weights, torch.ones(len(classes), dtype=torch.float64))


# ------------------------------------------------------------------------------ through a project


@pytest.fixture
def labelled(project: Project, answers: Callable) -> Iterator[Workbench]:
    """A workbench with an open round that ada answered."""
    workbench = project.open()
    workbench.rounds.propose("random")
    answers(workbench, 5)
    yield workbench
    workbench.session.store.close()


def again(workbench: Workbench, person: str, change: int) -> list[Label]:
    """Another person answers every labelled image, `change` classes further in the class list."""
    with workbench.session.store.read() as reader:
        given_before = sorted(reader.labels.current(Role.POOL).values(), key=lambda each: each.id)
    answers = [
        Answer(
            f"{person}-{each.image_id}",
            each.image_id,
            AnswerKind.CLASS,
            person,
            (int(each.class_id or 0) - FIRST_CLASS + change) % len(NAMES) + FIRST_CLASS,
        )
        for each in given_before
    ]
    return workbench.labels.record_many(answers)


def table_of(workbench: Workbench) -> FeatureTable:
    return workbench.session.engine().table()


def same_draws(one: Learner, other: Learner) -> bool:
    pairs = [
        (getattr(one.draws(3, 0), field.name), getattr(other.draws(3, 0), field.name))
        for field in fields(WeightUpdate)
    ]
    return all(a is b is None or torch.equal(a, b) for a, b in pairs)


def test_two_annotators_who_agree_teach_a_label_of_weight_two(labelled: Workbench) -> None:
    again(labelled, "bo", 0)
    labelled.rounds.close()
    state = labelled.learners.newest().state
    assert state is not None
    assert torch.equal(state.weights, torch.full((5,), 2.0, dtype=torch.float64))
    assert labelled.measurements.all()[-1].labels == 5


@pytest.mark.parametrize("way", ["free-weights", "linearised", "probe", "cache", "nearest-mean"])
def test_a_learner_of_soft_labels_opened_again_is_the_same_to_the_bit(
    project: Project, labelled: Workbench, way: str
) -> None:
    labelled.learners.change_method(way)
    again(labelled, "bo", 1)
    again(labelled, "cy", 0)
    labelled.rounds.close()
    learned = labelled.learners.newest()
    features = table_of(labelled).gather(torch.arange(10))
    labelled.session.store.close()
    with closing(project.open()) as workbench:
        found = workbench.learners.newest()
        assert torch.equal(found.logits(features), learned.logits(features))
        assert same_draws(found, learned)
        assert found.state is not None
        assert torch.equal(found.state.weights, torch.full((5,), 3.0, dtype=torch.float64))


def test_an_answer_that_disagrees_changes_what_is_learned_and_a_take_back_undoes_it(
    labelled: Workbench,
) -> None:
    features = table_of(labelled).gather(torch.arange(10))
    labelled.rounds.close()
    before = labelled.learners.newest()
    others = again(labelled, "bo", 1)
    labelled.learners.learn()
    assert not torch.allclose(
        labelled.learners.newest().logits(features), before.logits(features), atol=1e-2
    )
    with labelled.session.store.write() as writer:
        for each in others:
            writer.labels.retract(each.id, f"back-{each.id}", "bo", each.recorded_at)
    labelled.learners.learn()
    after = labelled.learners.newest()
    assert torch.equal(after.logits(features), before.logits(features))
    assert same_draws(after, before)


def test_where_one_class_is_needed_it_is_that_of_most_annotators(
    project: Project, labelled: Workbench
) -> None:
    """Two agree and a third answers last: support sets, counterfactual and status follow the two."""
    again(labelled, "bo", 0)
    again(labelled, "cy", 1)
    labelled.rounds.close()
    chosen = labelled.support_sets.choose(5, Order.ASKED).images
    assert {each.sha256: each.label for each in chosen} == own_labels(labelled).pool
    assert len(chosen) == 5
    assert all(project.truth[each.sha256] == each.label for each in chosen)
    assert labelled.status().labels == 5
    assert labelled.explanations.of(chosen[0].sha256).label == chosen[0].label


def test_a_campaign_of_several_annotators_replays(labelled: Workbench, answers: Callable) -> None:
    again(labelled, "bo", 1)
    labelled.rounds.close()
    labelled.rounds.propose("coverage")
    answers(labelled, 5)
    labelled.rounds.close()
    found = replay(labelled, memory_store)
    assert found.difference is None
    assert found.learners == 2
    with labelled.session.store.read() as reader:
        record = read_campaign(reader)
    then = {"classes": [], "taught": "0" * 5 * MARK}
    old = tuple(replace(each, settings={**each.settings, **then}) for each in record.learners)
    found = replay(labelled, memory_store, campaign=replace(record, learners=old))
    assert found.difference is not None
    assert "newest answer to each image" in found.difference.why[0]


def test_a_learner_of_an_older_file_is_restored_from_the_classes_of_its_record(
    project: Project, labelled: Workbench
) -> None:
    labelled.rounds.close()
    learned = labelled.learners.newest()
    features = table_of(labelled).gather(torch.arange(10))
    with labelled.session.store.read() as reader:
        record = reader.computed.learner()
        taught = taught_labels(reader, reader.classes.current())
    assert record is not None
    path = labelled.session.folder.path / record.file
    with safe_open(path, framework="pt") as file:
        metadata = {**file.metadata(), "format": "alworkbench-learner-4"}
        del metadata[SEAL]
        tensors = {
            key: file.get_tensor(key)
            for key in file.keys()  # noqa: SIM118
            if not key.startswith("label_")
        }
    save_file(tensors, path, metadata)
    with labelled.session.store.write() as writer:
        writer.computed.add_learner(
            round_id=record.round_id,
            posterior_id=record.posterior_id,
            class_list_id=record.class_list_id,
            file=record.file,
            labels=record.labels,
            settings={**record.settings, "classes": list(taught.classes)},
            now=record.created_at,
        )
    labelled.session.store.close()
    with closing(project.open()) as workbench:
        found = workbench.learners.newest()
        assert torch.equal(found.logits(features), learned.logits(features))
        assert same_draws(found, learned)
