"""Temperatures that are fitted without the images that they are applied to (cross-fitting).

The images are cut into FOLDS parts: image i belongs to part i mod FOLDS. Each part is predicted with the
temperature of the other parts, so that no image is predicted with a temperature that its own label moved.
Figures of such predictions are not too good, as those of a temperature on its own labels are.

Dimensions used in this file
    N  labelled images
    C  classes
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.temperature import TemperatureFit, fit_temperature

FOLDS = 5


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """Logits divided by temperatures of other images."""

    logits: Float[Tensor, "N C"]
    """Float64."""
    temperatures: tuple[float, ...]
    """That each part was predicted with."""
    whole: TemperatureFit
    """Fitted to all images: the temperature to use for new ones."""


def cross_fit(
    logits: Float[Tensor, "N C"], labels: Int[Tensor, "N"] | Float[Tensor, "N C"]
) -> CrossFitted:
    """Divide the logits of each part by the temperature of the others; `labels` as in `fit_temperature`.

    Raises ValueError for fewer than two images.
    """
    if len(labels) < 2:
        raise ValueError(f"cross-fitting needs at least 2 labelled images, found {len(labels)}")
    fold = torch.arange(len(labels), device=labels.device) % FOLDS
    scaled, used = logits.double().clone(), []
    for k in range(min(FOLDS, len(labels))):
        fit = fit_temperature(logits[fold != k], labels[fold != k])
        scaled[fold == k] = fit.apply(scaled[fold == k])
        used.append(fit.temperature)
    return CrossFitted(scaled, tuple(used), fit_temperature(logits, labels))
