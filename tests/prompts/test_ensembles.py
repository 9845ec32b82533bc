"""Ensembles of templates in three spaces, and the dispersion of text embeddings."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alworkbench.prompts.dispersion import text_feature_dispersion
from alworkbench.prompts.ensembles import (
    SPACES,
    class_ensemble,
    ensemble_probabilities,
    probabilities_of,
    unit_images,
    unit_texts,
)
from tests.factories import SmallModel, normal, small_model

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def case(seed: int = 0, templates: int = 3, **sizes: int) -> tuple[SmallModel, torch.Tensor]:
    """A model, and the activations of templates with its classes."""
    model = small_model(seed, **sizes)
    return model, normal(seed + 20, templates, *model.classes.shape)


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(2, 9))
def test_the_dispersion_lies_within_its_bounds(seed: int, size: int, classes: int) -> None:
    unit = torch.nn.functional.normalize(normal(seed, classes, size), dim=-1)
    found = float(text_feature_dispersion(unit))
    bound = math.sqrt(max(0.0, 1 - float(unit.mean(dim=0).square().sum())))
    assert 0 <= found <= bound + 1e-12
    assert bound <= 1


def test_the_dispersion_is_the_mean_distance_from_a_mean_of_any_length() -> None:
    unit = torch.nn.functional.normalize(normal(1, 2, 5, 4), dim=-1)
    for each, found in zip(unit, text_feature_dispersion(unit), strict=True):
        middle = sum(each) / 5
        slow = sum(math.sqrt(float(((row - middle) ** 2).sum())) for row in each) / 5
        assert float(found) == pytest.approx(slow)


def test_equal_names_have_no_dispersion_and_opposite_names_have_all() -> None:
    unit = torch.nn.functional.normalize(normal(2, 1, 4), dim=-1)
    assert float(text_feature_dispersion(unit.expand(6, 4))) == pytest.approx(0, abs=1e-12)
    assert float(text_feature_dispersion(torch.cat([unit, -unit]))) == pytest.approx(1)


@pytest.mark.parametrize("space", SPACES)
def test_every_ensemble_of_one_template_is_the_template(space) -> None:
    model, activations = case(templates=1)
    images = unit_images(model.head, model.images)
    alone = model.head.logits(model.images, activations[0]).softmax(dim=-1)
    found = ensemble_probabilities(model.head, images, activations, space)
    torch.testing.assert_close(found, alone, **CLOSE)
    once = probabilities_of(model.head, images, unit_texts(model.head, activations[0]))
    torch.testing.assert_close(found, once, **CLOSE)


@pytest.mark.parametrize("space", SPACES)
def test_equal_templates_give_equal_predictions_however_many(space) -> None:
    model, activations = case(templates=1)
    images = unit_images(model.head, model.images)
    one = ensemble_probabilities(model.head, images, activations, space)
    many = ensemble_probabilities(model.head, images, activations.expand(5, -1, -1), space)
    torch.testing.assert_close(many, one, **CLOSE)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("loss", ["infonce", "siglip"])
def test_each_ensemble_equals_its_plain_average(space, loss) -> None:
    model = small_model(loss=loss)
    activations = normal(7, 3, *model.classes.shape)
    head, images = model.head, unit_images(model.head, model.images)
    logits = torch.stack([head.logits(model.images, each) for each in activations])  # T N C
    if space == "logits":
        wanted = logits.mean(dim=0).softmax(dim=-1)
    elif space == "probabilities":
        wanted = logits.softmax(dim=-1).mean(dim=0)
    else:
        texts = torch.stack([head.embed_texts(each) for each in activations])
        mean = torch.nn.functional.normalize(texts, dim=-1).mean(dim=0)
        unit = torch.nn.functional.normalize(mean, dim=-1)
        wanted = (head.logit_scale * images @ unit.T).softmax(dim=-1)
    found = ensemble_probabilities(head, images, activations, space)
    torch.testing.assert_close(found, wanted, **CLOSE)
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(len(found), dtype=torch.float64))


def test_the_ensemble_of_features_is_that_of_a_project() -> None:
    """The activation of a class gives the same logits whichever way the prompts were listed."""
    from alworkbench.encoders.head import ensemble_prompts

    model, activations = case(templates=4)
    classes = len(model.classes)
    by_class = activations.transpose(0, 1).flatten(0, 1)  # as a class list orders its prompts
    wanted = ensemble_prompts(model.head, by_class, torch.arange(classes).repeat_interleave(4))
    torch.testing.assert_close(class_ensemble(model.head, activations), wanted, **CLOSE)
