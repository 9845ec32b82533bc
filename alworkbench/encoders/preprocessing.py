"""Turn an image into the input of an image tower: open_clip's transform for inference.

It is written with Pillow and torch alone, so that processes which decode images start without importing
torchvision and open_clip. A test holds it equal to open_clip's transform, bit for bit. The fields are
those of open_clip's `PreprocessCfg`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
from jaxtyping import Float
from PIL.Image import Resampling
from torch import Tensor

from alworkbench.core.errors import EncoderError

RESAMPLING = {
    "bicubic": Resampling.BICUBIC,
    "bilinear": Resampling.BILINEAR,
    "random": Resampling.BICUBIC,  # random is for training; open_clip infers with bicubic
}
RESIZE_MODES = ("shortest", "longest", "squash")


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Resize, crop or pad to (height, width), scale to [0, 1], standardise. 200 bytes when pickled."""

    size: tuple[int, int]
    """Height and width, in pixels."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    resize_mode: Literal["shortest", "longest", "squash"] = "shortest"
    """shortest: cover the frame and crop the centre; longest: fit into it and pad; squash: stretch."""
    fill_color: int = 0

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Preprocess:
        """From open_clip's preprocessing dictionary. Raises EncoderError for unusable values."""
        try:
            size = config["size"]
            height, width = (size, size) if isinstance(size, int) else size
            made = cls(
                (int(height), int(width)),
                _triple(config["mean"]),
                _triple(config["std"]),
                config["interpolation"],
                config["resize_mode"],
                int(config["fill_color"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EncoderError(
                f"The preprocessing {dict(config)} cannot be read ({error!r}). It needs size, "
                f"mean, std, interpolation, resize_mode and fill_color as open_clip writes them."
            ) from error
        if (
            min(made.size) < 1
            or min(made.std) <= 0
            or made.interpolation not in RESAMPLING
            or made.resize_mode not in RESIZE_MODES
            or not 0 <= made.fill_color <= 255
        ):
            raise EncoderError(
                f"The preprocessing {asdict(made)} cannot be used: size and std must be positive, "
                f"interpolation one of {', '.join(RESAMPLING)}, resize_mode one of "
                f"{', '.join(RESIZE_MODES)}, fill_color 0 to 255."
            )
        return made

    def __call__(self, image: PIL.Image.Image) -> Float[Tensor, "3 H W"]:
        """The input of the tower for an image: float32 (3, H, W), standardised by channel."""
        image = image.convert("RGB")
        if self.resize_mode == "squash":
            image = self._resized(image, *self.size)
        elif self.resize_mode == "longest":
            image = self._padded(self._fitted(image, max))
        else:
            image = self._fitted(image, min)
        image = self._cropped(image)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()  # 3 H W, uint8
        mean = torch.tensor(self.mean).reshape(3, 1, 1)
        std = torch.tensor(self.std).reshape(3, 1, 1)
        return (pixels.to(torch.float32) / 255 - mean) / std

    def _fitted(self, image: PIL.Image.Image, extreme: Any) -> PIL.Image.Image:
        """Scaled with its ratio kept, to cover the frame (min) or to fit into it (max)."""
        height, width = self.size
        if extreme is min and height == width:
            # torchvision truncates the longer edge to an integer; the other modes round it.
            short = min(image.size)
            new_width, new_height = (
                height if edge == short else int(height * edge / short) for edge in image.size
            )
        else:
            ratio = extreme(image.height / height, image.width / width)
            new_height, new_width = round(image.height / ratio), round(image.width / ratio)
        return self._resized(image, new_height, new_width)

    def _resized(self, image: PIL.Image.Image, height: int, width: int) -> PIL.Image.Image:
        if image.size == (width, height):
            return image
        covers_oblong = self.resize_mode == "shortest" and self.size[0] != self.size[1]
        # open_clip always uses bicubic interpolation to cover an oblong frame.
        how = Resampling.BICUBIC if covers_oblong else RESAMPLING[self.interpolation]
        return image.resize((width, height), how)

    def _padded(self, image: PIL.Image.Image) -> PIL.Image.Image:
        down, right = (max(n, 0) for n in (self.size[0] - image.height, self.size[1] - image.width))
        border = (right // 2, down // 2, (right + 1) // 2, (down + 1) // 2)
        return PIL.ImageOps.expand(image, border, fill=(self.fill_color,) * 3)

    def _cropped(self, image: PIL.Image.Image) -> PIL.Image.Image:
        height, width = self.size
        top, left = round((image.height - height) / 2.0), round((image.width - width) / 2.0)
        return image.crop((left, top, left + width, top + height))


def _triple(values: float | Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = (values,) * 3 if isinstance(values, int | float) else values
    triple = (float(red), float(green), float(blue))
    if not all(math.isfinite(value) for value in triple):
        raise ValueError(f"{triple} is not finite")
    return triple
