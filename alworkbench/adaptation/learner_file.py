"""Learners as files: the change of both projections, and the labels it was learned from.

The file holds what cannot be derived again without fitting: dW and dV; the weights of the classes' own
with the prior that was chosen for them, and the classes' shares of the pool, where there are any. The
labelled images are named by content hash, so that draws can be conditioned on them after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from alworkbench.adaptation.prior_selection import Prior
from alworkbench.core.errors import InvalidPosteriorFile
from alworkbench.posterior.linearisation import WeightUpdate

FORMAT = "alworkbench-learner-4"
OLDER = ("alworkbench-learner-1", "alworkbench-learner-2", "alworkbench-learner-3")
"""Without weights of the classes' own, the classes' shares of the pool, weights of embeddings."""


_NAMES = ("image", "text", "own", "embedded", "offset")
"""Names in the file of the fields of a `WeightUpdate`, in their order."""


@dataclass(frozen=True, slots=True)
class StoredLearner:
    """What a learner file holds."""

    update: WeightUpdate
    """dW and dV of the projections (not whitened), with the residual head's weights."""
    hashes: tuple[str, ...]
    """Content hashes of the labelled images."""
    prior: Prior | None = None
    """What was chosen from the labels; None: nothing was."""
    log_shares: Float[Tensor, "C"] | None = None
    """Of the classes in the pool, nats; None: all classes were not to count alike."""


def save_learner(
    path: Path,
    update: WeightUpdate,
    hashes: Sequence[str],
    encoder_id: str,
    prior: Prior | None = None,
    log_shares: Float[Tensor, "C"] | None = None,
) -> None:
    """Write a learner file, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = {
        name: getattr(update, field.name)
        for name, field in zip(_NAMES, fields(update), strict=True)
    }
    tensors = {name: part.cpu().contiguous() for name, part in parts.items() if part is not None}
    if log_shares is not None:
        tensors["log_shares"] = log_shares.cpu().contiguous()
    metadata = {"format": FORMAT, "encoder_id": encoder_id, "hashes": json.dumps(list(hashes))}
    if prior is not None:
        metadata["prior"] = json.dumps(asdict(prior))
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata)
    partial.replace(path)


def load_learner(path: Path) -> StoredLearner:
    """Raises InvalidPosteriorFile when the file is not a learner of this version."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") not in (FORMAT, *OLDER):
                raise ValueError(f"format {metadata.get('format')!r}, needed {FORMAT!r}")
            held = set(file.keys())
            own, embedded, offset = (
                file.get_tensor(name) if name in held else None
                for name in ("own", "embedded", "offset")
            )
            if (own is None and embedded is None) != (offset is None):
                raise ValueError("weights of the classes' own and their offsets belong together")
            known = metadata.get("prior")
            if (offset is None) != (known is None):
                raise ValueError("weights of the classes' own and their prior belong together")
            prior = None if known is None else Prior(**json.loads(known))
            parts = file.get_tensor("image"), file.get_tensor("text")
            update = WeightUpdate(*parts, own, embedded, offset)
            shares = file.get_tensor("log_shares") if "log_shares" in held else None
            return StoredLearner(update, tuple(json.loads(metadata["hashes"])), prior, shares)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InvalidPosteriorFile(
            f"{path} cannot be read as a learner ({error}). Learn again from the stored labels with "
            f"`alworkbench learn`."
        ) from error
