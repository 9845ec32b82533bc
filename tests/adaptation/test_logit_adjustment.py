"""Classes' shares of the pool: what meets the labels has them, what answers has not."""

import pytest
import torch
from torch.nn.functional import one_hot

from alworkbench.adaptation.learner import learn, restore, zero_shot
from alworkbench.adaptation.leave_one_out import leave_one_out
from alworkbench.adaptation.logit_adjustment import log_shares
from alworkbench.adaptation.map_fit import fit
from alworkbench.adaptation.methods import find_method
from tests.factories import generator, normal, small_model

CLASSES = 4


def lesson(images=40, labelled=16):
    model = small_model(images=images, classes=CLASSES, dtype=torch.float32)
    start = zero_shot(model.head, model.posterior.tempered(0.05, 0.05), model.classes)
    labels = torch.randint(0, 2, (labelled,), generator=generator(3))  # two classes nobody named
    return model.images, start, model.images[:labelled], one_hot(labels, CLASSES).double()


def predictions(seed=0, images=30):
    return normal(seed, images, CLASSES).mul(2).softmax(dim=-1)


def test_shares_are_of_the_pool_as_a_whole():
    found = log_shares(predictions(), 7.0)
    assert float(found.sum()) == pytest.approx(0, abs=1e-12)
    assert torch.allclose(log_shares(predictions().flip(0), 7.0), found)
    assert torch.allclose(log_shares(predictions().repeat(3, 1), 7.0), found)


def test_their_differences_grow_with_labels_to_those_of_what_is_expected():
    p = predictions()
    wanted = p.mean(dim=0).log() - p.mean(dim=0).log().mean()
    spread = [float(log_shares(p, labels).std()) for labels in (0.0, 1.0, 10.0, 100.0)]
    assert spread == sorted(spread)
    assert spread[0] == pytest.approx(0, abs=1e-12)
    assert torch.allclose(log_shares(p, 1e9), wanted, atol=1e-6)


def test_a_class_that_nobody_expects_keeps_a_share_of_one_label():
    p = one_hot(torch.zeros(50, dtype=torch.long), CLASSES).double()
    found = log_shares(p, 19.0)
    assert float((found[0] - found[1]).exp()) == pytest.approx((19 + 1 / CLASSES) * CLASSES)


def test_an_empty_pool_says_nothing():
    assert torch.equal(
        log_shares(predictions()[:0], 5.0), torch.zeros(CLASSES, dtype=torch.float64)
    )


@pytest.mark.parametrize("own", [False, True])
def test_logits_with_the_shares_meet_the_labels_and_without_they_answer(own):
    """The answer is the optimum of labels met by z + log pi, found by a fit of its own."""
    pool, start, labelled, targets = lesson()
    learned = learn(start, labelled, targets, own_weights=own, pool=pool)
    taught = learned.taught
    answered = learned.logits(labelled).double()
    met = (answered + taught.log_shares).softmax(dim=-1)
    assert torch.allclose(met, taught.probabilities, atol=1e-4)
    exact = learned.model.double()
    images = taught.images
    images = type(images)(
        images.logits + taught.log_shares,
        *(
            getattr(images, name)
            for name in ("cosines", "scale", "whitened", "by_image", "by_text")
        ),
    )
    found = fit(exact, images, targets, own=taught.own)
    assert torch.allclose(found.probabilities, taught.probabilities, atol=1e-8)
    assert torch.allclose(found.logits - taught.log_shares, answered, atol=1e-3)


@pytest.mark.parametrize("own", [False, True])
def test_the_shares_are_what_a_learner_without_them_expects(own):
    pool, start, labelled, targets = lesson()
    plain = learn(start, labelled, targets, own_weights=own)
    found = learn(start, labelled, targets, own_weights=own, pool=pool).taught.log_shares
    wanted = log_shares(plain.logits(pool).softmax(dim=-1), float(len(targets)))
    assert torch.allclose(found, wanted, atol=1e-2)


def test_without_a_pool_nothing_is_beside_the_logits():
    _, start, labelled, targets = lesson()
    assert learn(start, labelled, targets).taught.log_shares is None


@pytest.mark.parametrize("name", ["linearised", "free-weights"])
def test_a_learner_with_shares_comes_back_as_it_was(name):
    pool, start, labelled, targets = lesson()
    learned = find_method(name)(start, labelled, targets, pool=pool)
    taught = learned.taught
    found = restore(start, learned.update, labelled, None, taught.prior, taught.log_shares)
    assert torch.equal(found.logits(pool), learned.logits(pool))
    assert torch.allclose(found.taught.probabilities, taught.probabilities, atol=1e-4)
    assert torch.equal(found.taught.log_shares, taught.log_shares)


def test_shares_of_other_classes_are_left_out():
    pool, start, labelled, targets = lesson()
    learned = learn(start, labelled, targets, pool=pool)
    found = restore(start, learned.update, labelled, None, None, learned.taught.log_shares[1:])
    assert found.taught.log_shares is None


@pytest.mark.parametrize("with_pool", [False, True])
def test_without_any_of_its_labels_a_learner_is_the_model_as_it_came(with_pool):
    pool, start, labelled, targets = lesson()
    learned = learn(start, labelled, targets, own_weights=True, pool=pool if with_pool else None)
    left = leave_one_out(learned, targets, groups=1)
    assert torch.allclose(left.logits, start.logits(labelled).double(), atol=1e-3)
