"""Confidence of an adapted model brought back to that of its zero-shot model, without any label.

Both functions here assume that the learner should be as confident as the zero-shot model; no label checks
that. Where the zero-shot model is overconfident itself, its mean confidence makes things worse (P7 of
docs/experiments/posterior.md). Where labels teach much that the zero-shot model does not know, its confidence
is far too low for the learner, and both functions do harm (P11). If there are some 50 random labels that
were not learned from, use `alworkbench.adaptation.temperature.fit_temperature`; without them, leave the
default learner as it is.

- `match_zero_shot_confidence`: one temperature for all images, at which the mean confidence of the adapted
  model equals that of the zero-shot model.
- `scale_to_zero_shot_range`: each image's logits are scaled to the range that its zero-shot logits have,
  that is, a temperature for each image (SaLS of Murugesan et al., 2024, arXiv:2407.13588).

Neither changes the predicted class, unless all zero-shot logits of an image are equal.

Dimensions used in this file
    N  images
    C  classes
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from scipy.optimize import brentq
from torch import Tensor

from alworkbench.adaptation.temperature import TEMPERATURE_BOUNDS

_TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class MatchedTemperature:
    """The temperature at which two models are equally confident on average."""

    temperature: float
    confidence: float
    """Mean top probability of the adapted model at this temperature."""
    zero_shot_confidence: float
    """Mean top probability of the zero-shot model: what `confidence` should be."""
    clamped: bool
    """No temperature within the bounds reaches the zero-shot confidence; this is the nearest bound."""

    def apply(self, logits: Float[Tensor, "*M C"]) -> Float[Tensor, "*M C"]:
        """Logits divided by the temperature."""
        return logits / self.temperature


def match_zero_shot_confidence(
    adapted: Float[Tensor, "N C"], zero_shot: Float[Tensor, "N C"]
) -> MatchedTemperature:
    """The temperature for the adapted logits, from logits of both models for the same images.

    The images need no labels. Raises ValueError without images and for logits of different shapes.
    """
    _same_shape(adapted, zero_shot)
    if len(adapted) == 0:
        raise ValueError("matching the zero-shot confidence needs images, found none")
    adapted, target = adapted.double(), _mean_confidence(zero_shot.double())

    def surplus(log_temperature: float) -> float:
        """Falls with the temperature, because each top probability does."""
        return _mean_confidence(adapted / math.exp(log_temperature)) - target

    low, high = TEMPERATURE_BOUNDS
    clamped = True
    if surplus(math.log(low)) < 0:
        temperature = low
    elif surplus(math.log(high)) > 0:
        temperature = high
    else:
        root = brentq(surplus, math.log(low), math.log(high), xtol=_TOLERANCE)
        temperature, clamped = math.exp(root), False
    reached = _mean_confidence(adapted / temperature)
    return MatchedTemperature(temperature, reached, target, clamped)


def scale_to_zero_shot_range(
    adapted: Float[Tensor, "N C"], zero_shot: Float[Tensor, "N C"]
) -> Float[Tensor, "N C"]:
    """Adapted logits whose smallest and largest values in each row are those of the zero-shot logits.

    z' = (z - min z) / (max z - min z) (max z0 - min z0) + min z0. A row of equal adapted logits becomes
    the smallest zero-shot logit everywhere. Raises ValueError for logits of different shapes.
    """
    _same_shape(adapted, zero_shot)
    low, high = adapted.aminmax(dim=-1, keepdim=True)
    low_zero, high_zero = zero_shot.aminmax(dim=-1, keepdim=True)
    width = high - low
    share = torch.where(
        width > 0, (adapted - low) / width.clamp_min(torch.finfo(width.dtype).tiny), 0
    )
    return share * (high_zero - low_zero) + low_zero


def _mean_confidence(logits: Float[Tensor, "N C"]) -> float:
    return float(logits.softmax(dim=-1).amax(dim=-1).mean())


def _same_shape(adapted: Tensor, zero_shot: Tensor) -> None:
    if adapted.shape != zero_shot.shape:
        raise ValueError(
            f"adapted and zero-shot logits must be of the same images and classes, found shapes "
            f"{tuple(adapted.shape)} and {tuple(zero_shot.shape)}"
        )
