"""Laws of the audit set that is drawn in the labelling flow."""

import math

import pytest
import torch

from alworkbench.core.domain import AUDIT_STRATEGY, Role, RoundState
from alworkbench.core.errors import NoImages, RoundStillOpen
from alworkbench.evaluation.intervals import wilson_interval
from alworkbench.project.audit_set import half_width, suggest_audit_size
from alworkbench.project.measurements import intervals, measured_details
from tests.factories import generator
from tests.making_project import AUDIT as IMPORTED
from tests.making_project import POOL, closing


@pytest.mark.parametrize("expected", [0.5, 0.7, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("width", [0.01, 0.05, 0.07, 0.2, 0.4])
def test_the_suggested_size_is_the_smallest_that_is_narrow_enough(width, expected):
    count = suggest_audit_size(width, expected)
    assert half_width(count, expected) <= width + 1e-12
    assert count == 1 or half_width(count - 1, expected) > width


@pytest.mark.parametrize("right", [0, 3, 70, 100])
def test_the_half_width_is_that_of_wilsons_interval(right):
    low, high = wilson_interval(right, 100)
    assert math.isclose(half_width(100, right / 100), (high - low) / 2, abs_tol=1e-12)


def test_no_accuracy_needs_more_images_than_one_half():
    sizes = [suggest_audit_size(0.05, share / 20) for share in range(21)]
    assert max(sizes) == suggest_audit_size(0.05) == sizes[10]


def test_bootstrap_intervals_contain_the_figures_and_narrow_with_more_images():
    widths = []
    for count in (60, 600):
        logits = torch.randn(count, 4, generator=generator(1), dtype=torch.float64)
        labels = torch.randint(0, 4, (count,), generator=generator(2))
        logits[torch.arange(count), labels] += 1.5
        found = intervals(logits.softmax(-1), labels, seed=3)
        recall = [(logits.argmax(-1) == labels)[labels == c].double().mean() for c in range(4)]
        low, high = found["balanced_accuracy"]
        assert low < sum(recall) / 4 < high
        low, high = found["nlpd"]
        assert low < float(-logits.log_softmax(-1)[torch.arange(count), labels].mean()) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_details_do_not_depend_on_the_order_of_images():
    probabilities = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2]])
    labels, hashes = torch.tensor([0, 0, 1]), ["c" * 64, "a" * 64, "b" * 64]
    order = torch.tensor([2, 0, 1])
    one = measured_details(probabilities, labels, hashes)
    other = measured_details(probabilities[order], labels[order], [hashes[i] for i in order])
    assert one["right"] == other["right"] == "001"
    assert one["audit"] == other["audit"]


def test_an_audit_round_has_no_suggestions_and_makes_no_learner(workbench, answers):
    workbench.rounds.propose()
    answers(workbench, 5)
    workbench.rounds.close()
    learned = workbench.session.store.read
    with learned() as reader:
        learner = reader.computed.learner()
        asked = set(reader.labels.current(Role.POOL))
    drawn = workbench.audit.draw(8, seed=3)
    items = workbench.rounds.items(drawn.id)
    assert (drawn.strategy, len(items)) == (AUDIT_STRATEGY, 8)
    assert all(item.suggestion is None and item.score is None for item in items)
    assert [item.probability for item in items] == [1 / (POOL - 5 - m) for m in range(8)]
    assert not asked & {item.image_id for item in items}
    assert (drawn.settings["candidates"], drawn.settings["labelled_before"]) == (POOL - 5, 5)
    answers(workbench, 8)
    measured = workbench.rounds.close()
    assert measured.audit_images == IMPORTED + 8
    assert measured.learner_id == learner.id
    # the earlier points are measured again, on the same images
    assert {m.audit_images for m in workbench.measurements.all()} == {IMPORTED + 8}
    assert len({m.values["audit"] for m in workbench.measurements.all()}) == 1
    with workbench.session.store.read() as reader:
        assert reader.computed.learner() == learner
        audit = set(reader.labels.current(Role.AUDIT))
    assert {item.image_id for item in items} <= audit
    workbench.rounds.propose(batch_size=POOL)
    again = {item.image_id for item in workbench.rounds.items(workbench.rounds.current().id)}
    assert not again & audit
    assert len(again) == POOL - 5 - 8


def test_the_same_seed_draws_the_same_images(project):
    drawn = []
    for seed in (4, 4, 5):
        with closing(project.open()) as workbench:
            if workbench.rounds.current():
                workbench.rounds.close(force=True)
            opened = workbench.audit.draw(6, seed)
            drawn.append([i.image_id for i in workbench.rounds.items(opened.id)])
            workbench.rounds.close(force=True)
    # nobody answered: the images of an earlier draw come first, and are asked again
    assert drawn[1] == drawn[0]
    assert drawn[2] == drawn[0]


def test_a_second_draw_asks_unanswered_audit_images_first(workbench, answers):
    first = workbench.audit.draw(6, seed=1)
    answers(workbench, 4)
    workbench.rounds.close()
    left = [i.image_id for i in workbench.rounds.items(first.id) if i.label is None]
    second = workbench.audit.draw(5, seed=2)
    items = workbench.rounds.items(second.id)
    assert [i.image_id for i in items[:2]] == left
    assert [i.probability for i in items[:2]] == [None, None]
    assert [i.probability for i in items[2:]] == [1 / (POOL - 6 - m) for m in range(3)]


def test_an_offer_gives_the_interval_and_draws_nothing(workbench):
    found = workbench.audit.offer(10)
    assert (found.images, found.pool, found.audit_before) == (10, POOL, IMPORTED)
    assert found.half_width == half_width(IMPORTED + 10, found.expected_accuracy)
    assert workbench.audit.offer(10_000).images == POOL
    assert workbench.rounds.all() == []


def test_nothing_is_drawn_while_a_round_is_open_or_the_pool_is_empty(workbench, answers):
    workbench.rounds.propose()
    with pytest.raises(RoundStillOpen):
        workbench.audit.draw(3)
    workbench.rounds.close(force=True)
    workbench.audit.draw(10_000)
    answers(workbench, POOL)
    workbench.rounds.close()
    with pytest.raises(NoImages):
        workbench.audit.draw(1)
    assert all(r.state is RoundState.CLOSED for r in workbench.rounds.all())
