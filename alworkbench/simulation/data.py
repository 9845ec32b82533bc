"""A labelled collection as a simulation needs it: features, truth, and disjoint pool and test parts.

Dimensions used in this file
    N  images of pool and test part together
    C  classes
    Q  text activation size
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.domain import ClassList
from alworkbench.engine import Engine
from alworkbench.errors import NothingToImport, UnknownClass
from alworkbench.features import FeatureTable
from alworkbench.heads import Head
from alworkbench.posterior.kronecker import Posterior

OUT_OF_SCOPE = -2
"""The label of an image of the pool that no class fits; -1 says that the truth is unknown."""


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """Which picture is what: the truth that an oracle answers from."""

    pool: Mapping[str, str]
    """Content hash -> class name."""
    test: Mapping[str, str]

    def __post_init__(self) -> None:
        if both := set(self.pool) & set(self.test):
            raise ValueError(f"pool and test part share {len(both)} images, such as {min(both)}")


@dataclass(frozen=True, slots=True)
class SimulationData:
    """Everything that runs share. Pool and test part have no image in common."""

    name: str
    encoder_id: str
    head: Head
    posterior: Posterior
    classes: ClassList
    class_activations: Float[Tensor, "C Q"]
    table: FeatureTable
    pool: Int[Tensor, "n"]
    """Rows of the table."""
    test: Int[Tensor, "m"]
    labels: Int[Tensor, "N"]
    """Class index of each row of the table, -1 where the truth is unknown."""

    def fingerprint(self) -> str:
        """Hash of what decides a run's result on the side of the data."""
        digest = hashlib.sha256(f"{self.encoder_id} {self.classes.names}".encode())
        hashes = self.table.hashes
        for part in (self.pool, self.test):
            for row in part.tolist():
                digest.update(f"{hashes[row]} {int(self.labels[row])}\n".encode())
        tensors = [self.class_activations, self.head.image_projection, self.head.text_projection]
        for side in (self.posterior.image, self.posterior.text):
            digest.update(
                f"{side.prior_precision!r} {side.pseudo_data_weight!r} {side.pairs}".encode()
            )
            tensors += [side.activation.values, side.embedding.values]
        for tensor in tensors:
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]


def join(
    name: str, engine: Engine, posterior: Posterior, classes: ClassList, truth: LabelledPictures
) -> SimulationData:
    """Join a project's features with the truth. Pictures without features are left out.

    Raises UnknownClass for a class that the list does not have, NothingToImport for an empty part.
    """
    table = engine.table()
    # Every run reads all features every round: once into memory is quicker, and runs share it.
    everything = table.gather(torch.arange(len(table)))
    table = FeatureTable.from_features(table.hashes, everything)
    row_of = table.rows_by_hash()
    index_of = {label: i for i, label in enumerate(classes.names)}
    labels = torch.full((len(table),), -1, dtype=torch.long)
    parts: list[Tensor] = []
    for part, found in (("pool", truth.pool), ("test part", truth.test)):
        rows = sorted(row_of[content] for content in found if content in row_of)
        if not rows:
            raise NothingToImport(
                f"No image of the {part} of {name!r} has features. Import and encode them first: "
                f"`alworkbench import`, `alworkbench encode`."
            )
        for content, label in found.items():
            if label not in index_of:
                raise UnknownClass(label, classes.names, f"The truth of {name!r}")
            if content in row_of:
                labels[row_of[content]] = index_of[label]
        parts.append(torch.tensor(rows))
    return SimulationData(
        name,
        engine.encoder_id,
        engine.head,
        posterior,
        classes,
        engine.class_activations(classes),
        table,
        parts[0],
        parts[1],
        labels,
    )


def pool_of_seed(pool: Sequence[int], seed: int, fraction: float) -> list[int]:
    """The part of the pool that the runs of one seed see: drawn at random, alike for all strategies."""
    generator = torch.Generator().manual_seed(seed)
    count = max(1, round(fraction * len(pool)))
    chosen = torch.randperm(len(pool), generator=generator)[:count].sort().values
    return [pool[i] for i in chosen.tolist()]
