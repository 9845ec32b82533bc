"""Learners as files.

A file holds the weights that only a fit can find (`LearnedWeights`). The labelled images are named by
content hash, so that draws can be conditioned on them after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from alworkbench.adaptation.learning import LearnedWeights
from alworkbench.adaptation.prior_selection import Prior
from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.errors import InvalidPosteriorFile
from alworkbench.core.tensors import floats
from alworkbench.posterior.linearisation import WeightUpdate

FORMAT = "alworkbench-learner-4"
OLDER = ("alworkbench-learner-1", "alworkbench-learner-2", "alworkbench-learner-3")
"""Formats without, one after the other: a residual head, a class prior, a head that sees embeddings."""

_UPDATE_NAMES = ("image", "text", "own", "embedded", "offset")
"""Names in the file of the fields of a `WeightUpdate`, in their order."""
_CLASS_PRIOR_NAME = "log_shares"


@dataclass(frozen=True, slots=True)
class StoredLearner:
    """What a learner file holds."""

    weights: LearnedWeights
    hashes: tuple[str, ...]
    """Content hashes of the labelled images."""


def save_learner(
    path: Path, weights: LearnedWeights, hashes: Sequence[str], encoder_id: str
) -> None:
    """Write a learner file, atomically."""
    parts = {
        name: getattr(weights.update, field.name)
        for name, field in zip(_UPDATE_NAMES, fields(WeightUpdate), strict=True)
    }
    parts[_CLASS_PRIOR_NAME] = weights.log_class_prior
    tensors = {name: part.cpu().contiguous() for name, part in parts.items() if part is not None}
    metadata = {"format": FORMAT, "encoder_id": encoder_id, "hashes": json.dumps(list(hashes))}
    if weights.prior is not None:
        metadata["prior"] = json.dumps(weights.prior.as_record())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save(tensors, metadata))


def load_learner(path: Path) -> StoredLearner:
    """Read a learner file: the update in float32 and the class prior in float64, as learning gives them.

    Raises InvalidPosteriorFile for a file that is no learner of a known format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") not in (FORMAT, *OLDER):
                raise ValueError(f"format {metadata.get('format')!r}, needed {FORMAT!r}")
            held = set(file.keys())
            image, text = (floats(file.get_tensor(name), name) for name in _UPDATE_NAMES[:2])
            own, embedded, offset = (
                floats(file.get_tensor(name), name) if name in held else None
                for name in _UPDATE_NAMES[2:]
            )
            log_class_prior = None
            if _CLASS_PRIOR_NAME in held:
                values = file.get_tensor(_CLASS_PRIOR_NAME)
                log_class_prior = floats(values, _CLASS_PRIOR_NAME, torch.float64)
        if (own is None and embedded is None) != (offset is None):
            raise ValueError("residual head weights and offsets must be given together")
        known = metadata.get("prior")
        if (offset is None) != (known is None):
            raise ValueError("residual head weights and prior must be given together")
        update = WeightUpdate(image, text, own, embedded, offset)
        prior = None if known is None else Prior.from_record(json.loads(known))
        weights = LearnedWeights(update, prior, log_class_prior)
        return StoredLearner(weights, tuple(json.loads(metadata["hashes"])))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InvalidPosteriorFile(
            f"{path} is not a readable learner file ({error}). Learn again from the stored labels with "
            f"`alworkbench learn`."
        ) from error
