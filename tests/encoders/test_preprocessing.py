"""Preprocessing equals open_clip's inference transform bit for bit, and is small when pickled."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import PIL.Image
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2

from alworkbench.core.errors import EncoderError
from alworkbench.encoders.preprocessing import Preprocess

CONFIG = asdict(PreprocessCfg()) | {"size": 24}


def picture(width: int, height: int) -> PIL.Image.Image:
    values = np.random.default_rng([width, height]).integers(0, 256, (height, width, 3))
    return PIL.Image.fromarray(values.astype(np.uint8))


@pytest.mark.parametrize(
    "shape", [(24, 24), (28, 28), (61, 37), (37, 61), (9, 9), (7, 50), (25, 24)]
)
@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "random"])
@pytest.mark.parametrize("size", [24, (24, 24), (24, 16), (15, 31)])
def test_equals_open_clip(shape, resize_mode, interpolation, size) -> None:
    config = CONFIG | {
        "size": size,
        "resize_mode": resize_mode,
        "interpolation": interpolation,
        "fill_color": 7,
    }
    image = picture(*shape)
    wanted = image_transform_v2(PreprocessCfg(**config), is_train=False)(image)
    found = Preprocess.from_config(config)(image)
    assert torch.equal(found, wanted)


def test_grey_pictures_become_three_equal_channels() -> None:
    grey = picture(28, 28).convert("L")
    config = CONFIG | {"mean": 0.5, "std": 0.25}
    pixels = Preprocess.from_config(config)(grey)
    assert pixels.shape == (3, 24, 24)
    assert torch.equal(pixels[0], pixels[1])
    assert torch.equal(pixels[0], pixels[2])


def test_it_can_be_pickled_and_is_small() -> None:
    preprocess = Preprocess.from_config(CONFIG)
    sent = pickle.dumps(preprocess)
    assert len(sent) < 500
    assert pickle.loads(sent) == preprocess


def test_unpickling_imports_neither_open_clip_nor_torchvision() -> None:
    program = (
        "import sys, alworkbench.encoders.preprocessing\n"
        "print(sorted({'open_clip', 'torchvision', 'timm'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "change",
    [
        {"size": 0},
        {"size": "large"},
        {"mean": [0.5, 0.5]},
        {"mean": [0.5, 0.5, float("nan")]},
        {"std": [0.5, 0.0, 0.5]},
        {"interpolation": "nearest"},
        {"interpolation": ["bicubic"]},
        {"resize_mode": "zoom"},
        {"fill_color": 300},
        {"fill_color": None},
    ],
)
def test_unusable_preprocessing_is_refused(change) -> None:
    with pytest.raises(EncoderError, match="preprocessing"):
        Preprocess.from_config(CONFIG | change)
