"""A labelled collection as a simulation needs it, and the parts that a run is given of it.

What must not meet is kept in different values. A run's project works with a `Workplace`, whose table
holds this seed's part of the pool and nothing of the test part. Truth is with the oracle. A learner is
measured on a `TestPart`, which nothing of the service takes.

Dimensions used in this file
    N  images of pool and test part together
    n  images of the pool, m of the test part
    C  classes
    P  image activation size
    Q  text activation size
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.learner import Learner
from alworkbench.core.domain import NO_CLASS, ClassList
from alworkbench.core.errors import NothingToImport, UnknownClass
from alworkbench.encoders.head import Features, Head
from alworkbench.evaluation.metrics import Metrics, measure
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.kronecker import Posterior
from alworkbench.project.artifacts import Engine, FixedEngine
from alworkbench.simulation.plan import Plan

"""The label of an image of the pool that no class fits; -1 says that the truth is unknown."""

MOST_TARGETS = 1000
"""Test images that a transductive run may look at: what a project takes of its pool as well."""

BLOCK = 2048
"""Test images that are measured on at once."""


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
class Workplace:
    """What the project of one run works with. Nothing in it knows a label."""

    engine: FixedEngine
    """Its table holds the pool and audit images below, and no other image but the targets."""
    pool: tuple[str, ...]
    """Content hashes."""
    audit: tuple[str, ...]
    """Content hashes of the images that were drawn from the pool as an audit set."""
    targets: tuple[str, ...]
    """Content hashes of test images, where the simulation is declared transductive; else none."""


@dataclass(frozen=True, slots=True)
class TestPart:
    """What learners are measured on: features and labels of images that no run may ask."""

    __test__: ClassVar[bool] = False  # no test case, whatever its name says

    features: Features
    labels: Int[Tensor, "m"]

    def measure(self, learner: Learner) -> Metrics:
        """Metrics of a learner on the test part."""
        parts = [
            learner.logits(self.features[start : start + BLOCK])
            for start in range(0, len(self.labels), BLOCK)
        ]
        return measure(torch.cat(parts).softmax(dim=-1), self.labels)


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
    """Class index of each row of the table, NO_CLASS, or -1 where the truth is unknown."""
    role: str = "own"
    """dev (recipes are chosen on it), report (looked at for final tables) or own (a user's)."""
    card: Mapping[str, Any] | None = None
    """What is known of the collection: source, licence, sizes; for reports."""

    def __post_init__(self) -> None:
        """Raises ValueError for parts that meet, and for labels that cannot be used."""
        hashes = self.table.hashes
        pool, test = ({hashes[row] for row in part.tolist()} for part in (self.pool, self.test))
        if len(pool) < len(self.pool) or len(test) < len(self.test):
            raise ValueError(f"an image stands twice in the pool or the test part of {self.name!r}")
        if both := pool & test:
            raise ValueError(f"pool and test part share {len(both)} images, such as {min(both)}")
        allowed = torch.tensor([*range(len(self.classes)), NO_CLASS])
        if not torch.isin(self.labels[self.pool], allowed).all():
            raise ValueError(f"images of the pool of {self.name!r} have no label")
        if not torch.isin(self.labels[self.test], allowed[:-1]).all():
            raise ValueError(f"images of the test part of {self.name!r} have no class")

    def workplace(self, seed: int, plan: Plan) -> Workplace:
        """What the project of a run with this seed holds; alike for all that is compared under it."""
        pool = pool_of_seed(self.pool.tolist(), seed, plan.pool_fraction)
        audit, asked = drawn_apart(pool, plan.audit, seed)
        targets = sampled(self.test.tolist(), MOST_TARGETS, seed) if plan.transductive else []
        hashes = self.table.hashes
        kept = [*asked, *audit, *targets]
        table = FeatureTable.from_features(
            [hashes[row] for row in kept], self.table.gather(torch.tensor(kept))
        )
        engine = FixedEngine(
            self.encoder_id, self.head, table, self.class_activations, self.posterior
        )
        parts = [tuple(hashes[row] for row in rows) for rows in (asked, audit, targets)]
        return Workplace(engine, *parts)

    def truth(self, place: Workplace) -> dict[str, int]:
        """Content hash -> class index or NO_CLASS, of what may be asked in a workplace."""
        shown = (*place.pool, *place.audit)
        labels = self.labels[self.table.rows_of(shown)]
        return dict(zip(shown, labels.tolist(), strict=True))

    def test_part(self) -> TestPart:
        """The images that no run may ask."""
        return TestPart(self.table.gather(self.test), self.labels[self.test])

    def fingerprint(self) -> str:
        """Hash of what decides a run's result on the side of the data."""
        digest = hashlib.sha256(f"{self.encoder_id} {self.classes.names}".encode())
        hashes = self.table.hashes
        for part in (self.pool, self.test):
            for row in part.tolist():
                digest.update(f"{hashes[row]} {int(self.labels[row])}\n".encode())
            for _, features in self.table.blocks(part):
                digest.update(features.activations.numpy().tobytes())
                if features.residuals is not None:
                    digest.update(features.residuals.numpy().tobytes())
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

    Runs compute on the CPU, in one process as in many, whatever the engine's device is.
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
        engine.head.to("cpu"),
        posterior.to("cpu"),
        classes,
        engine.class_activations(classes).cpu(),
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


def sampled(rows: Sequence[int], count: int, seed: int) -> list[int]:
    """At most so many rows drawn at random, in their order."""
    generator = torch.Generator().manual_seed(2**33 + seed)
    chosen = torch.randperm(len(rows), generator=generator)[:count].sort().values
    return [rows[i] for i in chosen.tolist()]


def drawn_apart(pool: Sequence[int], count: int, seed: int) -> tuple[list[int], list[int]]:
    """An audit set of so many rows drawn at random from a pool, and the rows that are left."""
    generator = torch.Generator().manual_seed(2**32 + seed)
    chosen = set(torch.randperm(len(pool), generator=generator)[:count].tolist())
    audit = [row for i, row in enumerate(pool) if i in chosen]
    return audit, [row for i, row in enumerate(pool) if i not in chosen]
