"""One temperature for all logits, fitted to labelled images that the learner did not learn from.

    minimise over T   sum_i w_i (- sum_k q_ik log softmax(z_i / T)_k) / sum_i w_i  +  (log T)^2 / (2 n 0.5^2)

q_i is the label of image i: one class, or the shares of the answers of several people. n is the effective
number of images. The weak prior log T ~ Normal(0, 0.5^2) keeps T finite if every prediction is right, or
none is. The loss without the prior is convex in 1 / T; Newton's method on log(1 / T) finds the minimum.

A temperature changes no predicted class and no order of classes. It may change the order of images by
confidence.

Weights are needed if the labels are no plain random sample of the images that the temperature is meant
for: the LURE weights of logged selection probabilities (`alworkbench.evaluation.lure.weights`). Labels
that a strategy chose without such probabilities give the temperature of the chosen images.

Guo et al., 2017, arXiv:1706.04599; for vision-language models Tu et al., 2024, arXiv:2402.07417.

Dimensions used in this file
    N  labelled images
    C  classes
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS, AdaptationSettings
from alworkbench.adaptation.bracketed_newton import minimise
from alworkbench.adaptation.temperature_interval import temperature_uncertainty
from alworkbench.adaptation.temperature_likelihood import TemperatureLikelihood

TEMPERATURE_BOUNDS = (0.05, 20.0)
"""Smallest and largest T that is searched."""
FEWEST_IMAGES, FEWEST_EFFECTIVE_IMAGES = 30, 20
"""With fewer labelled images, or effective images, a fit carries a warning."""


@dataclass(frozen=True, slots=True)
class TemperatureFit:
    """The temperature T of least penalised negative log-likelihood, with its uncertainty."""

    temperature: float
    standard_error_log: float
    """Of log T, without the prior; infinite if the logits tell nothing about T."""
    low: float
    """End of the 95 % interval of T (`temperature_interval`), within TEMPERATURE_BOUNDS."""
    high: float
    dispersion: float
    """Variance of the labels over the one that a single temperature predicts; 1 if it is not larger."""
    nlpd_before: float
    """Weighted mean negative log probability of these labels at T = 1, in nats."""
    nlpd_after: float
    """The same at the fitted T. It is measured on the labels that T was fitted to."""
    images: int
    """Labelled images with a weight above 0."""
    effective_images: float
    """(sum w)^2 / sum w^2: the equally weighted images that are worth as much."""
    clamped: bool
    """The optimum lies at a bound of the search: the labels say little about it."""
    converged: bool

    def apply(self, logits: Float[Tensor, "*M C"]) -> Float[Tensor, "*M C"]:
        """Logits divided by the temperature."""
        return logits / self.temperature

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to distrust the temperature, one sentence each."""
        found = []
        if self.images < FEWEST_IMAGES:
            found.append(
                f"The temperature was fitted to {self.images} labelled images; "
                f"at least {FEWEST_IMAGES} are recommended."
            )
        if self.effective_images < FEWEST_EFFECTIVE_IMAGES:
            found.append(
                f"The weighted labels are worth {self.effective_images:.1f} equally weighted ones; "
                f"at least {FEWEST_EFFECTIVE_IMAGES} are recommended."
            )
        if self.low <= 1 <= self.high:
            found.append(
                f"The 95 % interval of the temperature, {self.low:.2f} to {self.high:.2f}, holds 1: "
                f"the labels do not show that the probabilities need scaling."
            )
        if self.clamped:
            low, high = TEMPERATURE_BOUNDS
            found.append(f"The temperature lies at a bound of the search, {low} to {high}.")
        if not self.converged:
            found.append("The search for the temperature did not converge.")
        return tuple(found)


def fit_temperature(
    logits: Float[Tensor, "N C"],
    labels: Int[Tensor, "N"] | Float[Tensor, "N C"],
    weights: Float[Tensor, "N"] | None = None,
    settings: AdaptationSettings = DEFAULT_SETTINGS,
) -> TemperatureFit:
    """The temperature of most likelihood under the weak prior, in float64 on the device of the logits.

    `labels` are class numbers, or distributions over the classes where several people answered. However
    many answered, an image counts as one label. `weights` say how much each label counts beside the
    others: a constant factor changes nothing. A label of weight 2 moves T as two equal labels would, but
    it makes T no surer.

    Raises ValueError without labels and for values that are no logits, labels or weights.
    """
    likelihood = TemperatureLikelihood.of(logits, labels, weights)
    moments = cache(likelihood.moments)
    precision = 1 / (likelihood.effective_images * settings.temperature_deviation**2)
    smallest, largest = TEMPERATURE_BOUNDS
    bounds = -math.log(largest), -math.log(smallest)
    found = minimise(lambda u: moments(u).penalised(u, precision), *bounds)
    uncertainty = temperature_uncertainty(moments, found.at, bounds)

    def within(temperature: float) -> float:
        """A bound exactly, without the rounding of exp(log(bound))."""
        near = (bound for bound in TEMPERATURE_BOUNDS if math.isclose(temperature, bound))
        return next(near, temperature)

    return TemperatureFit(
        temperature=within(math.exp(-found.at)),
        standard_error_log=uncertainty.standard_error_log,
        low=within(uncertainty.low),
        high=within(uncertainty.high),
        dispersion=uncertainty.dispersion,
        nlpd_before=moments(0.0).loss,
        nlpd_after=moments(found.at).loss,
        images=likelihood.images,
        effective_images=likelihood.effective_images,
        clamped=found.at_bound,
        converged=found.converged,
    )
