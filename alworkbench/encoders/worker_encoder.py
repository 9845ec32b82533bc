"""The encoder of a worker of an engine: loaded once, and the one that the work asks for."""

from __future__ import annotations

from collections.abc import Callable

from alworkbench.core.errors import EncoderMismatch
from alworkbench.encoders.base import Encoder

_loaded: dict[str, Encoder] = {}
"""By its id; loading takes seconds."""


def worker_encoder(load: Callable[[], Encoder], encoder_id: str, what: str) -> Encoder:
    """The encoder that `load` loads, kept in this process until another one is asked for.

    `what` needs this `encoder_id`. Raises EncoderMismatch where this machine has other weights.
    """
    if encoder_id not in _loaded:
        found = load()
        if found.id != encoder_id:
            raise EncoderMismatch(what, encoder_id, found.id)
        _loaded.clear()
        _loaded[found.id] = found
    return _loaded[encoder_id]
