"""Which calibration the probabilities of a learner have: of the audit set, of left-out labels, or none.

Every measurement on the audit set fits a temperature and keeps it beside its figures. It belongs to the
learner that was measured and to its class list. The figures after calibration are cross-fitted: each image
is predicted with a temperature that was fitted to the other folds.

Dimensions used in this file
    N  audit images
    C  classes
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.cross_fitting import cross_fit
from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.temperature import FEWEST_IMAGES
from alworkbench.core.domain import Calibration, CalibrationSource, ClassList, MetricRecord
from alworkbench.evaluation.metrics import measure

_SHOWN = ("nlpd", "brier", "ece", "ece_floor")
"""Figures that a temperature changes."""


def fitted_temperature(
    logits: Float[Tensor, "N C"],
    labels: Int[Tensor, "N"],
    classes: ClassList,
    label_scale: float = 1.0,
) -> dict[str, Any]:
    """The temperature of an audit set as entries of a measurement, plain JSON values.

    `label_scale` is that of the learner whose logits these are.

    `temperature` is the fit to all images, `calibrated` has the figures after calibration. Empty for fewer
    than FEWEST_IMAGES images: they say too little about one number.
    """
    if len(labels) < FEWEST_IMAGES:
        return {}
    found = cross_fit(logits, labels)
    after = measure(found.logits.softmax(dim=-1), labels)
    whole = asdict(found.whole)
    if not math.isfinite(whole["standard_error_log"]):
        whole["standard_error_log"] = None  # JSON has no infinity
    return {
        "temperature": {**whole, "class_list_id": classes.id, "label_scale": label_scale},
        "calibrated": {name: getattr(after, name) for name in _SHOWN},
    }


def calibration_of(
    learner: Learner,
    learner_id: int | None,
    classes: ClassList,
    measured: Iterable[MetricRecord],
) -> Calibration:
    """The best calibration that there is for this learner under this class list.

    `measured` are all measurements, oldest first; `learner_id` is None for the zero-shot model. Another
    learning method scales the logits of the zero-shot model in another way, and its temperature is not used.
    """
    for record in reversed(list(measured)):
        found: Mapping[str, Any] | None = record.values.get("temperature")
        if found is None or record.learner_id != learner_id:
            continue
        if (found["class_list_id"], found["label_scale"]) == (classes.id, learner.label_scale):
            source = CalibrationSource.AUDIT
            return Calibration(source, int(found["images"]), float(found["temperature"]))
    term = learner.pool_term
    if term is not None and len(term.left_out):
        return Calibration(CalibrationSource.LEFT_OUT, len(term.left_out))
    return Calibration()
