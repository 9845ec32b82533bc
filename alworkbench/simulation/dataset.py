"""The data of a simulation, and the parts of them that one run receives.

Separate values keep the test part out of training. The project of a run receives `RunInputs`, whose
table holds this seed's part of the pool and nothing of the test part. The oracle alone has the labels.
Learners are measured on a `TestPart`, which no part of the project receives.

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

MOST_TARGETS = 1000
"""Test images that a transductive run may look at, at most; the limit of a project's target set."""

BLOCK = 2048
"""Test images in one block of a measurement."""


@dataclass(frozen=True, slots=True)
class TrueLabels:
    """Class names of pool and test images: the truth that an oracle answers from."""

    pool: Mapping[str, str]
    """Content hash -> class name."""
    test: Mapping[str, str]

    def __post_init__(self) -> None:
        if both := set(self.pool) & set(self.test):
            raise ValueError(f"pool and test part share {len(both)} images, such as {min(both)}")


@dataclass(frozen=True, slots=True)
class RunInputs:
    """What the project of one run receives. It holds no labels."""

    engine: FixedEngine
    """Its table holds the images of pool, audit set and targets below, and no other."""
    pool: tuple[str, ...]
    """Content hashes."""
    audit: tuple[str, ...]
    """Content hashes of the audit set, which was drawn from the pool."""
    targets: tuple[str, ...]
    """Content hashes of test images in a transductive simulation, else none."""


@dataclass(frozen=True, slots=True)
class TestPart:
    """Features and labels of the images that learners are measured on. No run may ask them."""

    __test__: ClassVar[bool] = False  # the name begins with Test, but it is no test case

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
    """The data that all runs share. Pool and test part have no image in common."""

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
    """Class index of each row of the table, NO_CLASS, or -1 if the label is unknown."""
    role: str = "own"
    """dev (recipes are chosen on it), report (used for final tables only) or own (a user's data)."""
    card: Mapping[str, Any] | None = None
    """Source, licence and sizes of the collection, for reports."""

    def __post_init__(self) -> None:
        """Raises ValueError if the parts share an image, and for labels that cannot be used."""
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

    def run_inputs(self, seed: int, plan: Plan) -> RunInputs:
        """What the project of a run with this seed receives; equal for all arms."""
        pool = pool_of_seed(self.pool.tolist(), seed, plan.pool_fraction)
        audit, asked = split_audit(pool, plan.audit, seed)
        targets = random_rows(self.test.tolist(), MOST_TARGETS, seed) if plan.transductive else []
        hashes = self.table.hashes
        kept = [*asked, *audit, *targets]
        table = FeatureTable.from_features(
            [hashes[row] for row in kept], self.table.gather(torch.tensor(kept))
        )
        engine = FixedEngine(
            self.encoder_id, self.head, table, self.class_activations, self.posterior
        )
        parts = [tuple(hashes[row] for row in rows) for rows in (asked, audit, targets)]
        return RunInputs(engine, *parts)

    def truth(self, inputs: RunInputs) -> dict[str, int]:
        """Content hash -> class index or NO_CLASS, of every image that a run may ask."""
        shown = (*inputs.pool, *inputs.audit)
        labels = self.labels[self.table.rows_of(shown)]
        return dict(zip(shown, labels.tolist(), strict=True))

    def test_part(self) -> TestPart:
        """The images that no run may ask."""
        return TestPart(self.table.gather(self.test), self.labels[self.test])

    def fingerprint(self) -> str:
        """Hash of all data that decide the result of a run."""
        digest = hashlib.sha256(f"{self.encoder_id} {self.classes.names}".encode())
        digest.update(f"{self.posterior.learning_weight!r}\n".encode())
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
    name: str, engine: Engine, posterior: Posterior, classes: ClassList, truth: TrueLabels
) -> SimulationData:
    """The data of a project's features and a truth. Images without features are left out.

    Runs compute on the CPU, in one process as in many, whatever the engine's device is.
    Raises UnknownClass for a class that the list does not have, NothingToImport for an empty part.
    """
    table = engine.table()
    # Every run reads all features in every round, so they are read into memory once.
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
    """The random part of the pool that the runs of one seed see, equal for all strategies."""
    generator = torch.Generator().manual_seed(seed)
    count = max(1, round(fraction * len(pool)))
    chosen = torch.randperm(len(pool), generator=generator)[:count].sort().values
    return [pool[i] for i in chosen.tolist()]


def random_rows(rows: Sequence[int], count: int, seed: int) -> list[int]:
    """At most `count` rows drawn at random, in their order."""
    generator = torch.Generator().manual_seed(2**33 + seed)
    chosen = torch.randperm(len(rows), generator=generator)[:count].sort().values
    return [rows[i] for i in chosen.tolist()]


def split_audit(pool: Sequence[int], count: int, seed: int) -> tuple[list[int], list[int]]:
    """An audit set of `count` rows drawn at random from a pool, and the rows that are left."""
    generator = torch.Generator().manual_seed(2**32 + seed)
    chosen = set(torch.randperm(len(pool), generator=generator)[:count].tolist())
    audit = [row for i, row in enumerate(pool) if i in chosen]
    return audit, [row for i, row in enumerate(pool) if i not in chosen]
