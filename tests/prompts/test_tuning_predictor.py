"""Many images: the answer for each is its own, the cache changes no answer, the cost is what is computed."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest
import torch
from torch.nn.functional import normalize
from torch.utils.flop_counter import FlopCounterMode

from alworkbench.encoders.head import Head
from alworkbench.encoders.splitting import split_text_tower
from alworkbench.prompts.tuning.objectives import C_TPT, TPT
from alworkbench.prompts.tuning.predictor import TuningPredictor
from alworkbench.prompts.tuning.tuner import TunedAnswer
from alworkbench.prompts.tuning.tuning_settings import TuningSettings
from alworkbench.prompts.tuning.view_features import TunableImage, ViewCache
from alworkbench.prompts.tuning.views import ViewSettings
from tests.prompts.direct_tuning import direct_tune
from tests.prompts.tuning_models import (
    CLASSES,
    FEW_VIEWS,
    PREPROCESS,
    TOKENIZER,
    clip,
    drawn,
    features_of,
    pictures,
)

MODEL = drawn(clip())
IMAGES = pictures(4)


def predictor(cache: ViewCache | None = None, views: ViewSettings = FEW_VIEWS) -> TuningPredictor:
    return TuningPredictor(
        MODEL, TOKENIZER, PREPROCESS, CLASSES, objective=C_TPT, views=views, cache=cache
    )


def same(one: TunedAnswer, other: TunedAnswer) -> bool:
    return torch.equal(one.probabilities, other.probabilities) and torch.equal(
        one.prompts.activations, other.prompts.activations
    )


def test_the_answers_are_those_of_the_direct_path() -> None:
    made = predictor()
    ids = made.tuner.class_prompts.ids
    for answer, views in zip(made.predict(IMAGES), features_of(MODEL, IMAGES), strict=True):
        wanted = direct_tune(MODEL, ids, 4, views, "c-tpt", 50.0)
        torch.testing.assert_close(answer.probabilities, wanted.probabilities, atol=1e-6, rtol=1e-6)
        assert float(answer.probabilities.sum()) == pytest.approx(1.0)


def test_the_same_images_give_the_same_bits_in_any_order() -> None:
    once = list(predictor().predict(IMAGES))
    again = list(predictor().predict(IMAGES[::-1]))[::-1]
    alone = [next(predictor().predict([image])) for image in IMAGES]
    for a, b, c in zip(once, again, alone, strict=True):
        assert same(a, b)
        assert same(a, c)


def test_cached_views_give_the_same_bits_without_reading_the_image(tmp_path: Path) -> None:
    def unread() -> PIL.Image.Image:
        raise AssertionError("the image was read")

    cache = ViewCache(tmp_path, "encoder-1", FEW_VIEWS)
    plain = list(predictor().predict(IMAGES))
    first = list(predictor(cache).predict(IMAGES))
    unreadable = [TunableImage(image.content_hash, unread) for image in IMAGES]
    second = list(predictor(cache).predict(unreadable))
    for a, b, c in zip(plain, first, second, strict=True):
        assert same(a, b)
        assert same(a, c)


def test_a_cache_is_for_one_encoder_and_one_kind_of_views(tmp_path: Path) -> None:
    cache = ViewCache(tmp_path, "encoder-1", FEW_VIEWS)
    list(predictor(cache).predict(IMAGES[:1]))
    known = IMAGES[0].content_hash
    assert cache.get(known) is not None
    assert known in cache
    assert cache.get("another") is None
    assert "another" not in cache
    assert ViewCache(tmp_path, "encoder-2", FEW_VIEWS).get(known) is None
    assert ViewCache(tmp_path, "encoder-1", ViewSettings(count=17)).get(known) is None


def test_a_damaged_file_of_the_cache_is_computed_again(tmp_path: Path) -> None:
    cache = ViewCache(tmp_path, "encoder-1", FEW_VIEWS)
    (answer,) = predictor(cache).predict(IMAGES[:1])
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(b"cut off")
    (again,) = predictor(cache).predict(IMAGES[:1])
    assert same(answer, again)
    assert cache.get(IMAGES[0].content_hash) is not None


def test_the_cost_counts_what_is_computed() -> None:
    made = predictor()
    cost = made.cost(len(IMAGES))
    # As one operation, the attention of the image tower would not be counted.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counted:
            list(made.predict(IMAGES))
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert cost.operations == pytest.approx(counted.get_total_flops() / 2, rel=0.02)
    assert cost.seconds_view > 0
    assert cost.seconds_tuning > 0


def test_the_cost_grows_with_images_and_falls_with_cached_views() -> None:
    made = predictor()
    ten, cached = made.cost(10), made.cost(10, cached=10)
    assert ten.views == 10 * FEW_VIEWS.count
    assert ten.operations == 10 * (FEW_VIEWS.count * ten.operations_view + ten.operations_tuning)
    assert cached.views == 0
    assert cached.operations == 10 * ten.operations_tuning
    assert made.cost(0).operations == 0


@pytest.mark.parametrize("bias", [False, True])
def test_tuned_activations_are_what_the_head_takes(bias: bool) -> None:
    """So the text side of the posterior can take them."""
    model = drawn(clip(proj_bias=bias))
    split = split_text_tower(model)
    head = Head(torch.eye(24).double(), split.projection, 1.0)
    made = TuningPredictor(model, TOKENIZER, PREPROCESS, CLASSES, views=FEW_VIEWS)
    (answer,) = made.predict(IMAGES[:1])
    found = normalize(head.embed_texts(answer.prompts.activations), dim=-1)
    torch.testing.assert_close(found, answer.prompts.features)


def test_a_single_view_can_be_tuned() -> None:
    made = TuningPredictor(
        MODEL,
        TOKENIZER,
        PREPROCESS,
        CLASSES,
        objective=TPT,
        tuning=TuningSettings(phrase="this is a"),
        views=ViewSettings(count=1),
    )
    (answer,) = made.predict(IMAGES[:1])
    assert answer.selected.tolist() == [0]
    assert answer.prompts.context.shape == (3, 24)
