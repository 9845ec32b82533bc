"""Evidence for pages without an engine: made predictions of an audit set, and none of labels left out."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from alworkbench.core.domain import Calibration, CalibrationSource, ClassList, Selection
from alworkbench.project.calibration_evidence import CalibrationEvidence, calibration_evidence
from alworkbench.project.class_sets import SetCheck
from alworkbench.project.evidence_images import EvidenceImages
from alworkbench.project.image_query import EvidenceSet


class FakeEvidence:
    """The audit set has so many images; each class but the first has some errors."""

    def __init__(self, classes: ClassList, images: int) -> None:
        self._found = _audit(classes, images) if images else None

    def images(self, source: EvidenceSet) -> EvidenceImages | None:
        return self._found if source is EvidenceSet.AUDIT else None

    def waits(self, source: EvidenceSet, *, calibration: bool = False) -> str | None:
        return None

    def calibration(self, source: EvidenceSet) -> CalibrationEvidence | None:
        found = self.images(source)
        return None if found is None else _calibration(found)

    def set_checks(self) -> list[SetCheck]:
        return [SetCheck(1, 10, 8, 0.9, Selection.CHOSEN)]


@cache
def _calibration(found: EvidenceImages) -> CalibrationEvidence:
    return calibration_evidence(found, Calibration(CalibrationSource.AUDIT, 100, 1.4), None)


@cache
def _audit(classes: ClassList, images: int) -> EvidenceImages:
    count = len(classes)
    draw = torch.Generator().manual_seed(1)
    labels = torch.arange(images) % count
    logits = torch.randn(images, count, generator=draw)
    logits[torch.arange(images), labels] += 2
    logits[labels == 0, 0] += 20
    shares = torch.nn.functional.one_hot(labels, count).double()
    ids = np.arange(1, images + 1)
    return EvidenceImages(EvidenceSet.AUDIT, classes, ids, labels.numpy(), logits, shares, None, 0)
