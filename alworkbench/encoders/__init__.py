"""Vision-language models, split before their last linear layers.

The rest of the program knows a model as two projections (`head.Head`) and as two functions that compute
the inputs of these projections (`Encoder`). Everything that open_clip may change from release to release
(names, files, tokenizers, classes of towers) stays in this folder and in `datasets`, which trains the
bundled model.

Importing this package is fast: processes that decode images unpickle `Preprocess` from here, and
`load_encoder` imports torchvision and open_clip, which take seconds, only when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alworkbench.encoders.base import Encoder
from alworkbench.encoders.preprocessing import Preprocess

if TYPE_CHECKING:
    import torch

__all__ = ["Encoder", "Preprocess", "check_encoder", "load_encoder"]


def check_encoder(spec: str) -> None:
    """Raises UnknownEncoder, with the nearest names, where `spec` names no encoder. Fetches no weights.

    `features:NAME` is accepted: the features of such a project come from a file.
    """
    if spec == "bundled" or spec.startswith("features:"):
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
