"""Acts on selections: one transaction, own events, one take-back, and the rules for what is left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from alworkbench.core.domain import (
    AnswerKind,
    Label,
    Late,
    LateAnswers,
    Role,
    act_events,
    deciding_label,
)
from alworkbench.core.errors import ClassNotInUse, NothingToUndo, NotInProject, SelectionTooLarge
from alworkbench.project.bulk_labels import MOST_IN_ACT, LeftOut, SelectionAnswer
from alworkbench.project.taught_labels import taught_labels
from alworkbench.project.workbench import Workbench
from tests.making_project import Project
from tests.project.gallery_making import answer_at_random


def of_role(workbench: Workbench, role: Role) -> list[int]:
    with workbench.session.store.read() as reader:
        return [image for image, _ in reader.images.ids_and_hashes(role)]


def opinions(workbench: Workbench) -> list[dict[int, list[Label]]]:
    with workbench.session.store.read() as reader:
        return [reader.labels.opinions(role) for role in Role]


def act(
    images: list[int], act_id: str = "act-1", person: str = "mia", **more: object
) -> SelectionAnswer:
    values: dict[str, object] = {"kind": AnswerKind.CLASS, "class_id": 2} | more
    return SelectionAnswer(act_id, person, images, **values)  # type: ignore[arg-type]


def test_each_image_gets_an_answer_of_its_own(workbench: Workbench) -> None:
    images = of_role(workbench, Role.POOL)[:9]
    done = workbench.labels.record_selection(act(images, suggested={images[0]: 3}))
    assert [label.image_id for label in done.labels] == images
    assert len({label.event_id for label in done.labels}) == 9
    assert all(label.event_id.startswith(act_events("act-1")) for label in done.labels)
    assert {(la.class_id, la.source, la.item_id, la.duration_ms) for la in done.labels} == {
        (2, "gallery", None, None)
    }
    assert [label.suggested_class_id for label in done.labels] == [3] + [None] * 8
    assert done.words == "9 images are labelled."


def test_an_act_that_is_sent_twice_is_recorded_once(workbench: Workbench) -> None:
    images = of_role(workbench, Role.POOL)[:5]
    first = workbench.labels.record_selection(act(images))
    before = opinions(workbench)
    again = workbench.labels.record_selection(act(images, class_id=3))
    assert again.labels == first.labels
    assert opinions(workbench) == before


def test_one_take_back_restores_exactly_what_counted_before(workbench: Workbench) -> None:
    answer_at_random(workbench, 60, 3)
    workbench.rounds.propose("random", 6)
    before = opinions(workbench)
    items = workbench.rounds.items(workbench.rounds.current().id)
    images = of_role(workbench, Role.POOL)
    done = workbench.labels.record_selection(act(images, person="ada"))
    assert len(done.labels) == len(images)
    assert opinions(workbench) != before
    for _ in range(2):  # the same event acts once
        taken = workbench.labels.undo_selection("ada", "act-1", "undo-1")
        assert {label.id for label in taken} == {label.id for label in done.labels}
        assert opinions(workbench) == before
        assert workbench.rounds.items(workbench.rounds.current().id) == items


def test_a_take_back_leaves_a_newer_answer_and_is_not_for_others(workbench: Workbench) -> None:
    images = of_role(workbench, Role.POOL)[:3]
    workbench.labels.record_selection(act(images))
    newer = workbench.labels.record_selection(act(images[:1], "act-2", class_id=4))
    with pytest.raises(NothingToUndo, match="of this act"):
        workbench.labels.undo_selection("bob", "act-1", "undo-1")
    workbench.labels.undo_selection("mia", "act-1", "undo-2")
    assert opinions(workbench)[0] == {images[0]: list(newer.labels)}


def test_images_of_the_audit_set_are_answered_without_suggestions(workbench: Workbench) -> None:
    pool, audit = of_role(workbench, Role.POOL)[:2], of_role(workbench, Role.AUDIT)[:3]
    done = workbench.labels.record_selection(act([*pool, *audit]))
    assert [label.image_id for label in done.labels] == pool
    assert done.left_out == dict.fromkeys(audit, LeftOut.AUDIT)
    assert "3 belong to the audit set" in done.words
    plain = workbench.labels.record_selection(act(audit, "act-2", suggestions_shown=False))
    assert [label.image_id for label in plain.labels] == audit


def test_images_that_another_person_holds_are_left_out(workbench: Workbench) -> None:
    round_ = workbench.rounds.propose("random", 4)
    held = [item.image_id for item in workbench.labels.claim("bob", 2)]
    items = [item.image_id for item in workbench.rounds.items(round_.id)]
    done = workbench.labels.record_selection(act(items))
    assert done.left_out == dict.fromkeys(held, LeftOut.HELD)
    assert {label.image_id for label in done.labels} == set(items) - set(held)
    assert all(label.item_id is not None and label.late is None for label in done.labels)
    assert workbench.rounds.count(round_.id).answers == 2
    own = workbench.labels.record_selection(act(held, "act-2", person="bob"))
    assert not own.left_out  # the person who holds them answers them anywhere


@pytest.mark.parametrize("in_round", [True, False])
@pytest.mark.parametrize("rule", list(LateAnswers))
def test_answered_images_follow_the_rule_for_late_answers(
    project: Project, answers: Callable, in_round: bool, rule: LateAnswers
) -> None:
    with project.open() as workbench:
        with workbench.session.store.write() as writer:
            writer.save_settings(replace(writer.settings(), late_answers=rule))
        workbench.rounds.propose("random", 3)
        images = [each.image_id for each in answers(workbench, 3, "bob")]
        if not in_round:
            workbench.rounds.close(force=True)
        before = opinions(workbench)
        done = workbench.labels.record_selection(act(images))
        if rule is LateAnswers.REFUSE:
            assert done.left_out == dict.fromkeys(images, LeftOut.LATE)
            assert opinions(workbench) == before
        else:
            assert {label.late for label in done.labels} == {Late.ANSWERED}
            assert done.second_opinions == 3
        with workbench.session.store.read() as reader:
            counting = reader.labels.by_annotator(Role.POOL)
        assert all(label.annotator == "bob" for each in counting.values() for label in each)


def test_the_answer_of_a_reviewer_who_settles_counts_alone(
    workbench: Workbench, answers: Callable
) -> None:
    workbench.rounds.propose("random", 3)
    images = [each.image_id for each in answers(workbench, 3, "bob")]
    workbench.labels.record_selection(act(images, settles=True, class_id=4))
    with workbench.session.store.read() as reader:
        counting = reader.labels.by_annotator(Role.POOL)
    assert {deciding_label(counting[image]).annotator for image in images} == {"mia"}
    assert all(len(counting[image]) == 1 for image in images)


def test_answers_outside_of_a_round_teach_like_those_of_a_file(workbench: Workbench) -> None:
    images = of_role(workbench, Role.POOL)[:6]
    workbench.labels.record_selection(act(images))
    with workbench.session.store.read() as reader:
        taught = taught_labels(reader, reader.classes.current())
    assert set(taught.images) == set(images)
    asked = workbench.rounds.propose("random", 40)
    assert asked.batch_size == 34  # those that have an answer are not asked


def test_an_act_is_recorded_whole_or_not_at_all(workbench: Workbench) -> None:
    images, before = of_role(workbench, Role.POOL)[:3], opinions(workbench)
    with pytest.raises(NotInProject):
        workbench.labels.record_selection(act([*images, 10_000]))
    with pytest.raises(SelectionTooLarge, match="at most 5,000"):
        workbench.labels.record_selection(act(list(range(MOST_IN_ACT + 1))))
    workbench.classes.retire("cat")
    with pytest.raises(ClassNotInUse):
        workbench.labels.record_selection(act(images, class_id=3))
    assert opinions(workbench) == before


def test_blind_items_are_left_out(workbench: Workbench) -> None:
    with workbench.session.store.write() as writer:
        writer.save_settings(replace(writer.settings(), blind_share=0.99))
    round_ = workbench.rounds.propose("margin", 4)
    items = [item.image_id for item in workbench.rounds.items(round_.id) if item.blind]
    assert items
    done = workbench.labels.record_selection(act(items))
    assert done.left_out == dict.fromkeys(items, LeftOut.BLIND)
