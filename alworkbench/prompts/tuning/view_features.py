"""Image features of views: computed once, because they do not depend on the context.

Dimensions used in this file
    V  views
    H, W  pixels
    D  embedding size
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import PIL.Image
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from alworkbench.core.atomic_files import atomic_path
from alworkbench.prompts.tuning.views import Preprocess, ViewSettings, make_views

AT_ONCE = 64
"""Views that go through the image tower together."""


@dataclass(frozen=True, slots=True)
class TunableImage:
    """An image that prompts can be tuned for."""

    content_hash: str
    """Identifies the image: its views depend on it."""
    read: Callable[[], PIL.Image.Image]
    """Called only if the features of the views are not cached."""


class ViewCache:
    """A folder with the features of views, for one encoder and one way to make views.

    A file holds the views of one image: 128 KiB for 64 views of 512 numbers in float32.
    """

    def __init__(self, folder: Path, encoder_id: str, settings: ViewSettings) -> None:
        """`encoder_id` is `Encoder.id`: it covers the weights and the preprocessing."""
        words = json.dumps([encoder_id, settings.record()], sort_keys=True)
        self.folder = folder / hashlib.sha256(words.encode()).hexdigest()[:16]

    def __contains__(self, content_hash: str) -> bool:
        """Whether there is a file for this image. It is not read, so it may be damaged."""
        return self._path(content_hash).is_file()

    def get(self, content_hash: str) -> Float[Tensor, "V D"] | None:
        """The features of an image, or None if they are missing or damaged."""
        path = self._path(content_hash)
        if not path.is_file():
            return None
        try:
            return load_file(path)["views"]
        except (SafetensorError, KeyError, OSError):
            return None

    def put(self, content_hash: str, features: Float[Tensor, "V D"]) -> None:
        """Keep the features of an image."""
        path = self._path(content_hash)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as draft:
            save_file({"views": features.cpu().contiguous()}, draft)

    def _path(self, content_hash: str) -> Path:
        name = hashlib.sha256(content_hash.encode()).hexdigest()  # safe, whatever the hash is
        return self.folder / name[:2] / f"{name}.safetensors"


def view_features(
    model: Any,
    preprocess: Preprocess,
    image: TunableImage,
    settings: ViewSettings,
    cache: ViewCache | None = None,
) -> Float[Tensor, "V D"]:
    """Unit image features of all views of an image, in the dtype and on the device of the model."""
    weight = model.logit_scale
    found = None if cache is None else cache.get(image.content_hash)
    if found is None:
        views = make_views(image.read(), image.content_hash, preprocess, settings)
        found = encode_views(model, views)
        if cache is not None:
            cache.put(image.content_hash, found)
    return found.to(weight.device, weight.dtype)


def encode_views(model: Any, views: Float[Tensor, "V 3 H W"]) -> Float[Tensor, "V D"]:
    """Unit image features of views by an open_clip model."""
    weight = model.logit_scale
    with torch.no_grad():
        parts = [
            model.encode_image(part.to(weight.device, weight.dtype), normalize=True)
            for part in views.split(AT_ONCE)
        ]
    return torch.cat(parts)
