"""Laws that every method of learning obeys."""

import pytest
import torch
from torch.nn.functional import one_hot

from alworkbench.adaptation.learner import Predictor, zero_shot
from alworkbench.adaptation.learning import learn
from alworkbench.adaptation.method_cards import CARDS, LINEARISED
from alworkbench.adaptation.methods import METHODS, find_method
from alworkbench.core.domain import DEFAULT_ADAPTATION
from alworkbench.core.errors import UnknownAdaptation
from tests.factories import small_model

NAMES = ["pool-taught", "free-weights", "linearised", "probe", "cache", "nearest-mean", "zero-shot"]
"""In the order in which they are listed."""
LEARNING = [name for name in NAMES if name != "zero-shot"]


def campaign(images=30, classes=4, residuals=False, strength=0.01):
    """Labels that the model's own geometry can learn: those of another text for each class."""
    model = small_model(images=images, classes=classes, residuals=residuals, dtype=torch.float32)
    start = zero_shot(model.head, model.posterior.tempered(strength, strength), model.classes)
    truth = small_model(seed=1, images=images, classes=classes).classes.float()
    labels = model.head.logits(model.images, truth).argmax(dim=-1)
    return model, start, labels, one_hot(labels, classes).double()


def test_methods_are_listed_in_a_fixed_order_with_the_default_first():
    assert [method.name for method in METHODS] == NAMES
    assert [card.is_default for card in CARDS] == [True] + [False] * (len(NAMES) - 1)
    assert NAMES[0] == DEFAULT_ADAPTATION
    assert [card.name for card in CARDS] == NAMES
    assert all(card.summary for card in CARDS)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownAdaptation, match="Did you mean 'linearised'"):
        find_method("linearized")


@pytest.mark.parametrize("removed", ["projections", "fine-tuning"])
def test_the_name_of_a_removed_method_is_answered_with_all_methods(removed):
    with pytest.raises(UnknownAdaptation, match=f"{removed}.*{', '.join(NAMES)}"):
        find_method(removed)


@pytest.mark.parametrize("name", NAMES)
def test_without_labels_every_method_is_the_zero_shot_model(name):
    model, start, _, targets = campaign()
    learned = find_method(name)(start, model.images[:0], targets[:0])
    assert torch.equal(learned.logits(model.images), start.logits(model.images))


@pytest.mark.parametrize("name", LEARNING)
def test_labels_are_learned(name):
    model, start, labels, targets = campaign()
    learned = find_method(name)(start, model.images, targets)
    right = (learned.logits(model.images).argmax(dim=-1) == labels).double().mean()
    before = (start.logits(model.images).argmax(dim=-1) == labels).double().mean()
    assert right >= before
    assert learned.logits(model.images).shape == (30, 4)
    assert learned.logits(model.images).dtype == torch.float32
    assert torch.isfinite(learned.logits(model.images)).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_labels_give_the_same_learner(name):
    model, start, _, targets = campaign()
    state = torch.get_rng_state()
    one, other = (find_method(name)(start, model.images, targets, seed=3) for _ in range(2))
    assert torch.equal(one.logits(model.images), other.logits(model.images))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", LEARNING)
def test_draws_are_those_of_the_base_learner(name):
    model, start, _, targets = campaign()
    learned = find_method(name)(start, model.images, targets)
    head = find_method(name).residual_head
    plain = learn(start, model.images, targets, residual_head=head)
    assert torch.equal(learned.draws(4, 1).image, plain.draws(4, 1).image)
    drawn = learned.draws(4, 1)
    assert (drawn.residual is not None or drawn.residual_embedded is not None) == head
    if find_method(name).fit_predictor is not None:
        assert isinstance(learned.predictor, Predictor)


@pytest.mark.parametrize("name", [n for n in LEARNING if n in (LINEARISED, "nearest-mean")])
def test_a_label_counts_as_often_as_its_weight_says(name):
    """What is tuned on left-out labels differs: leaving out one of two copies still leaves the other."""
    model, start, _, targets = campaign(8, strength=10.0)
    rows = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 0, 1])
    weights = torch.tensor([2.0, 2, 1, 1, 1, 1, 1, 1], dtype=torch.float64)
    method = find_method(name)
    one = method(start, model.images[rows], targets[rows])
    other = method(start, model.images, targets, weights)
    assert torch.allclose(one.logits(model.images), other.logits(model.images), atol=2e-2)


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_few_labels_are_no_special_case(name, count):
    model, start, _, targets = campaign()
    learned = find_method(name)(start, model.images[:count], targets[:count])
    assert torch.isfinite(learned.logits(model.images)).all()


@pytest.mark.parametrize("name", LEARNING)
def test_every_method_accepts_residuals(name):
    model, start, _, targets = campaign(residuals=True)
    learned = find_method(name)(start, model.images, targets)
    assert learned.logits(model.images[:5]).shape == (5, 4)


def test_a_probe_never_predicts_a_class_without_labels():
    model, start, labels, targets = campaign()
    known = (labels < 2).nonzero()[:, 0]
    learned = find_method("probe")(start, model.images[known], targets[known])
    probabilities = learned.logits(model.images).softmax(dim=-1)
    labelled = labels[known].unique()
    others = torch.tensor([c not in labelled.tolist() for c in range(4)])
    assert float(probabilities[:, others].max()) < 1e-5


def test_a_cache_that_does_not_help_gets_no_weight():
    """Labels that contradict everything nearby: the mix of least leave-one-out loss is small."""
    model, start, _, _ = campaign()
    targets = one_hot(start.logits(model.images).argmax(dim=-1), 4).double()
    learned = find_method("cache")(start, model.images, targets)
    assert (
        learned.logits(model.images).argmax(dim=-1) == start.logits(model.images).argmax(dim=-1)
    ).all()


def test_every_method_learns_soft_labels():
    model, start, _, targets = campaign(12)
    soft = (targets + targets.roll(1, dims=1)) / 2
    for name in LEARNING:
        learned = find_method(name)(start, model.images, soft)
        assert torch.isfinite(learned.logits(model.images)).all()
