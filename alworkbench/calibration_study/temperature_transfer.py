"""A temperature fitted to labelled images of one data set, applied to the images of another.

Only one number crosses over, so the two may have different classes, and as many as they like; the model
must be the same. Three predictions of the second data set are compared:

- uncalibrated: T = 1;
- transferred: T of a random sample of the first data set;
- oracle: T of the second data set itself, which nobody has who labels nothing there. It is cross-fitted:
  each image is predicted with the T of the images in the other folds.

The protocol is that of Tu et al., 2024, arXiv:2402.07417, who fitted T once per model on one data set and
found the model calibrated on others; they report that some 50 labelled images are enough.

An image that is in both data sets stands on one side only, on which one is drawn at random.

Dimensions used in this file
    N  images of the second data set
    C  classes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.cross_fitting import cross_fit
from alworkbench.adaptation.temperature import (
    FEWEST_IMAGES,
    TemperatureFit,
    fit_temperature,
)
from alworkbench.adaptation.temperature_record import HowDrawn, TemperatureRecord
from alworkbench.calibration_study.calibration_figures import (
    CalibrationFigures,
    Measured,
    figures_of,
    log_loss,
    mean_intervals,
)
from alworkbench.calibration_study.labelled_logits import LabelledLogits
from alworkbench.core.errors import TooFewLabels
from alworkbench.evaluation.metrics import measure

UNCALIBRATED, TRANSFERRED, ORACLE = "uncalibrated", "transferred", "oracle"
FIT_IMAGES = 50
"""Labelled images of the first data set that the temperature is fitted to, if no number is given."""
REPEATS = 20
"""Random samples of them, if no number is given."""


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One prediction of the second data set."""

    name: str
    temperature: Measured
    """With its 95 % interval; 1 without calibration. For the oracle the T of all images together."""
    figures: CalibrationFigures


@dataclass(frozen=True, slots=True)
class DrawnTemperature:
    """The temperature of one random sample of the first data set, and what it does to the second."""

    temperature: Measured
    nlpd: float
    ece: float
    brier: float
    confidence: float


@dataclass(frozen=True, slots=True)
class TemperatureTransfer:
    """How well a temperature of one data set suits another. The rows are those of the first sample."""

    fit_images: int
    images: int
    """Of the second data set."""
    rows: tuple[TransferRow, ...]
    """Uncalibrated, transferred, oracle."""
    over_uncalibrated: Measured
    """NLPD of the transferred temperature minus uncalibrated, paired over images; below 0 it helps."""
    over_oracle: Measured
    """NLPD of the transferred temperature minus oracle, paired; above 0 is what own labels would gain."""
    draws: tuple[DrawnTemperature, ...]
    """One for each sample."""
    warnings: tuple[str, ...]


def stand_apart(
    fit_on: LabelledLogits, apply_to: LabelledLogits, seed: int
) -> tuple[LabelledLogits, LabelledLogits]:
    """Both data sets without a common image: each shared image stays in one, half of them in either."""
    shared = sorted(set(fit_on.hashes) & set(apply_to.hashes))
    if not shared:
        return fit_on, apply_to
    order = torch.randperm(len(shared), generator=torch.Generator().manual_seed(seed)).tolist()
    fitted = {shared[k] for k in order[: len(shared) // 2]}
    return (
        _without(fit_on, set(shared) - fitted),
        _without(apply_to, fitted),
    )


def fit_samples(
    data: LabelledLogits,
    images: int,
    repeats: int,
    seed: int,
    now: datetime,
) -> list[TemperatureRecord]:
    """The temperatures of `repeats` random samples, each of so many images without replacement.

    The first sample does not depend on the number of samples. Raises TooFewLabels if there are fewer
    labelled images.
    """
    if len(data) < images:
        raise TooFewLabels(
            "The temperature",
            len(data),
            images,
            f"of {data.name}",
            "Give --images a smaller number.",
        )
    generator = torch.Generator().manual_seed(2**33 + seed)
    samples = [torch.randperm(len(data), generator=generator)[:images] for _ in range(repeats)]
    return [
        TemperatureRecord(
            fit_temperature(data.logits[rows], data.labels[rows]),
            data.source,
            HowDrawn.RANDOM,
            now,
        )
        for rows in samples
    ]


def transfer(
    records: Sequence[TemperatureRecord],
    target: LabelledLogits,
    force: bool = False,
    seed: int = 0,
) -> TemperatureTransfer:
    """Apply temperatures to a data set; the rows show the first. `seed` draws the folds of the oracle.

    Raises TemperatureMismatch if they come from another model, unless `force` is given, and TooFewLabels
    if the data set has too few images for an oracle.
    """
    if len(target) < FEWEST_IMAGES:
        raise TooFewLabels(
            "The comparison with an own temperature", len(target), FEWEST_IMAGES,
            f"of {target.name}", "Give a data set with more labels.",
        )  # fmt: skip
    applied = [record.apply(target.logits, target.source, force) for record in records]
    first = records[0].fit
    logits = {
        UNCALIBRATED: target.logits,
        TRANSFERRED: applied[0].logits,
        ORACLE: oracle_logits(target, seed),
    }
    temperatures = {
        UNCALIBRATED: Measured(1.0, 1.0, 1.0),
        TRANSFERRED: _interval(first),
        ORACLE: _interval(fit_temperature(target.logits, target.labels)),
    }
    loss = {name: log_loss(each, target.labels) for name, each in logits.items()}
    gaps = [loss[TRANSFERRED] - loss[name] for name in (UNCALIBRATED, ORACLE)]
    over_uncalibrated, over_oracle = mean_intervals(torch.stack(gaps, dim=-1))
    return TemperatureTransfer(
        first.images,
        len(target),
        tuple(
            TransferRow(name, temperatures[name], figures_of(each, target.labels))
            for name, each in logits.items()
        ),
        over_uncalibrated,
        over_oracle,
        tuple(
            _drawn(record.fit, each.logits, target)
            for record, each in zip(records, applied, strict=True)
        ),
        applied[0].warnings,
    )


def oracle_logits(target: LabelledLogits, seed: int) -> Float[Tensor, "N C"]:
    """Logits divided by the data set's own temperature, cross-fitted over folds drawn at random."""
    # `cross_fit` takes the folds in turn: the order of the images must say nothing about their classes.
    generator = torch.Generator().manual_seed(2**34 + seed)
    order = torch.randperm(len(target), generator=generator)
    return cross_fit(target.logits[order], target.labels[order]).logits[order.argsort()]


def _drawn(
    fit: TemperatureFit, scaled: Float[Tensor, "N C"], target: LabelledLogits
) -> DrawnTemperature:
    p = scaled.softmax(dim=-1)
    found = measure(p, target.labels)
    confidence = float(p.amax(dim=-1).mean())
    return DrawnTemperature(_interval(fit), found.nlpd, found.ece, found.brier, confidence)


def _interval(fit: TemperatureFit) -> Measured:
    return Measured(fit.temperature, fit.low, fit.high)


def _without(data: LabelledLogits, hashes: set[str]) -> LabelledLogits:
    kept = [row for row, content in enumerate(data.hashes) if content not in hashes]
    return data.only(torch.tensor(kept, dtype=torch.long))
