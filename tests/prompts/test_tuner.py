"""Tuning in closed form equals autograd and AdamW, and does to entropy and dispersion what it should."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from alworkbench.core.errors import UnknownObjective
from alworkbench.encoders.causal_text import causal_text_tower
from alworkbench.prompts.dispersion import text_feature_dispersion
from alworkbench.prompts.tuning.class_prompts import class_prompts
from alworkbench.prompts.tuning.objectives import OBJECTIVES, Objective, find_objective
from alworkbench.prompts.tuning.tuner import PromptTuner, first_adamw_step
from alworkbench.prompts.tuning.tuning_settings import TuningSettings
from alworkbench.prompts.tuning.view_selection import marginal_entropy, most_confident
from tests.factories import normal
from tests.prompts.direct_tuning import (
    PENALTIES,
    direct_entropy,
    direct_selection,
    direct_tune,
)
from tests.prompts.tuning_models import (
    CLASSES,
    TOKENIZER,
    TUNABLE,
    clip,
    drawn,
    features_of,
    pictures,
)

TPT, C_TPT, O_TPT, A_TPT = OBJECTIVES


def tuner_of(
    model: nn.Module, objective: Objective = TPT, settings: TuningSettings | None = None
) -> PromptTuner:
    settings = settings or TuningSettings()
    tower = causal_text_tower(model)
    prompts = class_prompts(tower, TOKENIZER, CLASSES, settings.phrase)
    return PromptTuner(tower, prompts, model.logit_scale.exp().item(), objective, settings)


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda each: each.name)
@pytest.mark.parametrize("kind", TUNABLE)
def test_the_answer_is_that_of_autograd_and_adamw(kind: str, objective: Objective) -> None:
    model = drawn(TUNABLE[kind](), seed=1)
    tuner = tuner_of(model, objective)
    for views in features_of(model, pictures(3)):
        found = tuner.tune(views)
        wanted = direct_tune(
            model, tuner.class_prompts.ids, 4, views, objective.name, objective.weight
        )
        assert torch.equal(found.selected, wanted.selected)
        close(found.prompts.context, wanted.context)
        close(found.prompts.activations[:, : wanted.pooled.shape[1]], wanted.pooled)
        close(found.prompts.features, wanted.features)
        close(found.probabilities, wanted.probabilities)
        assert found.predicted == int(wanted.probabilities.argmax())
        assert found.confidence == pytest.approx(float(wanted.probabilities.max()), abs=1e-6)


def test_the_closed_form_is_the_first_step_of_adamw() -> None:
    start, gradient = normal(1, 4, 6), normal(2, 4, 6)
    gradient[0, 0], gradient[0, 1] = 0.0, 1e-9  # about epsilon and below
    settings = TuningSettings(learning_rate=0.03, weight_decay=0.2)
    parameter = nn.Parameter(start.clone())
    parameter.grad = gradient.clone()
    torch.optim.AdamW([parameter], lr=0.03, weight_decay=0.2).step()
    found = first_adamw_step(start, gradient, settings)
    torch.testing.assert_close(found, parameter.detach(), rtol=1e-12, atol=1e-14)


def test_a_small_step_of_tpt_lowers_the_entropy_of_the_selected_views_of_every_image() -> None:
    """Along the gradient's signs entropy falls to first order. The default step is too long for that law."""
    small = TuningSettings(learning_rate=1e-7, weight_decay=0.0)
    for seed in range(3):
        model = drawn(clip(), seed)
        tuner = tuner_of(model, TPT, small)
        for views in features_of(model, pictures(10, seed)):
            answer = tuner.tune(views)
            chosen = views[answer.selected]
            before = marginal_entropy(tuner.logits(chosen, tuner.untuned.features))
            after = marginal_entropy(tuner.logits(chosen, answer.prompts.features))
            assert after < before


def test_the_default_step_of_tpt_lowers_the_entropy_of_nearly_every_image() -> None:
    for seed in range(3):
        model = drawn(clip(), seed)
        tuner = tuner_of(model, TPT)
        lower = []
        for views in features_of(model, pictures(10, seed)):
            answer = tuner.tune(views)
            chosen = views[answer.selected]
            before = marginal_entropy(tuner.logits(chosen, tuner.untuned.features))
            after = marginal_entropy(tuner.logits(chosen, answer.prompts.features))
            lower.append(before - after)
        assert torch.stack(lower).mean() > 0
        assert sum(each > 0 for each in lower) >= 8


