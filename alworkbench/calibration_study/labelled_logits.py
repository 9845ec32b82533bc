"""Zero-shot logits of the labelled images that one data set is measured on.

Of a collection, a features file or a folder of images these are the images of the test part; of a project
those of the audit set. Both are drawn at random and never learned from, which a temperature needs.

Dimensions used in this file
    N  labelled images
    C  classes
    Q  text activation size
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.temperature_record import (
    LogitSource,
    ProbabilityPath,
    class_list_digest,
)
from alworkbench.core.domain import ClassList
from alworkbench.core.errors import InvalidClassList, NothingToImport
from alworkbench.encoders.head import Head
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.kronecker import Posterior
from alworkbench.posterior.predictive import logit_moments, probit_logits
from alworkbench.project.measurements import BLOCK, audit_truth
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.load.context import LoadContext
from alworkbench.simulation.load.origin import PROJECT, Origin, data_of, opened_project


@dataclass(frozen=True, slots=True)
class LabelledLogits:
    """Logits of one model for labelled images of one class list."""

    name: str
    """Of the data set."""
    encoder_id: str
    path: ProbabilityPath
    classes: ClassList
    hashes: tuple[str, ...]
    """Content hash of each image; all differ."""
    logits: Float[Tensor, "N C"]
    """In float64 on the CPU, with the model's own logit scale."""
    labels: Int[Tensor, "N"]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def source(self) -> LogitSource:
        """What computed the logits."""
        return LogitSource(self.encoder_id, class_list_digest(self.classes), self.path)

    def only(self, rows: Int[Tensor, "n"]) -> LabelledLogits:
        """The images in these rows, in this order."""
        hashes = tuple(self.hashes[row] for row in rows.tolist())
        return replace(self, hashes=hashes, logits=self.logits[rows], labels=self.labels[rows])

    def of_classes(self, members: Sequence[int]) -> LabelledLogits:
        """The images of some classes, with the logits of these classes alone, in this order."""
        chosen = torch.tensor(members)
        rows = torch.isin(self.labels, chosen).nonzero()[:, 0]
        position = torch.full((len(self.classes),), -1, dtype=torch.long)
        position[chosen] = torch.arange(len(chosen))
        kept = self.only(rows)
        return replace(
            kept,
            classes=ClassList(tuple(self.classes.classes[k] for k in members)),
            logits=kept.logits[:, chosen],
            labels=position[kept.labels],
        )


def labelled_logits(origin: Origin, path: ProbabilityPath, context: LoadContext) -> LabelledLogits:
    """The labelled images of an origin with their logits.

    Raises NothingToImport for a project without labels in its audit set, PosteriorMissing for the path
    probit on a project without a posterior, and what reading the data raises.
    """
    if origin.kind == PROJECT:
        with opened_project(origin, context) as workbench:
            return of_project(workbench, path)
    return of_simulation(data_of(origin, context), path)


def of_simulation(data: SimulationData, path: ProbabilityPath) -> LabelledLogits:
    """The test part of a data set."""
    posterior = data.posterior if path is ProbabilityPath.PROBIT else None
    return LabelledLogits(
        data.name,
        data.encoder_id,
        path,
        data.classes,
        tuple(data.table.hashes[row] for row in data.test.tolist()),
        _logits(data.head, posterior, data.table, data.test, data.class_activations),
        data.labels[data.test],
    )


def of_project(workbench: Workbench, path: ProbabilityPath) -> LabelledLogits:
    """The labelled images of a project's audit set."""
    classes = workbench.classes.current()
    name = workbench.session.settings().name
    with workbench.session.store.read() as reader:
        truth = audit_truth(reader, classes)
    if not truth:
        raise NothingToImport(
            f"No image in the audit set of {name!r} has a label. Draw an audit set and label it "
            f"(`alworkbench audit`), or import one (`alworkbench import FOLDER --audit`)."
        )
    engine = workbench.session.engine()
    posterior = workbench.posteriors.newest() if path is ProbabilityPath.PROBIT else None
    table, hashes = engine.table(), sorted(truth)
    activations = engine.class_activations(classes)
    return LabelledLogits(
        name,
        engine.encoder_id,
        path,
        classes,
        tuple(hashes),
        _logits(engine.head, posterior, table, table.rows_of(hashes), activations),
        torch.tensor([truth[each] for each in hashes]),
    )


def split_classes(data: LabelledLogits, seed: int) -> tuple[LabelledLogits, LabelledLogits]:
    """Two label sets from one: the classes are cut in two halves at random, each with its own images.

    With an odd number of classes, the second half has one more. Raises InvalidClassList for fewer than 4
    classes.
    """
    count = len(data.classes)
    if count < 4:
        raise InvalidClassList(
            f"{data.name} has {count} classes. Two halves of at least 2 classes need 4: give another data "
            f"set, or two data sets (`alworkbench calibrate --fit-on A --apply-to B`)."
        )
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    halves = sorted(order[: count // 2]), sorted(order[count // 2 :])
    first, second = (data.of_classes(half) for half in halves)
    return (
        replace(first, name=f"{data.name}, {len(halves[0])} classes"),
        replace(second, name=f"{data.name}, the other {len(halves[1])} classes"),
    )


def _logits(
    head: Head,
    posterior: Posterior | None,
    table: FeatureTable,
    rows: Int[Tensor, "N"],
    activations: Float[Tensor, "C Q"],
) -> Float[Tensor, "N C"]:
    """Plain logits; with a posterior, those of the probit approximation."""
    found = []
    for _, features in table.blocks(rows, BLOCK, activations.device):
        if posterior is None:
            part = head.logits(features, activations)
        else:
            part = probit_logits(logit_moments(head, posterior, features, activations))
        found.append(part.double().cpu())
    return torch.cat(found)
