"""What the model believes of one image: its classes with their spread, and the parts of its uncertainty.

The parts of the uncertainty are defined in `uncertainty_parts`.

The logits of the image are Gaussian, and their means and covariance have a closed form. Its entropies, the
classes that win and the spread of each probability are expectations over this Gaussian, estimated by many
draws of C numbers.

Dimensions used in this file
    K  draws
    C  classes
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.predictive_variance import fits_closed_form, label_covariance
from alworkbench.core.domain import Calibration
from alworkbench.encoders.head import Features
from alworkbench.posterior.linearisation import WeightUpdate
from alworkbench.posterior.predictive import LogitMoments, probit_logits
from alworkbench.project.calibration import CalibratedLearner
from alworkbench.project.uncertainty_parts import (
    Uncertainty,
    drawn_logits,
    gaussian_draws,
    standard_error,
    uncertainty,
)

SETTLED = 0.95
"""The classes in conflict are the likeliest ones that together win this share of the draws."""
SPREAD = 0.95
"""Share of the draws whose probability of a class lies within its spread."""


@dataclass(frozen=True, slots=True)
class ClassBelief:
    """The prediction of one class for one image."""

    name: str
    probability: float
    """Probability at the mean of the posterior (MAP), calibrated: what suggestions and predictions show."""
    low: float
    """Of the probability under the draws, the quantile with (1 - SPREAD) / 2 of them below. The draws are
    scaled as `probability` is; its calibration was fitted to plain predictions, not to draws."""
    high: float
    """The quantile with as many above."""
    moderated: float
    """Probability with the uncertainty of the logits (probit approximation). A temperature of the plain
    logits does not hold for it, so that it is never calibrated; nor are wins and entropies."""
    mean: float
    """Mean of the logit: exact."""
    deviation: float
    """Standard deviation of the logit: exact where the belief is `closed_form`, else of its draws."""
    wins: float
    """Share of the draws in which this class is the likeliest: an estimate."""


@dataclass(frozen=True, slots=True)
class ImageBelief:
    """What a learner believes of one image."""

    uncertainty: Uncertainty
    classes: tuple[ClassBelief, ...]
    """All of them, the likeliest (moderated) first."""
    conflict: tuple[str, ...]
    """Names of the classes in conflict, the likeliest first; one name: the prediction is certain."""
    draws: int
    """Behind the uncertainty, the spreads and the wins, which are estimates."""
    error: float
    """Standard error of the uncertainty from the draws: the largest of its parts, in nats."""
    closed_form: bool
    """Whether the deviations are exact. Not where the covariance is too large, see `fits_closed_form`."""
    labels: int
    """Labels that the model has learned from."""
    calibration: Calibration
    """Of the probabilities of the classes."""


def believe(
    predicting: CalibratedLearner,
    features: Features,
    names: Sequence[str],
    seed: int,
    joint: Callable[[], WeightUpdate],
    exactly: Callable[[Learner], bool] = fits_closed_form,
) -> ImageBelief:
    """What a learner believes of the one image with these features; the same seed gives the same draws.

    `joint` gives draws of the learner of the labels. They are used where the closed form does not fit, or
    costs more than `exactly` allows.
    """
    learner = predicting.learner
    closed_form = exactly(learner)
    mean = learner.logits(features)[0].cpu()
    if closed_form:
        covariance = label_covariance(learner, features).cpu()
        variance, draws = covariance.diagonal(), gaussian_draws(mean, covariance, seed)
    else:
        drawn = drawn_logits(learner, features, joint(), learner.label_scale)
        draws = drawn[:, 0].cpu().double()
        variance = draws.var(dim=0)
    shown = predicting.logits(features)[0].cpu()
    between = spread((draws * _scale(mean, shown)).softmax(dim=-1))
    beliefs = class_beliefs(names, mean, variance, draws, shown.softmax(dim=-1), between)
    probabilities = draws.softmax(dim=-1)
    return ImageBelief(
        uncertainty=uncertainty(probabilities),
        classes=beliefs,
        conflict=in_conflict(beliefs),
        draws=len(draws),
        error=standard_error(probabilities),
        closed_form=closed_form,
        labels=0 if learner.state is None else len(learner.state.images),
        calibration=predicting.calibration,
    )


def _scale(plain: Float[Tensor, "C"], calibrated: Float[Tensor, "C"]) -> float:
    """What the calibration multiplied the logits of the image by; every calibration scales them."""
    width = float(plain.max() - plain.min())
    return float(calibrated.max() - calibrated.min()) / width if width > 0 else 1.0


def spread(probabilities: Float[Tensor, "K C"]) -> Float[Tensor, "2 C"]:
    """The quantiles between which SPREAD of the draws lie, of each class."""
    tail = (1 - SPREAD) / 2
    return torch.from_numpy(np.quantile(probabilities.numpy(), (tail, 1 - tail), axis=0))


def class_beliefs(
    names: Sequence[str],
    logits: Float[Tensor, "C"],
    variance: Float[Tensor, "C"],
    draws: Float[Tensor, "K C"],
    calibrated: Float[Tensor, "C"],
    between: Float[Tensor, "2 C"],
) -> tuple[ClassBelief, ...]:
    """The prediction of each class from its mean logit, variance and draws, the likeliest first.

    `calibrated` are the probabilities that people see, `between` their spreads.
    """
    exact = draws.double()
    plain, variance = logits.double(), variance.double().clamp_min(0)
    moments = LogitMoments(plain[None], variance[None])
    moderated = probit_logits(moments)[0].softmax(dim=-1)
    wins = torch.bincount(exact.argmax(dim=-1), minlength=len(names)) / len(exact)
    columns = (calibrated.double(), *between.double(), moderated, plain, variance.sqrt(), wins)
    rows = zip(names, *(column.tolist() for column in columns), strict=True)
    beliefs = [ClassBelief(*row) for row in rows]
    return tuple(sorted(beliefs, key=lambda belief: -belief.moderated))


def in_conflict(beliefs: Sequence[ClassBelief]) -> tuple[str, ...]:
    """The fewest classes that win SETTLED of the draws, the one that wins most first."""
    chosen: list[str] = []
    won = 0.0
    for belief in sorted(beliefs, key=lambda b: -b.wins):
        if won >= SETTLED:
            break
        chosen.append(belief.name)
        won += belief.wins
    return tuple(chosen)
