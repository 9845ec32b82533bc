"""Accuracy from labels that a strategy drew, corrected for the biased selection (LURE).

Strategies choose hard images, so the plain mean over their labels underestimates the accuracy. If each
image was drawn with a known probability, LURE weights remove this bias (Farquhar et al., 2021,
arXiv:2101.11665). With N images, of which M are drawn without replacement, the m-th with probability q_m
among those that are left then,

    w_m = 1 + (N - M) / (N - m) (1 / ((N - m + 1) q_m) - 1)        estimate = 1/M sum_m w_m loss_m

has the mean loss over the N images as its expectation. The estimate is of the learner that asked, which
has not seen the labels of its round.

Rules
- Answers count in the order of drawing, up to the first image without an answer.
- Answers without a class (skipped, cannot tell) do not measure accuracy. With such answers, the estimate
  is over the images that have a class: a ratio of two LURE estimates.
- A round without a probability for each of these images has no estimate.

Dimensions used in this file
    M  images drawn and answered
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from alworkbench.core.domain import AUDIT_STRATEGY, AnswerKind, Item, Round, RoundState
from alworkbench.evaluation.intervals import wilson


@dataclass(frozen=True, slots=True)
class Estimate:
    """The mean of a bounded loss over the images that could be drawn."""

    value: float
    """Unbiased; therefore it may lie outside of [0, 1]."""
    low: float
    """95 % interval, within [0, 1]."""
    high: float
    naive: float
    """Plain mean over the drawn images, with the bias of the selection."""
    effective: float
    """Effective sample size: (sum w)^2 / sum w^2."""
    labels: int
    images: int
    """Images that it represents: those without an answer before the round."""

    def complement(self) -> Estimate:
        """The estimate of 1 - loss: the accuracy, if the loss is 1 for a wrong answer.

        Strategies look for errors, so the weights of errors are small and even. The estimate of the error
        has therefore less variance than a direct estimate of the accuracy.
        """
        return replace(
            self, value=1 - self.value, low=1 - self.high, high=1 - self.low, naive=1 - self.naive
        )


@dataclass(frozen=True, slots=True)
class RoundEstimate:
    """The accuracy of the learner that asked, estimated from the labels of its round."""

    round: int
    learner_id: int | None
    """None for the zero-shot model."""
    strategy: str
    accuracy: Estimate
    overconfidence: float
    """Mean confidence minus accuracy, over the same images with the same weights."""
    unclear: int
    """Answers without a class."""


def weights(probabilities: Sequence[float], images: int) -> list[float]:
    """LURE weights of M draws without replacement from so many images, in the order of drawing.

    Raises ValueError for a probability outside of (0, 1], and for more draws than images.
    """
    drawn = len(probabilities)
    if drawn > images:
        raise ValueError(f"{drawn} images were drawn from {images}")
    if any(not 0 < q <= 1 for q in probabilities):
        raise ValueError("a probability of drawing lies outside of (0, 1]")
    if drawn == images:  # all of them: the mean is the mean
        return [1.0] * drawn
    return [
        1 + (images - drawn) / (images - m) * (1 / ((images - m + 1) * q) - 1)
        for m, q in enumerate(probabilities, start=1)
    ]


def estimate(
    losses: Sequence[float],
    probabilities: Sequence[float],
    images: int,
    counted: Sequence[bool] | None = None,
) -> Estimate:
    """The mean of losses in [0, 1] over all images. `counted` marks the losses that exist (default: all).

    The interval is Wilson's for the effective sample size, or for the size that follows from the variance
    of the weighted losses if that is smaller. So it is reliable near 0 and 1 and with few labels.
    """
    if not losses:
        raise ValueError("nothing to estimate from: no answers")
    weight = weights(probabilities, images)
    counted = [True] * len(losses) if counted is None else counted
    kept = [(w, loss) for w, loss, keep in zip(weight, losses, counted, strict=True) if keep]
    if not kept:
        raise ValueError("no answer names a class")
    total = sum(w for w, _ in kept)
    share = sum(w * loss for w, loss in kept)
    effective = total**2 / sum(w * w for w, _ in kept)
    if len(kept) == len(losses):
        value, terms = share / len(losses), [w * loss for w, loss in kept]
    else:  # a ratio: its terms scatter by w (loss - value), to first order
        value = share / total
        terms = [w * (loss - value) * len(kept) / total for w, loss in kept]
    low, high = _interval(value, effective, terms, images)
    naive = sum(loss for _, loss in kept) / len(kept)
    return Estimate(value, low, high, naive, effective, len(kept), images)


def _interval(
    value: float, effective: float, terms: Sequence[float], images: int
) -> tuple[float, float]:
    """Wilson's interval of a mean of terms, for the sample size that their variance allows."""
    share, size = min(1.0, max(0.0, value)), effective
    if len(terms) > 1:
        mean = sum(terms) / len(terms)
        spread = sum((t - mean) ** 2 for t in terms) / (len(terms) - 1)
        if spread > 0 and 0 < share < 1:
            size = min(size, share * (1 - share) * len(terms) / spread)
    left = (
        1 - len(terms) / images
    )  # drawn without replacement: nothing is uncertain once all images are drawn
    if left <= 0:
        return share, share
    size = max(1.0, size / left)
    centre, half = wilson(share, size)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


