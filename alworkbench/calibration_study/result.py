"""What a comparison of calibrations found: rows, prompts, templates, and everything that decided them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import torch

from alworkbench.adaptation.temperature_record import TemperatureRecord
from alworkbench.calibration_study.calibration_figures import Measured
from alworkbench.calibration_study.dispersion_correlation import Correlation
from alworkbench.calibration_study.figures import RowFigures
from alworkbench.calibration_study.plan import CalibrationKind, PromptKind, StudySettings
from alworkbench.calibration_study.seconds import EncodingSeconds
from alworkbench.core.domain import EncoderRecord, QuarantinedFile
from alworkbench.evaluation.calibration.risk_coverage import RiskCoverage
from alworkbench.prompts.ranking import Ranking, TemplateFigures

FORMAT = "alworkbench-calibration-1"
CURVE_POINTS = 100
"""Points of a risk-coverage curve that are kept."""


@dataclass(frozen=True, slots=True)
class StudyRow:
    """One kind of prompts with one kind of calibration."""

    prompts: PromptKind
    calibration: CalibrationKind
    figures: RowFigures
    difference: Mapping[str, Measured]
    """Accuracy, NLPD and Brier minus those of the reference row, in pairs; empty for the reference."""
    over_plain: Mapping[str, Measured]
    """The same against the plain row of these prompts; empty for a plain row."""
    seconds: Measured
    """Of one image, its encoding included; over the images that were timed."""
    seconds_known: Measured
    """Of one image whose features, or views, are known; over all images."""
    temperature: TemperatureRecord | None
    """Fitted to all images: for new images. No figure of this row comes from it."""
    fold_temperatures: tuple[float, ...]
    """The temperatures that the figures come from: each part of the images with that of the others."""

    @property
    def name(self) -> str:
        """`TPT, probit`."""
        return f"{self.prompts.value}, {self.calibration.value}"


@dataclass(frozen=True, slots=True)
class PromptFacts:
    """One kind of prompts."""

    kind: PromptKind
    words: str
    prompts: int
    """Prompts that are encoded once for the class list."""
    seconds_once: float
    """Of encoding them: the number of prompts times the seconds of one."""
    tuning_seconds: float | None
    """Mean seconds of tuning for an image whose views are known; None where nothing is tuned."""


@dataclass(frozen=True, slots=True)
class StudyResult:
    """A comparison."""

    name: str
    origin: str
    role: str
    encoder: EncoderRecord
    posterior: Mapping[str, Any]
    """Pairs, pseudo-data weight and prior precision of the image and the text side."""
    classes: tuple[str, ...]
    class_list: str
    """Digest of names and templates: `adaptation.temperature_record.class_list_digest`."""
    images: int
    labelled: int
    """Labelled images that there were before the sample."""
    unreadable: tuple[QuarantinedFile, ...]
    """Images of the sample that were left out of every row, with the reason."""
    pool: int
    settings: StudySettings
    rows: tuple[StudyRow, ...]
    prompts: tuple[PromptFacts, ...]
    missing: tuple[str, ...]
    """Why kinds of prompts are not in the table, one sentence each."""
    cut_names: tuple[str, ...]
    """Classes whose prompt is longer than the context of the model in at least one template."""
    ranking: Ranking
    """The templates with their figures on the labelled images, which did not decide the rank."""
    near_best: tuple[TemplateFigures, ...]
    """Templates within 3 points of the best accuracy."""
    correlation: Correlation | None
    """Of ATFD with ECE over `near_best`; None for too few templates."""
    correlation_all: Correlation | None
    """The same over all templates."""
    encoding: EncodingSeconds
    versions: Mapping[str, Any]
    created_at: datetime

    @property
    def chosen(self) -> TemplateFigures:
        """The template that ranks first by ATFD."""
        return self.ranking.templates[0]

    def row(self, prompts: PromptKind, calibration: CalibrationKind) -> StudyRow | None:
        """The row of these kinds, if it was computed."""
        wanted = (each for each in self.rows if each.prompts is prompts)
        return next((each for each in wanted if each.calibration is calibration), None)

    @property
    def kinds(self) -> tuple[PromptKind, ...]:
        """The kinds of prompts that were computed, in the order of the rows."""
        return tuple(dict.fromkeys(each.prompts for each in self.rows))

    @property
    def reference(self) -> StudyRow:
        """The row that others are compared with: the first kind of prompts, plain."""
        return reference_of(self.rows)

    def record(self) -> dict[str, Any]:
        """Everything as JSON values. The times are the only values that change from run to run."""
        plain = {
            name: getattr(self, name)
            for name in (
                "name", "origin", "role", "posterior", "classes", "class_list", "images", "labelled",
                "pool", "missing", "cut_names", "versions",
            )
        }  # fmt: skip
        return {
            "format": FORMAT,
            **plain,
            "encoder": asdict(self.encoder),
            "unreadable": [asdict(each) for each in self.unreadable],
            "settings": self.settings.record(),
            "reference": self.reference.name,
            "rows": [_row(each) for each in self.rows],
            "prompts": [asdict(each) for each in self.prompts],
            "templates": {
                "chosen": self.chosen.template,
                "ranking": asdict(self.ranking),
                "near_best": [each.template for each in self.near_best],
                "atfd_with_ece": None if self.correlation is None else asdict(self.correlation),
                "atfd_with_ece_all": (
                    None if self.correlation_all is None else asdict(self.correlation_all)
                ),
            },
            "encoding_seconds": asdict(self.encoding),
            "created_at": self.created_at.isoformat(),
        }


def reference_of(rows: tuple[StudyRow, ...]) -> StudyRow:
    """The plain row of the single prompt, or of the first kind of prompts without it."""
    plain = [each for each in rows if each.calibration is CalibrationKind.PLAIN]
    return next((each for each in plain if each.prompts is PromptKind.SINGLE), plain[0])


def curve_rows(curve: RiskCoverage) -> list[int]:
    """Which points of a curve are kept: at most CURVE_POINTS at equal steps, the last among them."""
    count = len(curve.coverage)
    kept = torch.linspace(0, count - 1, min(count, CURVE_POINTS)).round().long()
    return kept.unique().tolist()


def _row(row: StudyRow) -> dict[str, Any]:
    found, curve = row.figures, row.figures.risk_coverage
    kept = curve_rows(curve)
    return {
        "prompts": row.prompts.value,
        "calibration": row.calibration.value,
        **{
            name: asdict(getattr(found, name))
            for name in ("accuracy", "nlpd", "ece", "brier", "brier_parts")
        },
        "ece_floor": found.ece_floor,
        "confidence": found.confidence,
        "overconfidence": found.overconfidence,
        "difference_from_reference": {name: asdict(each) for name, each in row.difference.items()},
        "difference_from_plain": {name: asdict(each) for name, each in row.over_plain.items()},
        "seconds": asdict(row.seconds),
        "seconds_known": asdict(row.seconds_known),
        "temperature": None if row.temperature is None else row.temperature.record(),
        "fold_temperatures": list(row.fold_temperatures),
        "reliability": [asdict(each) for each in found.reliability],
        "risk_coverage": {
            "coverage": curve.coverage[kept].tolist(),
            "risk": curve.risk[kept].tolist(),
            "best_risk": curve.best_risk[kept].tolist(),
            "area": curve.area,
            "best_area": curve.best_area,
            "excess_area": curve.excess_area,
        },
    }
