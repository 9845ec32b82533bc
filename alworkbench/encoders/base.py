"""What the program asks of an encoder, and how one is told from another.

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
"""Part of every id: to be changed when the same inputs come to mean other features."""


@runtime_checkable
class Encoder(Protocol):
    """A vision-language model without its last linear layers.

    `head.embed_images(encode_images(x))` is what the whole model says of `x`, and likewise for
    prompts. Stateless once loaded: threads may share one.
    """

    @property
    def id(self) -> str:
        """Names the features: a folder name that changes when they would."""
        ...

    @property
    def spec(self) -> str:
        """What the user wrote to get it."""
        ...

    @property
    def head(self) -> Head:
        """The two projections, float32, on the encoder's device."""
        ...

    @property
    def preprocess(self) -> Callable[[PIL.Image.Image], Tensor]:
        """Turns a picture into the tower's pixels (3, H, W), float32. Cheap to pickle."""
        ...

    def encode_images(self, pixels: Float[Tensor, "B 3 H W"]) -> Features:
        """Activations (and residuals) before the image projection: float32, on the device."""
        ...

    def encode_prompts(self, prompts: Sequence[str], batch_size: int = 256) -> Float[Tensor, "T Q"]:
        """Activations before the text projection: float32, on the device, in the given order."""
        ...


def encoder_id(name: str, description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """A readable slug and 16 hexadecimal digits of a SHA-256 over everything that features hang on.

    `description` (JSON values: architecture, preprocessing, tokenizer, dtype) and the *content* of
    `tensors`, so that the same weights in another file format are the same encoder.
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