def of_round(round_: Round, items: Iterable[Item]) -> RoundEstimate | None:
    """The estimate from the labels of a closed round, or None if they do not allow one."""
    images = round_.settings.get("candidates")
    if (
        round_.strategy == AUDIT_STRATEGY
        or round_.state is RoundState.OPEN
        or not isinstance(images, int)
    ):
        return None
    answered: list[tuple[Item, float]] = []
    for item in sorted(items, key=lambda each: each.position):
        if item.label is None:
            break
        if item.probability is None or item.suggestion is None:
            return None
        answered.append((item, item.probability))
    named = [_names_a_class(item) for item, _ in answered]
    if not any(named):
        return None
    drawn = [q for _, q in answered]
    wrong = [float(not _is_right(item)) for item, _ in answered]
    expected_errors = [
        1 - item.suggestion.probability if item.suggestion else 0.0 for item, _ in answered
    ]
    accuracy = estimate(wrong, drawn, images, named).complement()
    expected_error = estimate(expected_errors, drawn, images, named)
    return RoundEstimate(
        round_.number,
        round_.learner_id,
        round_.strategy,
        accuracy,
        (1 - expected_error.value) - accuracy.value,
        len(named) - sum(named),
    )


def pooled(estimates: Sequence[RoundEstimate]) -> Estimate | None:
    """One estimate over several rounds, each weighted by its labels: the average of the learners that asked.
    None without rounds."""
    every = [each.accuracy for each in estimates]
    total = sum(each.labels for each in every)
    if not total:
        return None

    def mean(values: Iterable[float]) -> float:
        return sum(each.labels * v for each, v in zip(every, values, strict=True)) / total

    value = mean(each.value for each in every)
    # Half-widths of independent rounds add as squares.
    below = (
        math.sqrt(sum((e.labels * (min(1, max(0, e.value)) - e.low)) ** 2 for e in every)) / total
    )
    above = (
        math.sqrt(sum((e.labels * (e.high - min(1, max(0, e.value)))) ** 2 for e in every)) / total
    )
    share = min(1.0, max(0.0, value))
    return Estimate(
        value,
        max(0.0, share - below),
        min(1.0, share + above),
        mean(each.naive for each in every),
        sum(each.effective for each in every),
        total,
        max(each.images for each in every),
    )


def _names_a_class(item: Item) -> bool:
    return item.label is not None and item.label.kind is AnswerKind.CLASS


def _is_right(item: Item) -> bool:
    label, said = item.label, item.suggestion
    return label is not None and said is not None and label.class_id == said.class_id
