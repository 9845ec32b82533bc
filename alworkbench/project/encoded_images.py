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
from alworkbench.project.image_facts import key_of


def encoded_images(
    reader: Reader, table: FeatureTable
) -> tuple[Int[np.ndarray, "N"], Int[torch.Tensor, "N"]]:
    """The keys (`key_of`) of all images of pool and audit set that have features, in increasing order, and
    their rows."""
    hashes = [content for role in Role for _, content in reader.images.ids_and_hashes(role)]
    usable = [h for h, has in zip(hashes, table.has(hashes), strict=True) if has]
    keys = np.array([key_of(content) for content in usable], np.int64)
    order = np.argsort(keys, kind="stable")
    return keys[order], table.rows_of([usable[at] for at in order.tolist()])
