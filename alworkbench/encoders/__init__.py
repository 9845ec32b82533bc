"""Vision-language models, split before their last linear layers. The only importer of open_clip.

Why it exists: the rest of the program knows a model as a pair of projections (`heads.Head`) and as
two functions that give what goes into them (`Encoder`). Everything that open_clip may change from
release to release (names, files, tokenizers, tower classes) stays in this folder.

Importing this package is cheap: worker processes that only decode images unpickle `Preprocess` from
here, so torchvision and open_clip (seconds of start-up each) are imported by `load_encoder` itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alworkbench.encoders.base import Encoder
from alworkbench.encoders.preprocessing import Preprocess

if TYPE_CHECKING:
    import torch

__all__ = ["Encoder", "Preprocess", "load_encoder"]


def load_encoder(spec: str, device: torch.device) -> Encoder:
    """The encoder that `spec` names, on `device`, ready to encode.

    `bundled` is the small model of this package; `ARCH:TAG` an open_clip model with published
    weights (fetched by open_clip, kept in its cache); `ARCH:path/to/weights` one with weights from
    a file; `path/to/config.json:path/to/weights` one of the user's own architecture.

    Raises UnknownEncoder when no such model or file is known, UnsupportedModel when its last layers
    are not linear, EncoderError when weights cannot be fetched or do not fit.
    """
    from alworkbench.encoders.loading import load

    return load(spec, device)
