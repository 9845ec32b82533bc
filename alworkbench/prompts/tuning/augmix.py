"""AugMix: a crop mixed with three chains of weak image operations.

Hendrycks et al., "AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty",
ICLR 2020, arXiv:1912.02781, with the operations and the severity of the published code of TPT.

Dimensions used in this file
    H, W  pixels
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import PIL.Image
import PIL.ImageOps
from jaxtyping import Float
from PIL.Image import Resampling, Transform
from torch import Tensor

CHAINS = 3
LONGEST_CHAIN = 3
MAGNITUDES = (0.1, 1.0)
"""Range of the magnitude of an operation, of 10: the severity 1 of the paper."""

Operation = Callable[[PIL.Image.Image, float, np.random.Generator], PIL.Image.Image]


def augmix(
    crop: PIL.Image.Image,
    preprocess: Callable[[PIL.Image.Image], Tensor],
    chance: np.random.Generator,
) -> Float[Tensor, "3 H W"]:
    """The crop mixed with changed copies of it. Preprocessed images are mixed."""
    shares = chance.dirichlet([1.0] * CHAINS)
    kept = chance.beta(1.0, 1.0)
    mixed = kept * preprocess(crop)
    for share in shares:
        changed = crop
        for _ in range(int(chance.integers(1, LONGEST_CHAIN + 1))):
            operation = OPERATIONS[int(chance.integers(len(OPERATIONS)))]
            changed = operation(changed, chance.uniform(*MAGNITUDES) / 10, chance)
        mixed = mixed + (1 - kept) * share * preprocess(changed)
    return mixed


# Each operation takes its magnitude as a share of the largest change.


def _autocontrast(
    image: PIL.Image.Image, share: float, chance: np.random.Generator
) -> PIL.Image.Image:
    return PIL.ImageOps.autocontrast(image)


def _equalize(image: PIL.Image.Image, share: float, chance: np.random.Generator) -> PIL.Image.Image:
    return PIL.ImageOps.equalize(image)


def _posterize(
    image: PIL.Image.Image, share: float, chance: np.random.Generator
) -> PIL.Image.Image:
    return PIL.ImageOps.posterize(image, 4 - int(4 * share))


def _solarize(image: PIL.Image.Image, share: float, chance: np.random.Generator) -> PIL.Image.Image:
    return PIL.ImageOps.solarize(image, 256 - int(256 * share))


def _rotate(image: PIL.Image.Image, share: float, chance: np.random.Generator) -> PIL.Image.Image:
    return image.rotate(_signed(float(int(30 * share)), chance), Resampling.BILINEAR)


def _shear_x(image: PIL.Image.Image, share: float, chance: np.random.Generator) -> PIL.Image.Image:
    return _affine(image, (1.0, _signed(0.3 * share, chance), 0.0, 0.0, 1.0, 0.0))


def _shear_y(image: PIL.Image.Image, share: float, chance: np.random.Generator) -> PIL.Image.Image:
    return _affine(image, (1.0, 0.0, 0.0, _signed(0.3 * share, chance), 1.0, 0.0))


def _translate_x(
    image: PIL.Image.Image, share: float, chance: np.random.Generator
) -> PIL.Image.Image:
    shift = _signed(float(int(image.width / 3 * share)), chance)
    return _affine(image, (1.0, 0.0, shift, 0.0, 1.0, 0.0))


def _translate_y(
    image: PIL.Image.Image, share: float, chance: np.random.Generator
) -> PIL.Image.Image:
    shift = _signed(float(int(image.height / 3 * share)), chance)
    return _affine(image, (1.0, 0.0, 0.0, 0.0, 1.0, shift))


OPERATIONS: tuple[Operation, ...] = (
    _autocontrast,
    _equalize,
    _posterize,
    _rotate,
    _solarize,
    _shear_x,
    _shear_y,
    _translate_x,
    _translate_y,
)


def _signed(size: float, chance: np.random.Generator) -> float:
    return -size if chance.random() > 0.5 else size


def _affine(image: PIL.Image.Image, matrix: tuple[float, ...]) -> PIL.Image.Image:
    return image.transform(image.size, Transform.AFFINE, matrix, Resampling.BILINEAR)
