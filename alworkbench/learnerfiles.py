"""Learners as files: the change of both projections, and the labels it was learned from.

The file holds what cannot be derived again without fitting: dW and dV. The labelled images are named by
content hash, so that draws can be conditioned on them after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from alworkbench.errors import InvalidPosteriorFile
from alworkbench.posterior.linearised import Step

FORMAT = "alworkbench-learner-1"


@dataclass(frozen=True, slots=True)
class StoredLearner:
    step: Step
    hashes: tuple[str, ...]
    """Content hashes of the labelled images."""


def save_learner(path: Path, step: Step, hashes: Sequence[str], encoder_id: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {"image": step.image.cpu().contiguous(), "text": step.text.cpu().contiguous()}
    metadata = {"format": FORMAT, "encoder_id": encoder_id, "hashes": json.dumps(list(hashes))}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata)
    partial.replace(path)


def load_learner(path: Path) -> StoredLearner:
    """Raises InvalidPosteriorFile when the file is not a learner of this version."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"format {metadata.get('format')!r}, needed {FORMAT!r}")
            step = Step(file.get_tensor("image"), file.get_tensor("text"))
            return StoredLearner(step, tuple(json.loads(metadata["hashes"])))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InvalidPosteriorFile(
            f"{path} cannot be read as a learner ({error}). Learn again from the stored labels with "
            f"`alworkbench learn`."
        ) from error
