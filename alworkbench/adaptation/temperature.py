"""One temperature for all logits, fitted to labelled images that the learner did not learn from.

    minimise over T   mean_i - log softmax(z_i / T)_{y_i}  +  (log T)^2 / (2 N 0.5^2)

The weak prior log T ~ Normal(0, 0.5^2) keeps T finite if every prediction is right, or none is. Without
the prior the loss is convex in 1 / T, so a bracketed search on log T finds its minimum.
Guo et al., 2017, arXiv:1706.04599; for vision-language models Tu et al., 2024, arXiv:2402.07417.

Dimensions used in this file
    N  labelled images
    C  classes
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float, Int
from scipy.optimize import minimize_scalar
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, AdaptationSettings

_BOUNDS = (0.05, 20.0)
"""Of the search for T."""


@dataclass(frozen=True, slots=True)
class TemperatureFit:
    """The temperature T of least negative log-likelihood, with its uncertainty."""

    temperature: float
    standard_error_log: float
    """Of log T, from the Fisher information: T times exp(+-1.96 of it) is a 95 % interval."""
    nlpd_before: float
    nlpd_after: float
    images: int
    clamped: bool
    """The optimum lies at a bound of the search: the labels say little about it."""

    def apply(self, logits: Float[Tensor, "*M C"]) -> Float[Tensor, "*M C"]:
        """Logits divided by the temperature."""
        return logits / self.temperature


def fit_temperature(
    logits: Float[Tensor, "N C"],
    labels: Int[Tensor, "N"],
    settings: AdaptationSettings = DEFAULT_SETTINGS,
) -> TemperatureFit:
    """The temperature of most likelihood, by a bracketed search on log T in float64.

    Raises ValueError without labels.
    """
    count = len(labels)
    if count == 0:
        raise ValueError("fitting a temperature needs labelled images, found none")
    logits = logits.double()

    def nlpd(temperature: float) -> float:
        chosen = (logits / temperature).log_softmax(dim=-1).gather(1, labels[:, None])
        return -float(chosen.mean())

    def loss(log_temperature: float) -> float:
        prior = log_temperature**2 / (2 * count * settings.temperature_deviation**2)
        return nlpd(math.exp(log_temperature)) + prior

    low, high = (math.log(bound) for bound in _BOUNDS)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-8})
    log_temperature = float(found.x)
    temperature = math.exp(log_temperature)
    probabilities = (logits / temperature).softmax(dim=-1)
    mean = (probabilities * logits).sum(dim=-1)
    variance = (probabilities * logits.square()).sum(dim=-1) - mean.square()
    information = count * float(variance.mean()) / temperature**2
    return TemperatureFit(
        temperature,
        1 / math.sqrt(information) if information > 0 else math.inf,
        nlpd(1.0),
        nlpd(temperature),
        count,
        min(log_temperature - low, high - log_temperature) < 1e-4,
    )
