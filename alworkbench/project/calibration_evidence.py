"""Whether the probabilities of the newest learner hold on labelled images that it did not learn from.

Figures after the temperature are cross-fitted: each image is predicted with a temperature of other images.
The same holds for the prediction sets. So both say what to expect of new images, and not how well numbers fit
the images that they were fitted to.

Dimensions used in this file
    n  labelled images
    C  classes
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.cross_fitting import FOLDS, cross_fit
from alworkbench.adaptation.temperature import FEWEST_IMAGES, TemperatureFit
from alworkbench.core.domain import Calibration
from alworkbench.evaluation.calibration.conformal import conformal_sets
from alworkbench.evaluation.calibration.reliability_diagram import (
    ReliabilityBin,
    reliability_diagram,
)
from alworkbench.evaluation.intervals import wilson_interval
from alworkbench.evaluation.metrics import measure
from alworkbench.project.class_sets import DEFAULT_SETS
from alworkbench.project.evidence_images import EvidenceImages
from alworkbench.project.image_query import EvidenceSet
from alworkbench.project.measurements import intervals

BINS = 10
"""Bars of the diagram. The calibration error keeps its 15 bins, as in reports."""


@dataclass(frozen=True, slots=True)
class CalibrationFigures:
    """How well some probabilities hold."""

    nlpd: float
    """Mean negative log probability of the label, in nats."""
    nlpd_interval: tuple[float, float]
    """95 % bootstrap interval over images, as that of the calibration error."""
    brier: float
    brier_interval: tuple[float, float]
    ece: float
    ece_interval: tuple[float, float]
    ece_floor: float
    """What the calibration error would be on average if these probabilities held."""
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class ClassCalibration:
    """The images that the model takes for one class."""

    name: str
    images: int
    confidence: float
    """Mean probability of the class, with the temperature where there is one."""
    right: int
    low: float
    """95 % Wilson interval of right / images."""
    high: float


@dataclass(frozen=True, slots=True)
class SetCoverage:
    """Sets of likely classes, each made without the label of its image."""

    promised: float
    """Share of images whose class is in their set."""
    images: int
    held: int
    mean_size: float
    """Classes in a set, on average."""
    single: int
    """Images whose set is one class."""

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of held / images."""
        return wilson_interval(self.held, self.images)


@dataclass(frozen=True, slots=True)
class CalibrationEvidence:
    """What one set of labelled images says of the probabilities."""

    source: EvidenceSet
    images: int
    classes: int
    needed: int
    """Further labelled images before there are figures; 0 where there are."""
    in_use: Calibration
    """What the probabilities on all screens are calibrated on now."""
    fit: TemperatureFit | None
    """The fit behind `in_use`, with its interval, where it is a temperature of the audit set."""
    before: CalibrationFigures | None
    """Of the learner's own probabilities."""
    after: CalibrationFigures | None
    """With the temperature, cross-fitted. None for left-out labels: they have scaled the logits already."""
    by_class: tuple[ClassCalibration, ...]
    """In the order of the class list, without classes that nothing is taken for."""
    sets: SetCoverage | None
    """None for left-out labels, and with too few images for sets that leave a class out."""


def calibration_evidence(
    found: EvidenceImages, in_use: Calibration, fit: TemperatureFit | None
) -> CalibrationEvidence:
    """Compute it. Fewer than FEWEST_IMAGES images have no figures."""
    audit = found.source is EvidenceSet.AUDIT
    count, classes = found.logits.shape
    if count < FEWEST_IMAGES:
        return CalibrationEvidence(
            found.source, count, classes, FEWEST_IMAGES - count, in_use, fit, None, None, (), None
        )
    labels = torch.from_numpy(found.labels)
    scaled = cross_fit(found.logits, found.answers).logits if audit else found.logits
    shown = scaled.softmax(dim=-1)
    return CalibrationEvidence(
        source=found.source,
        images=count,
        classes=classes,
        needed=0,
        in_use=in_use,
        fit=fit,
        before=_figures(found.logits.softmax(dim=-1), labels),
        after=_figures(shown, labels) if audit else None,
        by_class=tuple(_by_class(found, shown, labels)),
        sets=_coverage(found.logits.double().softmax(dim=-1), labels) if audit else None,
    )


def _figures(probabilities: Float[Tensor, "n C"], labels: Int[Tensor, "n"]) -> CalibrationFigures:
    found = measure(probabilities, labels)
    around = intervals(probabilities, labels)
    confidence, said = probabilities.max(dim=-1)
    return CalibrationFigures(
        found.nlpd,
        around["nlpd"],
        found.brier,
        around["brier"],
        found.ece,
        around["ece"],
        found.ece_floor,
        reliability_diagram(confidence, said == labels, BINS),
    )


def _by_class(
    found: EvidenceImages, probabilities: Float[Tensor, "n C"], labels: Int[Tensor, "n"]
) -> list[ClassCalibration]:
    confidence, said = probabilities.double().max(dim=-1)
    rows = []
    for position, name in enumerate(found.classes.names):
        here = said == position
        images = int(here.sum())
        if images:
            right = int((labels[here] == position).sum())
            sure = float(confidence[here].mean())
            rows.append(
                ClassCalibration(name, images, sure, right, *wilson_interval(right, images))
            )
    return rows


def _coverage(probabilities: Float[Tensor, "n C"], labels: Int[Tensor, "n"]) -> SetCoverage | None:
    """Each fold gets the sets that the others give."""
    fold = torch.arange(len(labels)) % FOLDS
    held, sizes = torch.zeros(len(labels), dtype=torch.bool), torch.zeros(len(labels))
    for k in range(FOLDS):
        here = fold == k
        fitted = conformal_sets(probabilities[~here], labels[~here], alpha=DEFAULT_SETS.alpha)
        if not bool(fitted.thresholds.isfinite().any()):
            return None
        inside = fitted.sets(probabilities[here])
        held[here] = inside.gather(1, labels[here][:, None])[:, 0]
        sizes[here] = inside.sum(dim=-1).to(sizes)
    return SetCoverage(
        1 - DEFAULT_SETS.alpha,
        len(labels),
        int(held.sum()),
        float(sizes.mean()),
        int((sizes == 1).sum()),
    )
