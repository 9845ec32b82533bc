"""The interface of an encoder, and the id that distinguishes one encoder from another.

Dimensions used in this file
    B  images of one batch
    H, W  pixels
    T  prompts
    Q  text activation size
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import PIL.Image
import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.encoders.head import Features, Head

ID_FORMAT = "alworkbench-encoder-1"
"""Part of every id. Change it when the same inputs give other features."""


@runtime_checkable
class Encoder(Protocol):
    """A vision-language model without its last linear layers.

    `head.embed_images(encode_images(x))` is the image embedding of the whole model, and likewise for
    prompts. A loaded encoder has no state that changes: threads may share it.
    """

    @property
    def id(self) -> str:
        """Identifies the features, as a folder name: other features have another id."""
        ...

    @property
    def spec(self) -> str:
        """The name that the user gave, such as `bundled` or `ViT-B-32:laion2b_s34b_b79k`."""
        ...

    @property
    def head(self) -> Head:
        """The two projections, float32, on the encoder's device."""
        ...

    @property
    def preprocess(self) -> Callable[[PIL.Image.Image], Tensor]:
        """Turns an image into the input of the tower: (3, H, W), float32. Small when pickled."""
        ...

    def encode_images(self, pixels: Float[Tensor, "B 3 H W"]) -> Features:
        """Activations (and residuals) before the image projection: float32, on the device."""
        ...

    def encode_prompts(self, prompts: Sequence[str], batch_size: int = 256) -> Float[Tensor, "T Q"]:
        """Activations before the text projection: float32, on the device, in the given order."""
        ...


def encoder_id(name: str, description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """A readable name and 16 hexadecimal digits of a SHA-256 of everything that features depend on.

    That is the `description` (JSON values: architecture, preprocessing, tokenizer, dtype) and the
    *content* of the `tensors`: the same weights in another file format are the same encoder.
    """
    digest = hashlib.sha256(f"{ID_FORMAT}\n{json.dumps(description, sort_keys=True)}\n".encode())
    for key in sorted(tensors):
        tensor = tensors[key].detach().cpu().contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return f"{_slug(name)}-{digest.hexdigest()[:16]}"


def _slug(name: str) -> str:
    """Lower-case letters, digits and dashes: safe as a folder name on every system."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].rstrip("-") or "encoder"
