"""Laws of corrections: a person's newer answer stands where the earlier one stood, and nothing is lost."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from alworkbench.core.domain import Answer, AnswerKind, Late, Role
from alworkbench.core.errors import NothingToCorrect, NotYourAnswer
from alworkbench.project.corrections import HISTORY, Correction


def correction(answer, class_id=None, **changes):
    kind = AnswerKind.SKIP if class_id is None else AnswerKind.CLASS
    made = Correction(uuid.uuid4().hex, answer.event_id, answer.annotator, kind, class_id, 700)
    return replace(made, **changes)


def other_class(workbench, answer):
    return next(c.id for c in workbench.classes.current().classes if c.id != answer.class_id)


def counting(workbench, image_id):
    with workbench.session.store.read() as reader:
        return reader.labels.current(Role.POOL)[image_id]


def history(workbench, image_id):
    with workbench.session.store.read() as reader:
        return [label.event_id for label in reader.labels.history(image_id)]


@pytest.mark.parametrize("closed", [False, True])
def test_a_correction_replaces_the_answer_and_keeps_it_in_the_history(workbench, answers, closed):
    opened = workbench.rounds.propose()
    first, second = answers(workbench, 2)
    if closed:
        workbench.rounds.close()
    before = workbench.rounds.count(opened.id)
    changed = correction(first, other_class(workbench, first))
    stored = workbench.labels.correct(changed)
    assert workbench.labels.correct(changed) == stored
    assert counting(workbench, first.image_id) == stored
    assert (stored.class_id, stored.late, stored.item_id) == (changed.class_id, None, first.item_id)
    assert history(workbench, first.image_id) == [first.event_id, changed.event_id]
    assert workbench.rounds.count(opened.id) == before
    assert counting(workbench, second.image_id).event_id == second.event_id
    # A correction of the first answer corrects what stands: the correction.
    again = workbench.labels.correct(correction(first))
    assert counting(workbench, first.image_id) == again
    assert again.kind is AnswerKind.SKIP
    if not closed:
        workbench.labels.undo("ada", uuid.uuid4().hex, again.event_id)
        assert counting(workbench, first.image_id) == stored


def test_the_correction_of_a_late_answer_stays_late(workbench, answers):
    workbench.rounds.propose()
    (first,) = answers(workbench, 1)
    workbench.rounds.close()
    late = workbench.labels.record(
        Answer(uuid.uuid4().hex, first.image_id, AnswerKind.CANNOT_TELL, "bo", None, first.item_id)
    )
    assert late.late is Late.CLOSED
    stored = workbench.labels.correct(correction(late, other_class(workbench, first)))
    assert stored.late is Late.CLOSED
    assert counting(workbench, first.image_id).event_id == first.event_id


def test_only_own_answers_that_stand_are_corrected(workbench, answers):
    workbench.rounds.propose()
    first, second = answers(workbench, 2)
    with pytest.raises(NotYourAnswer):
        workbench.labels.correct(correction(first, annotator="bo"))
    workbench.labels.undo("ada", uuid.uuid4().hex, second.event_id)
    for wrong in (correction(second), correction(first, corrects="0" * 16)):
        with pytest.raises(NothingToCorrect):
            workbench.labels.correct(wrong)
    done = correction(first)
    workbench.labels.correct(done)
    with pytest.raises(NotYourAnswer):
        workbench.labels.correct(replace(done, annotator="bo"))
    assert history(workbench, first.image_id) == [first.event_id, done.event_id]


def test_the_newest_answers_are_those_that_stand_newest_first(workbench):
    workbench.rounds.propose()
    given = []
    for item in workbench.labels.claim("ada", 5):
        who = uuid.uuid4().hex, item.image_id, AnswerKind.SKIP, "ada", None
        given.append(
            workbench.labels.record(Answer(*who, item.id, item.lease.token, duration_ms=5))
        )
    workbench.labels.undo("ada", uuid.uuid4().hex, given[1].event_id)
    changed = workbench.labels.correct(correction(given[0]))
    assert workbench.labels.newest("ada") == [changed, *reversed(given[2:])][:HISTORY]
    # Changed on the card, where no time is measured, an answer keeps the place of its image.
    on_card = workbench.labels.correct(correction(given[-1], duration_ms=None))
    assert workbench.labels.newest("ada") == [changed, on_card, *reversed(given[2:-1])][:HISTORY]
    assert workbench.labels.newest("bo") == []
