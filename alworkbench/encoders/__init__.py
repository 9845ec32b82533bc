"""Vision-language models, split before their last linear layers.

The rest of the program knows a model as two projections (`head.Head`) and as two functions that compute
the inputs of these projections (`Encoder`). Everything that open_clip may change from release to release
(names, files, tokenizers, classes of towers) stays in this folder and in `datasets`, which trains the
bundled model.

Importing this package loads nothing heavy: `Encoder`, `Preprocess` and `load_encoder` import torch, and
`load_encoder` torchvision and open_clip, only when they are used.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from alworkbench.encoders.base import Encoder
    from alworkbench.encoders.preprocessing import Preprocess

__all__ = ["Encoder", "Preprocess", "check_encoder", "load_encoder"]

PUBLISHED_TAGS = Path(__file__).parent / "published_tags.json"
"""Release of open_clip, and its architectures with their published tags; `model_table` writes it."""


def __getattr__(name: str) -> Any:
    """`Encoder` and `Preprocess`, imported when they are first used."""
    if name == "Encoder":
        from alworkbench.encoders.base import Encoder

        return Encoder
    if name == "Preprocess":
        from alworkbench.encoders.preprocessing import Preprocess

        return Preprocess
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def published_tags() -> dict[str, list[str]]:
    """Architecture -> published tags; empty where the table is of another release than the installed one."""
    found = json.loads(PUBLISHED_TAGS.read_text(encoding="utf-8"))
    return found["tags"] if found["open_clip"] == version("open_clip_torch") else {}


def check_encoder(spec: str) -> None:
    """Raises UnknownEncoder, with the nearest names, where `spec` names no encoder. Fetches no weights.

    `features:NAME` is accepted: the features of such a project come from a file. A published model is found
    in a table; any other name is looked up in open_clip, which takes seconds to load.
    """
    architecture, _, tag = spec.partition(":")
    if (
        spec == "bundled"
        or architecture == "features"
        or tag in published_tags().get(architecture, ())
    ):
        return
    from alworkbench.encoders.encoder_spec import resolve

    resolve(spec)


def load_encoder(spec: str, device: torch.device) -> Encoder:
    """Load the encoder that `spec` names, on `device`.

    `bundled` is the small model of this package. `ARCH:TAG` is an open_clip model with published weights,
    which open_clip fetches and keeps in its cache. `ARCH:path/to/weights` takes the weights from a
    file. `path/to/config.json:path/to/weights` has an architecture of the user as well.

    Raises UnknownEncoder if no such model or file is known, UnsupportedModel if a tower does not end
    with a linear layer, EncoderError if weights cannot be fetched or do not fit.
    """
    from alworkbench.encoders.loading import load

    return load(spec, device)
