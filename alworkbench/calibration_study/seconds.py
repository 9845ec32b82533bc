"""Seconds of encoding, measured on this machine: an image, its views, a prompt.

The first TIMED images are read and encoded one by one, also where their features are known, so that the
figures do not depend on what was computed before. The model runs once before the clock starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import PIL.Image

from alworkbench.encoders.base import Encoder
from alworkbench.prompts.tuning.view_features import TunableImage

TIMED = 20
"""Images that are encoded against the clock."""
TIMED_PROMPTS = 64
"""Prompts that are encoded against the clock, at most."""


@dataclass(frozen=True, slots=True)
class EncodingSeconds:
    """Of the first images, and of one prompt."""

    image: tuple[float, ...]
    """Reading, preprocessing and encoding one image."""
    views: tuple[float, ...]
    """Reading an image, making its views and encoding them; empty without tuning."""
    prompt: float
    """Mean over `prompts` prompts that were encoded together."""
    prompts: int


def encoding_seconds(
    encoder: Encoder,
    images: Sequence[TunableImage],
    prompts: Sequence[str],
    encode_views: Callable[[TunableImage], object] | None,
) -> EncodingSeconds:
    """Encode the first TIMED images and some of the prompts against the clock.

    `encode_views` makes and encodes all views of an image. Raises what reading a picture raises.
    """

    def encode(image: TunableImage) -> object:
        pixels = encoder.preprocess(image.read().convert("RGB"))
        # The copy to the CPU waits for an accelerator to finish.
        return encoder.encode_images(pixels[None]).activations.cpu()

    first, some = images[:TIMED], list(prompts[:TIMED_PROMPTS])
    encode(TunableImage("warm-up", lambda: PIL.Image.new("RGB", (64, 64))))
    seconds_image = tuple(_seconds(partial(encode, each)) for each in first)
    seconds_views: tuple[float, ...] = ()
    if encode_views is not None:
        seconds_views = tuple(_seconds(partial(encode_views, each)) for each in first)
    encoder.encode_prompts(some[:1])
    took = _seconds(lambda: encoder.encode_prompts(some).cpu())
    return EncodingSeconds(seconds_image, seconds_views, took / len(some), len(some))


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
