"""Class prior (logit adjustment): training uses it, prediction does not."""

import pytest
import torch
from torch.nn.functional import one_hot

from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.learning import LearnedWeights, learn, restore
from alworkbench.adaptation.leave_one_out import leave_one_out
from alworkbench.adaptation.logit_adjustment import estimate_log_class_prior
from alworkbench.adaptation.map_fit import fit
from alworkbench.adaptation.methods import find_method
from tests.factories import generator, normal, small_model

CLASSES = 4


def labelled_set(images=40, labelled=16):
    model = small_model(images=images, classes=CLASSES, dtype=torch.float32)
    start = zero_shot(model.head, model.posterior.tempered(0.05, 0.05), model.classes)
    labels = torch.randint(
        0, 2, (labelled,), generator=generator(3)
    )  # two of the classes have no label
    return model.images, start, model.images[:labelled], one_hot(labels, CLASSES).double()


def predictions(seed=0, images=30):
    return normal(seed, images, CLASSES).mul(2).softmax(dim=-1)


def test_the_class_prior_is_of_the_pool_as_a_whole():
    found = estimate_log_class_prior(predictions(), 7.0)
    assert float(found.sum()) == pytest.approx(0, abs=1e-12)
    assert torch.allclose(estimate_log_class_prior(predictions().flip(0), 7.0), found)
    assert torch.allclose(estimate_log_class_prior(predictions().repeat(3, 1), 7.0), found)


def test_with_more_labels_the_class_prior_tends_to_the_mean_prediction():
    p = predictions()
    wanted = p.mean(dim=0).log() - p.mean(dim=0).log().mean()
    spread = [
        float(estimate_log_class_prior(p, labels).std()) for labels in (0.0, 1.0, 10.0, 100.0)
    ]
    assert spread == sorted(spread)
    assert spread[0] == pytest.approx(0, abs=1e-12)
    assert torch.allclose(estimate_log_class_prior(p, 1e9), wanted, atol=1e-6)


def test_a_class_that_is_never_predicted_keeps_its_part_of_the_pseudo_label():
    p = one_hot(torch.zeros(50, dtype=torch.long), CLASSES).double()
    found = estimate_log_class_prior(p, 19.0)
    assert float((found[0] - found[1]).exp()) == pytest.approx((19 + 1 / CLASSES) * CLASSES)


def test_an_empty_pool_gives_a_class_prior_of_zeros():
    assert torch.equal(
        estimate_log_class_prior(predictions()[:0], 5.0), torch.zeros(CLASSES, dtype=torch.float64)
    )


@pytest.mark.parametrize("head", [False, True])
def test_training_uses_the_class_prior_and_prediction_does_not(head):
    """softmax(z + log pi) fits the labels: a second fit at z_0 + log pi ends at the same optimum."""
    pool, start, labelled, targets = labelled_set()
    learned = learn(start, labelled, targets, residual_head=head, pool=pool)
    state = learned.state
    answered = learned.logits(labelled).double()
    met = (answered + state.log_class_prior).softmax(dim=-1)
    assert torch.allclose(met, state.probabilities, atol=1e-4)
    exact = learned.model.double()
    images = state.images
    images = type(images)(
        images.logits + state.log_class_prior,
        *(
            getattr(images, name)
            for name in ("cosines", "scale", "whitened", "by_image", "by_text")
        ),
    )
    found = fit(exact, images, targets, head=state.residual_head)
    assert torch.allclose(found.probabilities, state.probabilities, atol=1e-8)
    assert torch.allclose(found.logits - state.log_class_prior, answered, atol=1e-3)


@pytest.mark.parametrize("head", [False, True])
def test_the_class_prior_is_the_mean_prediction_of_a_fit_without_it(head):
    pool, start, labelled, targets = labelled_set()
    plain = learn(start, labelled, targets, residual_head=head)
    found = learn(start, labelled, targets, residual_head=head, pool=pool).state.log_class_prior
    wanted = estimate_log_class_prior(plain.logits(pool).softmax(dim=-1), float(len(targets)))
    assert torch.allclose(found, wanted, atol=1e-2)


def test_without_a_pool_there_is_no_class_prior():
    _, start, labelled, targets = labelled_set()
    assert learn(start, labelled, targets).state.log_class_prior is None


@pytest.mark.parametrize("name", ["linearised", "free-weights"])
def test_a_learner_with_a_class_prior_is_restored_as_it_was(name):
    pool, start, labelled, targets = labelled_set()
    learned = find_method(name)(start, labelled, targets, pool=pool)
    state = learned.state
    found = restore(start, LearnedWeights.of(learned), labelled)
    assert torch.equal(found.logits(pool), learned.logits(pool))
    assert torch.allclose(found.state.probabilities, state.probabilities, atol=1e-4)
    assert torch.equal(found.state.log_class_prior, state.log_class_prior)


def test_a_class_prior_for_another_number_of_classes_is_left_out():
    pool, start, labelled, targets = labelled_set()
    learned = learn(start, labelled, targets, pool=pool)
    other = LearnedWeights(learned.update, None, learned.state.log_class_prior[1:])
    found = restore(start, other, labelled)
    assert found.state.log_class_prior is None


@pytest.mark.parametrize("with_pool", [False, True])
def test_with_all_labels_left_out_a_learner_is_the_zero_shot_model(with_pool):
    pool, start, labelled, targets = labelled_set()
    learned = learn(start, labelled, targets, residual_head=True, pool=pool if with_pool else None)
    left = leave_one_out(learned, targets, groups=1)
    assert torch.allclose(left.logits, start.logits(labelled).double(), atol=1e-3)
