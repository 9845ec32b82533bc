"""Views of an image: the image itself and random crops of it, flipped or not, the same for the same image.

Crops are those of the published code of TPT (Shu et al., NeurIPS 2022, arXiv:2209.07511): a random area and
aspect ratio as in Inception, scaled to the size of the tower with bilinear interpolation, flipped with
probability 1/2; on request AugMix (`augmix.py`) after that.

Dimensions used in this file
    V  views; the first is the image as the model usually sees it
    H, W  pixels
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float
from PIL.Image import Resampling, Transpose
from torch import Tensor

from alworkbench.core.recorded_settings import RecordedSettings
from alworkbench.prompts.tuning.augmix import augmix

Preprocess = Callable[[PIL.Image.Image], Tensor]
"""From an image to the input of the tower. An image of the tower's size is only standardised."""

ATTEMPTS = 10
"""Crops that are drawn before the largest crop of an allowed ratio is taken from the centre."""


@dataclass(frozen=True, slots=True)
class ViewSettings(RecordedSettings):
    """How views are made. The defaults are those of TPT for ImageNet and its variants."""

    count: int = 64
    """Views, the image itself included."""
    smallest_area: float = 0.08
    """Area of a crop, as a share of the image: from this to 1."""
    widest_ratio: float = 4 / 3
    """Width by height of a crop: from the inverse of this to this."""
    flipped_share: float = 0.5
    """Probability that a crop is flipped left to right."""
    augmix: bool = False
    """Whether AugMix follows: TPT uses it for fine-grained classes, C-TPT for shifted images."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError for a number outside of its range."""
        if self.count < 1:
            raise ValueError(f"count must be at least 1, found {self.count}")
        if not 0 < self.smallest_area <= 1:
            raise ValueError(f"smallest_area must be in (0, 1], found {self.smallest_area}")
        if not self.widest_ratio >= 1:
            raise ValueError(f"widest_ratio must be at least 1, found {self.widest_ratio}")
        if not 0 <= self.flipped_share <= 1:
            raise ValueError(f"flipped_share must be in [0, 1], found {self.flipped_share}")


DEFAULT_VIEWS = ViewSettings()


def make_views(
    image: PIL.Image.Image,
    content_hash: str,
    preprocess: Preprocess,
    settings: ViewSettings = DEFAULT_VIEWS,
) -> Float[Tensor, "V 3 H W"]:
    """The views of an image. Chance depends on the seed and the content hash alone."""
    image = image.convert("RGB")
    plain = preprocess(image)
    size = (plain.shape[2], plain.shape[1])  # width, height
    chance = view_chance(content_hash, settings.seed)
    views = [plain]
    for _ in range(settings.count - 1):
        crop = _random_crop(image, size, settings, chance)
        views.append(augmix(crop, preprocess, chance) if settings.augmix else preprocess(crop))
    return torch.stack(views)


def view_chance(content_hash: str, seed: int) -> np.random.Generator:
    """The random numbers of one image."""
    digest = hashlib.sha256(f"views {seed} {content_hash}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _random_crop(
    image: PIL.Image.Image,
    size: tuple[int, int],
    settings: ViewSettings,
    chance: np.random.Generator,
) -> PIL.Image.Image:
    # First the crop, then the size: with `box`, the filter would see pixels beside the crop.
    crop = image.crop(_crop_box(image.size, settings, chance)).resize(size, Resampling.BILINEAR)
    flipped = chance.random() < settings.flipped_share
    return crop.transpose(Transpose.FLIP_LEFT_RIGHT) if flipped else crop


def _crop_box(
    size: tuple[int, int], settings: ViewSettings, chance: np.random.Generator
) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a crop, whose area and log ratio are uniform."""
    width, height = size
    limit = math.log(settings.widest_ratio)
    for _ in range(ATTEMPTS):
        area = width * height * chance.uniform(settings.smallest_area, 1)
        ratio = math.exp(chance.uniform(-limit, limit))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = (int(chance.integers(0, n + 1)) for n in (width - w, height - h))
            return left, top, left + w, top + h
    w = min(width, max(1, round(height * settings.widest_ratio)))
    h = min(height, max(1, round(width * settings.widest_ratio)))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h
