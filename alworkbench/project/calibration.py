"""A learner with the best calibration that its project has: of the audit set, of left-out labels, or none.

Every measurement on the audit set fits a temperature and keeps its record beside its figures. It holds for
the learner that was measured. The figures after calibration are cross-fitted: each image is predicted with
a temperature that was fitted to the other folds.

Dimensions used in this file
    N  images
    C  classes
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.cross_fitting import cross_fit
from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.temperature import FEWEST_IMAGES
from alworkbench.adaptation.temperature_record import (
    ZERO_SHOT_LEARNER,
    HowDrawn,
    LogitSource,
    TemperatureRecord,
    class_list_digest,
)
from alworkbench.adaptation.zero_shot_calibration import (
    match_zero_shot_confidence,
    scale_to_zero_shot_range,
)
from alworkbench.core.domain import (
    Calibration,
    CalibrationSource,
    ClassList,
    LabelFreeCalibration,
    MetricRecord,
)
from alworkbench.encoders.head import Features
from alworkbench.evaluation.metrics import measure

NOT_CALIBRATED = Calibration()
_SHOWN = ("nlpd", "brier", "ece", "ece_floor")
"""Figures that a temperature changes."""


@dataclass(frozen=True, slots=True)
class CalibratedLearner:
    """A learner whose logits are calibrated as well as its project can."""

    learner: Learner
    calibration: Calibration = NOT_CALIBRATED
    zero_shot: Learner | None = None
    """The model whose range the logits are scaled to; None for every other calibration."""

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """Calibrated logits of a block of images, in the dtype of the features."""
        found = self.learner.logits(features)
        if self.zero_shot is not None:
            return scale_to_zero_shot_range(found, self.zero_shot.logits(features))
        return found / self.calibration.temperature

    def probabilities(self, features: Features) -> Float[Tensor, "N C"]:
        """Softmax of the calibrated logits: what people see."""
        return self.logits(features).softmax(dim=-1)


def logit_source(
    learner: Learner, learner_id: int | None, classes: ClassList, encoder_id: str
) -> LogitSource:
    """What computes the logits of a learner; `learner_id` is None for the zero-shot model.

    Another learning method may scale the logits of the zero-shot model in another way, so that its name
    has the scale.
    """
    scaled = f"{ZERO_SHOT_LEARNER}, scaled by {learner.label_scale:.6g}"
    name = scaled if learner_id is None else _name_of(learner_id)
    return LogitSource(encoder_id, class_list_digest(classes), learner=name)


def measured_with(record: MetricRecord, learner_id: int) -> MetricRecord:
    """A measurement of a learner that had no id yet, with the id that it was stored under."""
    temperature = record.values.get("temperature")
    if temperature is None:
        return replace(record, learner_id=learner_id)
    source = {**temperature["source"], "learner": _name_of(learner_id)}
    values = {**record.values, "temperature": {**temperature, "source": source}}
    return replace(record, learner_id=learner_id, values=values)


def _name_of(learner_id: int) -> str:
    return f"learner {learner_id}"


def fitted_temperature(
    logits: Float[Tensor, "N C"],
    labels: Int[Tensor, "N"],
    answers: Float[Tensor, "N C"],
    source: LogitSource,
    now: datetime,
) -> dict[str, Any]:
    """The temperature of an audit set as entries of a measurement, plain JSON values.

    It is fitted to the `answers`, the shares of all people's answers to each image; the figures are those
    of the `labels`, one class for each image.

    `temperature` is the record of the fit to all images, `calibrated` has the figures after calibration.
    Empty for fewer than FEWEST_IMAGES images: they say too little about one number.
    """
    if len(labels) < FEWEST_IMAGES:
        return {}
    found = cross_fit(logits, answers)
    after = measure(found.logits.softmax(dim=-1), labels)
    whole = TemperatureRecord(found.whole, source, HowDrawn.RANDOM, now)
    return {
        "temperature": whole.record(),
        "calibrated": {name: getattr(after, name) for name in _SHOWN},
    }


def audit_temperature(
    source: LogitSource, measured: Iterable[MetricRecord]
) -> TemperatureRecord | None:
    """The newest temperature that was fitted to logits of this very model and class list, or None.

    `measured` are all measurements, oldest first. A temperature of another class list, which may hold, is
    not carried over: people who see a probability cannot check that.
    """
    for measurement in reversed(list(measured)):
        stored = measurement.values.get("temperature")
        if stored is None or "fit" not in stored:  # measured before records named their source
            continue
        record = TemperatureRecord.from_record(stored)
        if record.source == source:
            return record
    return None


def calibrated(
    learner: Learner,
    source: LogitSource,
    measured: Iterable[MetricRecord],
    choice: LabelFreeCalibration = LabelFreeCalibration.NONE,
    zero_shot: Callable[[], Learner] | None = None,
    pool: Callable[[], Iterator[Features]] = lambda: iter(()),
) -> CalibratedLearner:
    """The learner with the first calibration that there is: audit set, the user's choice, left-out labels.

    The choice needs the `zero_shot` model and, for the mean confidence, blocks of images of the `pool`;
    they are computed only if it counts. The zero-shot model itself keeps its own confidence.
    """
    record = audit_temperature(source, measured)
    if record is not None:
        fit = record.fit
        return CalibratedLearner(
            learner, Calibration(CalibrationSource.AUDIT, fit.images, fit.temperature)
        )
    adapted = learner.update is not None or learner.predictor is not None or learner.pool_term
    if adapted and choice is not LabelFreeCalibration.NONE and zero_shot is not None:
        return _label_free(learner, choice, zero_shot(), pool())
    term = learner.pool_term
    if term is not None and len(term.left_out):
        return CalibratedLearner(
            learner, Calibration(CalibrationSource.LEFT_OUT, len(term.left_out))
        )
    return CalibratedLearner(learner)


def _label_free(
    learner: Learner, choice: LabelFreeCalibration, zero_shot: Learner, pool: Iterator[Features]
) -> CalibratedLearner:
    if choice is LabelFreeCalibration.RANGE:
        return CalibratedLearner(learner, Calibration(CalibrationSource.ZERO_SHOT_RANGE), zero_shot)
    pairs = [(learner.logits(block), zero_shot.logits(block)) for block in pool]
    if not pairs:
        return CalibratedLearner(learner)
    adapted, before = (torch.cat(side) for side in zip(*pairs, strict=True))
    match = match_zero_shot_confidence(adapted, before)
    source = CalibrationSource.ZERO_SHOT_CONFIDENCE
    return CalibratedLearner(learner, Calibration(source, len(adapted), match.temperature))
