"""Learners measured on the audit set, with 95 % intervals, and the records of it.

Dimensions used in this file
    N  audit images
    C  classes
    K  resamples
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.learner import Learner
from alworkbench.core.domain import ClassList, MetricRecord, Role
from alworkbench.core.ports import Reader
from alworkbench.evaluation.image_bootstrap import RESAMPLES, middle, resampled_sums
from alworkbench.evaluation.metrics import calibration_interval, measure
from alworkbench.project.artifacts import Engine
from alworkbench.project.calibration import fitted_temperature, logit_source
from alworkbench.project.session import Session
from alworkbench.project.taught_labels import taught_labels

BLOCK = 8192
"""Images that are predicted at once, which bounds the memory."""

_SMALLEST_PROBABILITY = 1e-12


class Measurements:
    """Every measurement is kept. Whoever measures stores it, with what belongs to it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> list[MetricRecord]:
        """Every measurement, by round, then by time."""
        with self._session.store.read() as reader:
            return reader.computed.metrics()

    def compute(
        self,
        learner: Learner,
        classes: ClassList,
        number: int,
        learner_id: int | None,
        labels: int,
        learned: Collection[str] = (),
    ) -> MetricRecord | None:
        """Measure a learner on the audit set, and store nothing. None where no audit image has a label.

        `number` is that of its round, `learner_id` that of its record (None for the zero-shot model, and for
        a learner that has no record yet), `labels` how many it has learned from. Images in `learned` (content
        hashes) do not measure it: it learned from them before they came into the audit set.
        """
        with self._session.store.read() as reader:
            truth = audit_truth(reader, classes)
            seen = set(learned)
            truth = {content: index for content, index in truth.items() if content not in seen}
            answers = audit_answers(reader, classes, list(truth))
        if not truth:
            return None
        engine = self._session.engine()
        logits = logits_of(engine, learner, engine.table().rows_of(list(truth)))
        order = torch.tensor(list(truth.values()), dtype=torch.long, device=engine.device)
        found = logits.softmax(dim=-1)
        now = self._session.now()
        source = logit_source(learner, learner_id, classes, engine.encoder_id)
        values: Mapping[str, Any] = {
            **measure(found, order).as_json(classes.names),
            **measured_details(found, order, list(truth)),
            **fitted_temperature(logits, order, answers.to(logits.device), source, now),
        }
        return MetricRecord(number, learner_id, labels, len(truth), values, now)


def logits_of(engine: Engine, learner: Learner, rows: Int[Tensor, "N"]) -> Float[Tensor, "N C"]:
    """A learner's logits of these rows of the feature table, on the device of the engine."""
    blocks = engine.table().blocks(rows, BLOCK, engine.device)
    return torch.cat([learner.logits(block) for _, block in blocks])


def audit_truth(reader: Reader, classes: ClassList) -> dict[str, int]:
    """Content hash -> position of the class in the list, of every audit image with a label of the list."""
    hash_of, counted = dict(reader.images.ids_and_hashes(Role.AUDIT)), classes.counted
    return {
        hash_of[image]: counted[label.class_id]
        for image, label in reader.labels.current(Role.AUDIT).items()
        if label.class_id in counted
    }


def audit_answers(
    reader: Reader, classes: ClassList, hashes: Sequence[str]
) -> Float[Tensor, "N C"]:
    """Shares of the answers that several people gave to these labelled audit images, float64."""
    taught = taught_labels(reader, classes, Role.AUDIT)
    hash_of = dict(reader.images.ids_and_hashes(Role.AUDIT))
    row_of = {hash_of[image]: row for row, image in enumerate(taught.images)}
    return taught.targets[torch.tensor([row_of[content] for content in hashes], dtype=torch.long)]


def measured_details(
    probabilities: Float[Tensor, "N C"], labels: Int[Tensor, "N"], hashes: Sequence[str]
) -> dict[str, Any]:
    """What is recorded with a measurement beside its figures; plain JSON values.

    `intervals`: 95 % bootstrap intervals over images. `right`: a 1 for every image that was classified
    correctly, else a 0, by content hash. `audit`: tells apart the sets of images that were measured on.
    """
    right = (probabilities.argmax(dim=-1) == labels).tolist()
    by_hash = sorted(zip(hashes, right, strict=True))
    digest = hashlib.sha256("".join(content for content, _ in by_hash).encode())
    return {
        "intervals": intervals(probabilities, labels),
        "right": "".join("01"[found] for _, found in by_hash),
        "audit": digest.hexdigest()[:16],
    }


def intervals(
    probabilities: Float[Tensor, "N C"],
    labels: Int[Tensor, "N"],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals over images: percentiles, for ECE the basic interval (see `metrics`)."""
    probabilities, labels = probabilities.double().cpu(), labels.cpu()
    count, classes = probabilities.shape
    right = probabilities.argmax(dim=-1) == labels  # N
    surprise = (
        -probabilities.gather(1, labels[:, None])[:, 0].clamp_min(_SMALLEST_PROBABILITY).log()
    )
    cells = torch.zeros(
        count, 2 * classes + 2, dtype=torch.float64
    )  # found, there, surprise, distance
    cells[torch.arange(count), labels] = right.double()
    cells[torch.arange(count), classes + labels] = 1.0
    cells[:, -2] = surprise
    cells[:, -1] = (probabilities - cells[:, classes:-2]).square().sum(dim=-1)
    every = resampled_sums(cells, resamples, seed)
    found, there = every[:, :classes], every[:, classes:-2]
    nlpd, brier = every[:, -2], every[:, -1]
    recall = torch.where(there > 0, found / there.clamp_min(1), torch.zeros(()).double())
    balanced = recall.sum(dim=-1) / (there > 0).sum(dim=-1)  # K
    confidence = probabilities.max(dim=-1).values
    return {
        "balanced_accuracy": middle(balanced),
        "nlpd": middle(nlpd / count),
        "brier": middle(brier / count),
        "ece": calibration_interval(confidence, right, seed=seed),
    }
