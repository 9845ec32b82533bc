"""Laws that every way of learning obeys."""

import pytest
import torch
from torch.nn.functional import one_hot

from alworkbench.adaptation.learner import Predictor, learn, zero_shot
from alworkbench.adaptation.method import LINEARISED, Settings, adaptation
from alworkbench.adaptation.methods import adaptations, find_adaptation
from alworkbench.core.domain import DEFAULT_ADAPTATION
from alworkbench.core.errors import UnknownAdaptation
from tests.factories import small_model

NAMES = [
    "linearised",
    "zero-shot",
    "probe",
    "projections",
    "nearest-mean",
    "cache",
    "fine-tuning",
    "free-weights",
]
LEARNING = [name for name in NAMES if name != "zero-shot"]


def campaign(images=30, classes=4, residuals=False, strength=0.01):
    """Labels that the model's own geometry can learn: those of another text for each class."""
    model = small_model(images=images, classes=classes, residuals=residuals, dtype=torch.float32)
    start = zero_shot(model.head, model.posterior.tempered(strength, strength), model.classes)
    truth = small_model(seed=1, images=images, classes=classes).classes.float()
    labels = model.head.logits(model.images, truth).argmax(dim=-1)
    return model, start, labels, one_hot(labels, classes).double()


def test_all_are_listed_and_the_default_first():
    found = adaptations()
    assert next(iter(found)).name == DEFAULT_ADAPTATION
    assert [a.is_default for a in found] == [True] + [False] * (len(found) - 1)
    assert {a.name for a in found} == set(NAMES)
    assert all(a.summary for a in found)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownAdaptation, match="linearised"):
        find_adaptation("linearized")


def test_no_name_is_given_twice():
    with pytest.raises(ValueError, match="twice"):
        adaptation(LINEARISED, "again")(lambda *_: None)


@pytest.mark.parametrize("name", NAMES)
def test_without_labels_every_way_is_the_model_as_it_came(name):
    model, start, _, targets = campaign()
    learned = find_adaptation(name)(start, model.images[:0], targets[:0])
    assert torch.equal(learned.logits(model.images), start.logits(model.images))


@pytest.mark.parametrize("name", LEARNING)
def test_labels_are_learned(name):
    model, start, labels, targets = campaign()
    learned = find_adaptation(name)(start, model.images, targets)
    right = (learned.logits(model.images).argmax(dim=-1) == labels).double().mean()
    before = (start.logits(model.images).argmax(dim=-1) == labels).double().mean()
    assert right >= before
    assert learned.logits(model.images).shape == (30, 4)
    assert learned.logits(model.images).dtype == torch.float32
    assert torch.isfinite(learned.logits(model.images)).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_lesson_teaches_the_same(name):
    model, start, _, targets = campaign()
    state = torch.get_rng_state()
    one, other = (
        find_adaptation(name)(start, model.images, targets, settings=Settings(seed=3))
        for _ in range(2)
    )
    assert torch.equal(one.logits(model.images), other.logits(model.images))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", LEARNING)
def test_draws_are_those_of_the_model_beneath(name):
    model, start, _, targets = campaign()
    learned = find_adaptation(name)(start, model.images, targets)
    own = name == "free-weights"
    plain = learn(start, model.images, targets, own_weights=own)
    assert torch.equal(learned.draws(4, 1).image, plain.draws(4, 1).image)
    assert (learned.draws(4, 1).own is not None) == own
    if name not in (LINEARISED, "free-weights"):
        assert isinstance(learned.predictor, Predictor)


@pytest.mark.parametrize(
    "name", [n for n in LEARNING if n not in ("probe", "cache", "free-weights")]
)
def test_a_label_counts_as_often_as_its_weight_says(name):
    """What is tuned on left-out labels differs: leaving out one of two copies still leaves the other."""
    # Under a posterior this strong even the projections have one optimum.
    model, start, _, targets = campaign(8, strength=10.0)
    rows = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 0, 1])
    weights = torch.tensor([2.0, 2, 1, 1, 1, 1, 1, 1], dtype=torch.float64)
    way = find_adaptation(name)
    one = way(start, model.images[rows], targets[rows])
    other = way(start, model.images, targets, weights)
    assert torch.allclose(one.logits(model.images), other.logits(model.images), atol=2e-2)


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_few_labels_are_no_special_case(name, count):
    model, start, _, targets = campaign()
    learned = find_adaptation(name)(start, model.images[:count], targets[:count])
    assert torch.isfinite(learned.logits(model.images)).all()


@pytest.mark.parametrize("name", LEARNING)
def test_residuals_and_another_precision_pass_through(name):
    model, start, _, targets = campaign(residuals=True)
    learned = find_adaptation(name)(start, model.images, targets)
    assert learned.logits(model.images[:5]).shape == (5, 4)


def test_a_probe_never_says_a_class_that_nobody_labelled():
    model, start, labels, targets = campaign()
    known = (labels < 2).nonzero()[:, 0]
    learned = find_adaptation("probe")(start, model.images[known], targets[known])
    shares = learned.logits(model.images).softmax(dim=-1)
    taught = labels[known].unique()
    others = torch.tensor([c not in taught.tolist() for c in range(4)])
    assert float(shares[:, others].max()) < 1e-5


def test_projections_and_linearised_are_one_where_the_posterior_lets_little_move():
    model, start, _, targets = campaign(strength=1e4)
    moved = find_adaptation("projections")(start, model.images, targets).logits(model.images)
    fitted = find_adaptation("linearised")(start, model.images, targets).logits(model.images)
    learned = (fitted - start.logits(model.images)).abs().max()
    assert (moved - fitted).abs().max() <= 0.1 * learned


def test_a_cache_that_helps_nobody_is_left_out():
    """Labels that contradict everything nearby: the mix of least leave-one-out loss is small."""
    model, start, _, _ = campaign()
    targets = one_hot(start.logits(model.images).argmax(dim=-1), 4).double()
    learned = find_adaptation("cache")(start, model.images, targets)
    assert (
        learned.logits(model.images).argmax(dim=-1) == start.logits(model.images).argmax(dim=-1)
    ).all()


def test_soft_labels_reach_every_way():
    model, start, _, targets = campaign(12)
    soft = (targets + targets.roll(1, dims=1)) / 2
    for name in LEARNING:
        learned = find_adaptation(name)(start, model.images, soft)
        assert torch.isfinite(learned.logits(model.images)).all()