@pytest.mark.parametrize("objective", [C_TPT, O_TPT, A_TPT], ids=lambda each: each.name)
def test_a_penalty_is_smaller_after_its_tuning_than_after_that_of_tpt(
    objective: Objective,
) -> None:
    """On average over images; for C-TPT: the mean dispersion is larger than TPT's."""
    penalty = objective.penalty
    assert penalty is not None
    for seed in range(2):
        model = drawn(clip(), seed)
        views = features_of(model, pictures(8, seed))
        of_tpt, of_other = (
            torch.stack([penalty(tuner.tune(each).prompts.features) for each in views]).mean()
            for tuner in (tuner_of(model, TPT), tuner_of(model, objective))
        )
        assert of_other < of_tpt


def test_dispersion_grows_for_every_image_under_c_tpt() -> None:
    model = drawn(clip())
    tuner = tuner_of(model, C_TPT)
    before = text_feature_dispersion(tuner.untuned.features)
    for views in features_of(model, pictures(8)):
        assert text_feature_dispersion(tuner.tune(views).prompts.features) > before


def test_tuning_without_images_is_the_limit_of_a_large_weight() -> None:
    model = drawn(clip())
    (views,) = features_of(model, pictures(1))
    for objective in (C_TPT, O_TPT, A_TPT):
        exact = TuningSettings(epsilon=1e-30)  # so that the size of the gradient means nothing
        heavy = TuningSettings(epsilon=1e-30, weight=1e9)
        alone = tuner_of(model, objective, exact).tune_without_images()
        weighted = tuner_of(model, objective, heavy).tune(views).prompts
        close(alone.features, weighted.features)
        close(alone.context, weighted.context)
    with pytest.raises(ValueError, match="'tpt' has no penalty"):
        tuner_of(model, TPT).tune_without_images()


def test_every_image_starts_anew() -> None:
    """The order of the images does not change a bit."""
    model = drawn(clip())
    views = features_of(model, pictures(5))
    tuner = tuner_of(model, C_TPT)
    forward = [tuner.tune(each) for each in views]
    backward = [tuner.tune(each) for each in reversed(views)][::-1]
    for one, other in zip(forward, backward, strict=True):
        assert torch.equal(one.prompts.context, other.prompts.context)
        assert torch.equal(one.prompts.activations, other.prompts.activations)
        assert torch.equal(one.probabilities, other.probabilities)


def test_a_weight_of_zero_is_tpt() -> None:
    model = drawn(clip())
    (views,) = features_of(model, pictures(1))
    zero = tuner_of(model, C_TPT, TuningSettings(weight=0.0)).tune(views)
    assert torch.equal(zero.prompts.context, tuner_of(model, TPT).tune(views).prompts.context)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_is_its_slow_direct_form(name: str) -> None:
    """For O-TPT: a Householder reflection of each row of the cosine matrix."""
    features = nn.functional.normalize(normal(7, 9, 5), dim=-1)
    penalty = find_objective(name).penalty
    assert penalty is not None
    torch.testing.assert_close(penalty(features), PENALTIES[name](features))


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_is_smallest_for_orthogonal_classes_of_all_without_obtuse_angles(
    name: str,
) -> None:
    penalty = find_objective(name).penalty
    assert penalty is not None
    alone = penalty(torch.eye(5, 8, dtype=torch.float64))
    for seed in range(5):
        assert penalty(nn.functional.normalize(normal(seed, 5, 8).abs(), dim=-1)) > alone


def test_views_are_selected_by_entropy_and_never_none() -> None:
    logits = 5 * normal(8, 64, 7)
    for share in (0.1, 0.5, 1.0):
        assert torch.equal(most_confident(logits, share), direct_selection(logits, share))
    assert len(most_confident(logits, 0.1)) == 6
    assert len(most_confident(logits[:8], 0.1)) == 1
    assert most_confident(torch.zeros(4, 3), 0.5).tolist() == [0, 1]
    torch.testing.assert_close(marginal_entropy(logits), direct_entropy(logits))
    assert marginal_entropy(1e4 * logits).isfinite()


def test_an_unknown_objective_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownObjective, match=r"'ctpt'\. Did you mean 'c-tpt'"):
        find_objective("ctpt")


@pytest.mark.parametrize(
    "wrong",
    [
        {"confident_share": 0.0},
        {"learning_rate": 0.0},
        {"epsilon": 0.0},
        {"weight_decay": -1.0},
        {"weight": -1.0},
    ],
)
def test_a_setting_outside_of_its_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TuningSettings(**wrong)
