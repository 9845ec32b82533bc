"""Cards of images: the same as the export and the explanation, and blind for whoever must answer blind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from alworkbench.core.domain import (
    AUDIT_STRATEGY,
    Answer,
    AnswerKind,
    Image,
    NewItem,
    NewRound,
    Role,
)
from alworkbench.core.errors import ImageNotFound
from alworkbench.project import image_card
from alworkbench.project.image_card import NEAREST, short_path
from alworkbench.project.label_export import LabelRecords
from alworkbench.project.uncertainty_parts import SET_OF_DRAWS
from alworkbench.project.workbench import Workbench
from tests.making_project import Project, closing, copied
from tests.project.history_making import EVENTS, Event, project, recorded, records


def images(workbench: Workbench, role: Role) -> list[Image]:
    with workbench.session.store.read() as reader:
        return reader.images.some([i for i, _ in reader.images.ids_and_hashes(role)])


def answer(workbench: Workbench, image: Image, person: str, class_id: int) -> None:
    event = f"{person}-{image.id}-{class_id}"
    workbench.labels.record(Answer(event, image.id, AnswerKind.CLASS, person, class_id))


def change(workbench: Workbench, **settings: float) -> None:
    with workbench.session.store.write() as writer:
        writer.save_settings(replace(writer.settings(), **settings))


# ------------------------------------------------------------------------------------------- history
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS)
def test_the_history_of_a_card_is_that_of_the_export(tmp_path: Path, events: list[Event]) -> None:
    with project(tmp_path, "own") as own:
        recorded(own, events)
        for history in (True, False):
            every = records(own, history)
            for role in Role:
                for image in images(own, role):
                    with own.session.store.read() as reader:
                        found = list(LabelRecords(reader, history=history, image=image))
                    assert found == [each for each in every if each["hash"] == image.hash]
        for image in images(own, Role.POOL):
            exported = [each for each in records(own) if each["hash"] == image.hash]
            shown = own.cards.of(image.hash).history
            names = ("event_id", "annotator", "kind", "label", "round", "counts", "taken_back_by")
            assert [[getattr(e, n) for n in names] for e in shown] == [
                [e[n] for n in names] for e in exported
            ]


def test_a_decision_of_a_reviewer_is_marked_with_its_case(workbench: Workbench) -> None:
    image = images(workbench, Role.POOL)[0]
    answer(workbench, image, "ada", 1)
    answer(workbench, image, "bob", 2)
    reviews = workbench.team.reviews
    reviews.open_disagreements()
    case = next(each for each in reviews.cases() if each.review.image_id == image.id)
    name = workbench.classes.current().names[1]
    reviews.resolve(case.review.id, "eve", name, "the beak")
    *others, decided = workbench.cards.of(image.hash).history
    assert (decided.review, decided.note, decided.counts) == ("disagreement", "the beak", True)
    assert [(each.review, each.counts) for each in others] == [(None, False)] * 2


@given(st.lists(st.sampled_from(["home", "ada", "pool", "a.png", "..", "C:"]), min_size=1))
def test_a_shown_path_tells_nothing_of_folders_outside_of_the_project(parts: list[str]) -> None:
    for stored in ("/".join(parts), "/" + "/".join(parts)):
        shown = short_path(stored)
        outside = stored.startswith("/") or parts[0] == "C:" or ".." in parts
        assert stored.endswith(shown)
        assert len(shown.split("/")) <= 2 if outside else shown == stored


# ---------------------------------------------------------------------------------- what the model says
@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, kept_project: Project) -> Iterator[Workbench]:
    """A learner of 8 labels, and no open round. Tests change nothing."""
    folder = tmp_path_factory.mktemp("cards") / "project"
    with closing(copied(kept_project, folder).open()) as workbench:
        workbench.rounds.propose("random", 8)
        for number, item in enumerate(workbench.labels.claim("ada", 8)):
            answer(workbench, workbench.images.get(item.image_id), "ada", 1 + number % 4)
        workbench.rounds.close()
        yield workbench


def test_a_card_says_the_same_as_the_explanation(learned: Workbench) -> None:
    for image in images(learned, Role.POOL)[:4] + images(learned, Role.AUDIT)[:2]:
        explained, said = learned.explanations.of(image.hash), learned.cards.model(image.hash)
        assert said.belief is not None
        for name in (
            "uncertainty",
            "classes",
            "conflict",
            "draws",
            "error",
            "labels",
            "calibration",
        ):
            assert getattr(said.belief, name) == getattr(explained, name)
        assert said.words == "Learned from 8 labels."


def test_with_many_classes_and_labels_a_card_differs_from_the_explanation_by_its_error(
    learned: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_card, "QUICK", 0)
    for image in images(learned, Role.POOL)[:3]:
        explained, said = learned.explanations.of(image.hash), learned.cards.model(image.hash)
        assert said.belief is not None
        assert (said.belief.draws, said.belief.closed_form) == (SET_OF_DRAWS, False)
        error = 5 * (said.belief.error**2 + explained.error**2) ** 0.5
        for part in ("total", "epistemic", "aleatoric"):
            wanted = getattr(explained.uncertainty, part)
            assert getattr(said.belief.uncertainty, part) == pytest.approx(wanted, abs=error)
        shown = {each.name: each.probability for each in explained.classes}
        assert {each.name: each.probability for each in said.belief.classes} == shown


def test_the_nearest_labelled_images_are_those_of_the_greatest_cosine(learned: Workbench) -> None:
    engine = learned.session.engine()
    table = engine.table()
    unit = normalize(engine.head.embed_images(table.gather(torch.arange(len(table)))), dim=-1)
    row_of = table.rows_by_hash()
    with learned.session.store.read() as reader:
        labelled = {i for role in Role for i in reader.labels.current(role)}
        hashes = {e.hash for e in reader.images.some(sorted(labelled))}
    for image in images(learned, Role.POOL)[:3]:
        cosine = unit @ unit[row_of[image.hash]]
        wanted = sorted((h for h in hashes - {image.hash}), key=lambda h: -cosine[row_of[h]])
        found = learned.cards.nearest(image.hash).images
        assert [each.hash for each in found] == wanted[:NEAREST]
        assert all(each.class_name for each in found)
        for each in found:  # embeddings are kept in half precision
            assert each.similarity == pytest.approx(float(cosine[row_of[each.hash]]), abs=2e-3)


def test_what_cannot_be_known_is_said_in_words(workbench: Workbench, tmp_path: Path) -> None:
    image = images(workbench, Role.POOL)[0]
    assert "Nothing is learned yet" in workbench.cards.model(image.hash).words
    with project(tmp_path, "own") as bare:
        content = images(bare, Role.POOL)[0].hash
        assert bare.cards.of(content).history == ()
        for said in (bare.cards.model(content), bare.cards.nearest(content)):
            assert "alworkbench encode" in said.words
        with pytest.raises(ImageNotFound):
            bare.cards.of("f" * 64)


# ------------------------------------------------------------------------------------------ blindness
def test_nobody_learns_from_a_card_what_a_blind_answer_must_not_know(
    workbench: Workbench, answers: Callable
) -> None:
    """In an open round: the model of blind items, and the answers of others where several are wanted."""
    change(workbench, overlap=2, overlap_share=0.5, blind_share=0.5)
    round_ = workbench.rounds.propose("random", 12)
    items = workbench.rounds.items(round_.id)
    assert {(each.blind, each.wanted) for each in items} >= {(True, 1), (False, 2), (False, 1)}
    answers(workbench, 12, "ada")
    for item in items:
        content = workbench.images.get(item.image_id).hash
        for person, blind in (("ada", False), ("bob", True)):
            card = workbench.cards.of(content, person)
            others = blind and (item.blind or item.wanted > 1)
            assert bool(card.hidden.others) == others
            assert [each.annotator for each in card.history] == ([] if others else ["ada"])
            for said in (workbench.cards.model(content, person),):
                assert (said.belief is None) == (blind and item.blind)
            like = workbench.cards.nearest(content, person)
            assert (not like.images) == (blind and item.blind)
            if person == "bob":
                shown = {each.id for each in like.images}
                assert not shown & {e.image_id for e in items if e.blind or e.wanted > 1}
        assert workbench.cards.of(content).history
    answers(workbench, 12, "bob")
    bobs = next(each for each in items if each.wanted > 1)
    seen = workbench.cards.of(workbench.images.get(bobs.image_id).hash, "bob")
    assert [each.annotator for each in seen.history] == ["ada", "bob"]
    workbench.rounds.close(force=True)
    for item in items:
        content = workbench.images.get(item.image_id).hash
        card = workbench.cards.of(content, "cyd")
        assert (card.hidden.model, card.hidden.others) == ("", "")


def test_a_taken_back_answer_makes_the_person_blind_again(
    workbench: Workbench, answers: Callable
) -> None:
    change(workbench, overlap=2)
    workbench.rounds.propose("random", 1)
    answers(workbench, 1, "ada")
    answers(workbench, 1, "bob")
    content = workbench.images.get(workbench.rounds.items(1)[0].image_id).hash
    assert len(workbench.cards.of(content, "bob").history) == 2
    workbench.labels.undo("bob", "undo-bob-0000000000")
    card = workbench.cards.of(content, "bob")
    assert {each.annotator for each in card.history} == {"bob"}
    assert card.own is None


def test_images_of_the_audit_set_are_answered_without_the_model(project: Project) -> None:
    with closing(project.open()) as workbench:
        audit = images(workbench, Role.AUDIT)[:2]
        with workbench.session.store.write() as writer:
            for image in audit:
                for label in writer.labels.history(image.id):
                    now = workbench.session.now()
                    writer.labels.retract(label.id, f"back-{label.id}", label.annotator, now)
        for image in audit:
            assert workbench.cards.model(image.hash, "ada").belief is None
            assert workbench.cards.nearest(image.hash, "ada").images == ()
            assert workbench.cards.model(image.hash).belief is not None
        with workbench.session.store.write() as writer:
            classes = writer.classes.current().id
            new = [NewItem(image.id, None, None) for image in audit]
            asked = NewRound(AUDIT_STRATEGY, 1, classes, None, None, 0.0, new)
            writer.rounds.open(asked, workbench.session.now())
        answer(workbench, audit[0], "ada", 1)
        for person, image, blind in (
            ("ada", audit[0], False),
            ("bob", audit[0], True),
            ("ada", audit[1], True),
        ):
            assert (workbench.cards.model(image.hash, person).belief is None) == blind
            assert bool(workbench.cards.of(image.hash, person).hidden.others) == blind
