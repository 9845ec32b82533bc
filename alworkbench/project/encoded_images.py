"""Which images of a project have features, and in which rows of the table.

Dimensions used in this file
    N  images that have features
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int

from alworkbench.core.domain import Role
from alworkbench.core.ports import Reader
from alworkbench.features.table import FeatureTable
from alworkbench.project.image_columns import ImageColumns
from alworkbench.project.image_facts import keys_of


def encoded_images(
    reader: Reader, table: FeatureTable
) -> tuple[Int[np.ndarray, "N"], Int[torch.Tensor, "N"]]:
    """The keys (`key_of`) of all images of pool and audit set that have features, in increasing order, and
    their rows."""
    parts = []
    for role in Role:
        hashes = ImageColumns.read(reader, role).hashes
        there = table.find(hashes)
        parts.append((keys_of(hashes)[there >= 0], there[there >= 0]))
    keys, rows = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(keys, kind="stable")
    return keys[order], torch.from_numpy(rows[order])
