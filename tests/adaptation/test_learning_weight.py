"""Learning starts from the pseudo-data weight that the posterior names; draws without labels do not."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import one_hot

from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.learning import LearnedWeights
from alworkbench.adaptation.methods import find_method
from tests.factories import generator, small_model

WEIGHT = 1e-3
MODEL = small_model(images=12, classes=4, dtype=torch.float32)
OWN = zero_shot(MODEL.head, MODEL.posterior, MODEL.classes)
NAMED = zero_shot(MODEL.head, replace(MODEL.posterior, learning_weight=WEIGHT), MODEL.classes)
LIGHT = zero_shot(MODEL.head, MODEL.posterior.with_weight(WEIGHT), MODEL.classes)
LABELS = one_hot(torch.randint(0, 4, (12,), generator=generator(3)), 4).double()


def drawn_changes(learner):
    """Changes of the logits in three draws, with the same random numbers for every learner."""
    model = learner.model
    return model.jvp(model.images(MODEL.images), model.sample(3, generator(1)))


def same_draws(one, other):
    return torch.equal(drawn_changes(one), drawn_changes(other))


def test_draws_without_labels_are_those_of_the_whole_curvature():
    assert same_draws(NAMED, OWN)
    assert not same_draws(NAMED, LIGHT)


@pytest.mark.parametrize("name", ["linearised", "free-weights"])
def test_learning_starts_from_the_weight_that_the_posterior_names(name):
    method = find_method(name)
    found, wanted, other = (method(start, MODEL.images, LABELS) for start in (NAMED, LIGHT, OWN))
    assert torch.equal(found.logits(MODEL.images), wanted.logits(MODEL.images))
    assert not torch.equal(found.logits(MODEL.images), other.logits(MODEL.images))
    assert same_draws(found, wanted)
    again = method.restore(
        NAMED, LearnedWeights.of(found), MODEL.images, LABELS, torch.ones(12).double(), 0
    )
    assert torch.equal(again.logits(MODEL.images), found.logits(MODEL.images))
    assert same_draws(again, found)


def test_images_are_compared_by_the_posterior_that_labels_are_learned_under():
    assert torch.equal(NAMED.image_activation_root, LIGHT.image_activation_root)
    assert torch.equal(OWN.image_activation_root, OWN.model.image_activation_root)
    learned = find_method("free-weights")(NAMED, MODEL.images, LABELS)
    assert torch.equal(learned.image_activation_root, learned.model.image_activation_root)
