"""Views are those of the image alone, lie in the image, and follow torchvision's crops."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as published

from alworkbench.prompts.tuning.augmix import OPERATIONS
from alworkbench.prompts.tuning.views import ViewSettings, _crop_box, make_views, view_chance
from tests.prompts.tuning_models import PREPROCESS, pictures

(PICTURE,) = pictures(1)
IMAGE = PICTURE.read()
BOTH = pytest.mark.parametrize("augmix", [False, True], ids=["crops", "augmix"])


def views_of(content_hash: str = "a", **settings: float) -> torch.Tensor:
    return make_views(IMAGE, content_hash, PREPROCESS, ViewSettings(count=12, **settings))


@BOTH
def test_the_first_view_is_the_image_as_the_model_sees_it(augmix: bool) -> None:
    views = views_of(augmix=augmix)
    assert views.shape == (12, 3, 32, 32)
    assert torch.equal(views[0], PREPROCESS(IMAGE))
    assert len({tuple(view.flatten().tolist()) for view in views}) == 12


@BOTH
def test_the_views_depend_on_content_and_seed_alone(augmix: bool) -> None:
    torch.manual_seed(1)
    once = views_of(augmix=augmix)
    torch.manual_seed(2)
    assert torch.equal(views_of(augmix=augmix), once)
    for other in (views_of("b", augmix=augmix), views_of(seed=1, augmix=augmix)):
        assert torch.equal(other[0], once[0])
        assert not torch.equal(other[1:], once[1:])


def test_more_views_begin_with_the_same_views() -> None:
    many = make_views(IMAGE, "a", PREPROCESS, ViewSettings(count=20))
    assert torch.equal(many[:12], views_of())


@pytest.mark.parametrize("size", [(640, 480), (480, 640), (100, 2), (2, 100), (1, 1)])
def test_crops_lie_in_the_image_and_keep_area_and_ratio(size: tuple[int, int]) -> None:
    settings, chance = ViewSettings(), view_chance("a", 0)
    for _ in range(200):
        left, top, right, bottom = _crop_box(size, settings, chance)
        width, height = right - left, bottom - top
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        if min(size) > 100:
            assert 0.078 <= width * height / (size[0] * size[1]) <= 1
            assert 0.74 <= width / height <= 1.35
        else:
            assert max(width, height) <= 1.5 * min(width, height)


def test_a_crop_is_that_of_torchvision() -> None:
    """Never flipped here: then the first view drawn is the crop of the first box."""
    settings = ViewSettings(count=2, flipped_share=0.0)
    box = _crop_box(IMAGE.size, settings, view_chance("a", settings.seed))
    wanted = published.resized_crop(
        IMAGE,
        box[1],
        box[0],
        box[3] - box[1],
        box[2] - box[0],
        [32, 32],
        InterpolationMode.BILINEAR,
    )
    found = make_views(IMAGE, "a", PREPROCESS, settings)[1]
    assert torch.equal(found, PREPROCESS(wanted))


def test_half_of_the_crops_are_flipped() -> None:
    plain = views_of(flipped_share=0.0)
    always = views_of(flipped_share=1.0)
    sometimes = make_views(IMAGE, "a", PREPROCESS, ViewSettings(count=200))
    kept = make_views(IMAGE, "a", PREPROCESS, ViewSettings(count=200, flipped_share=0.0))
    assert torch.equal(plain[1:].flip(-1), always[1:])
    same = (sometimes == kept).flatten(1).all(dim=1)[1:]
    assert 70 < int(same.sum()) < 130


def test_augmix_operations_keep_size_and_change_little() -> None:
    chance = np.random.default_rng(0)
    crop = IMAGE.resize((32, 32))
    for operation in OPERATIONS:
        for share in (0.01, 0.1):
            changed = operation(crop, share, chance)
            assert changed.size == crop.size
            assert changed.mode == "RGB"


def test_a_grey_image_has_views() -> None:
    grey = PIL.Image.new("L", (40, 30), 100)
    views = make_views(grey, "a", PREPROCESS, ViewSettings(count=3, augmix=True))
    assert views.shape == (3, 3, 32, 32)
    assert views.isfinite().all()


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"smallest_area": 0.0},
        {"widest_ratio": 0.5},
        {"flipped_share": 2.0},
    ],
)
def test_a_setting_outside_of_its_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ViewSettings(**wrong)
