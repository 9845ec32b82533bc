"""The rows of a comparison: each kind of prompts with each kind of calibration.

A temperature is fitted to the logits that it scales: after the probit approximation where that is used.
It is cross-fitted (`adaptation.cross_fitting`): no image is predicted with a temperature that was fitted
to its own label.

Dimensions used in this file
    m  labelled images
    C  classes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.cross_fitting import CrossFitted, cross_fit
from alworkbench.adaptation.temperature_record import (
    ZERO_SHOT_LEARNER,
    HowDrawn,
    LogitSource,
    ProbabilityPath,
    TemperatureRecord,
    class_list_digest,
)
from alworkbench.calibration_study.figures import differences, row_figures, seconds_interval
from alworkbench.calibration_study.plan import CalibrationKind, PromptKind, StudySettings
from alworkbench.calibration_study.predictions import PromptLogits
from alworkbench.calibration_study.result import StudyRow, reference_of
from alworkbench.calibration_study.seconds import EncodingSeconds
from alworkbench.core.domain import ClassList, LabelClass


@dataclass(frozen=True, slots=True)
class RowMaker:
    """What all rows share."""

    labels: Int[Tensor, "m"]
    encoder_id: str
    classes: ClassList
    settings: StudySettings
    encoding: EncodingSeconds
    created_at: datetime

    def rows(self, found: Sequence[PromptLogits], chosen: str) -> tuple[StudyRow, ...]:
        """All rows, with their differences from the reference. `chosen` is the template of ATFD."""
        made: list[tuple[StudyRow, Tensor]] = []
        for each in found:
            made += [self._row(each, kind, chosen) for kind in CalibrationKind]
        reference = reference_of(tuple(row for row, _ in made))
        plain = {row.prompts: p for row, p in made if row.calibration is CalibrationKind.PLAIN}

        def compared(row: StudyRow, p: Tensor) -> StudyRow:
            own, other = plain[row.prompts], plain[reference.prompts]
            return replace(
                row,
                difference={} if p is other else differences(p, other, self.labels, *self._draws),
                over_plain={} if p is own else differences(p, own, self.labels, *self._draws),
            )

        return tuple(compared(row, p) for row, p in made)

    @property
    def _draws(self) -> tuple[int, int]:
        return self.settings.resamples, self.settings.seed

    def _row(
        self, found: PromptLogits, kind: CalibrationKind, chosen: str
    ) -> tuple[StudyRow, Float[Tensor, "m C"]]:
        logits = found.probit if kind.probit else found.plain
        fitted = cross_fit(logits, self.labels) if kind.scaled else None
        probabilities = (logits if fitted is None else fitted.logits).softmax(dim=-1)
        predicted = torch.tensor(
            found.seconds_probit if kind.probit else found.seconds_plain, dtype=torch.float64
        )
        encoded = torch.tensor(
            self.encoding.views if found.kind.tuned else self.encoding.image, dtype=torch.float64
        )
        row = StudyRow(
            prompts=found.kind,
            calibration=kind,
            figures=row_figures(probabilities, self.labels, *self._draws),
            difference={},
            over_plain={},
            seconds=seconds_interval(encoded + predicted[: len(encoded)], *self._draws),
            seconds_known=seconds_interval(predicted, *self._draws),
            temperature=None if fitted is None else self._record(fitted, found.kind, kind, chosen),
            fold_temperatures=() if fitted is None else fitted.temperatures,
        )
        return row, probabilities

    def _record(
        self, fitted: CrossFitted, prompts: PromptKind, kind: CalibrationKind, chosen: str
    ) -> TemperatureRecord:
        """The temperature for new images, with the prompts that it belongs to."""
        templates = {
            PromptKind.ENSEMBLE: self.settings.templates,
            PromptKind.ATFD: (chosen,),
        }.get(prompts, (self.settings.single_template,))
        described = ClassList(tuple(LabelClass(name, templates) for name in self.classes.names))
        if prompts is PromptKind.PRESENT:
            described = self.classes
        source = LogitSource(
            self.encoder_id,
            class_list_digest(described),
            ProbabilityPath.PROBIT if kind.probit else ProbabilityPath.PLAIN,
            f"{ZERO_SHOT_LEARNER}, {prompts.value}" if prompts.tuned else ZERO_SHOT_LEARNER,
        )
        return TemperatureRecord(fitted.whole, source, HowDrawn.RANDOM, self.created_at)
