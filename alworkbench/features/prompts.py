"""Text activations of prompts: each prompt is encoded once and kept in the feature store."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from alworkbench.core.progress import Progress, silent
from alworkbench.encoders.base import Encoder
from alworkbench.features.store import FeatureStore

PROMPT_ROWS = 256
"""Prompts that are encoded at once."""
MOST_WRITES = 16
"""The store replaces its file of prompts as a whole, so that many small additions would cost more than
encoding. An interrupted call loses at most one of these parts."""


def encode_missing(
    features: FeatureStore, encoder: Encoder, prompts: Sequence[str], progress: Progress = silent
) -> None:
    """Encode the prompts that the store does not have, and keep their activations in it."""
    missing = features.missing_prompts(prompts)
    rows = max(PROMPT_ROWS, -(-len(missing) // MOST_WRITES))
    for start in range(0, len(missing), rows):
        part = missing[start : start + rows]
        found = []
        for first in range(0, len(part), PROMPT_ROWS):
            found.append(encoder.encode_prompts(part[first : first + PROMPT_ROWS]))
            done = start + min(first + PROMPT_ROWS, len(part))
            progress("encoding prompts", done, len(missing))
        features.add_prompts(part, torch.cat(found))
