"""Strategies that score each image by its own uncertainty and pick the highest scores. Formulas: `scores`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from jaxtyping import Float
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.cost import draws_cost, streamed_logits_cost
from alworkbench.acquisition.score import Score, highest, highest_batch, joined
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, strategy

Formula = Callable[[Tensor], Tensor]


def _predicted(formula: Formula, context: AcquisitionContext) -> Float[Tensor, "N"]:
    """A formula of class probabilities (n C), applied to the learner's predictions of all candidates."""
    found = (formula(logits.softmax(dim=-1)) for logits in context.streamed_logits())
    return joined(found, len(context.candidates))


def _drawn(formula: Formula, context: AcquisitionContext) -> Float[Tensor, "N"]:
    """A formula of drawn class probabilities (K n C), applied to all candidates."""
    found = (formula(block) for block in context.drawn_probabilities())
    return joined(found, len(context.candidates))


def _predicted_at_once(context: AcquisitionContext) -> int:
    return context.block_rows(context.size.logits_row)


def _drawn_at_once(context: AcquisitionContext) -> int:
    return context.block_rows(context.size.drawn_row, context.size.draws_held)


def _of_predictions(name: str, formula: Formula) -> Score:
    return Score(name, streamed_logits_cost, partial(_predicted, formula), _predicted_at_once)


def _of_draws(name: str, formula: Formula) -> Score:
    return Score(name, draws_cost, partial(_drawn, formula), _drawn_at_once)


def _closeness(probabilities: Float[Tensor, "n C"]) -> Float[Tensor, "n"]:
    return 1 - scores.margin(probabilities)


def _negative_margin(probabilities: Float[Tensor, "n C"]) -> Float[Tensor, "n"]:
    return -scores.margin(probabilities)


ENTROPY = _of_predictions("entropy", scores.entropy)
LEAST_CONFIDENCE = _of_predictions("least-confidence", scores.least_confidence)
MARGIN = _of_predictions("margin", _closeness)
"""1 - margin, so that undecided images have high scores. The strategy `margin` shows the margin itself."""
PREDICTIVE_ENTROPY = _of_draws("predictive-entropy", scores.predictive_entropy)
BALD = _of_draws("bald", scores.bald)

_SMALLEST_MARGIN = _of_predictions("margin", _negative_margin)


@strategy(MARGIN.name, cost=MARGIN.cost, streams=True)
def margin(context: AcquisitionContext) -> Batch:
    """The images with the smallest margin. The scores of the batch are the margins."""
    found = highest_batch(context, _SMALLEST_MARGIN)
    return replace(found, scores=tuple(-score for score in found.scores))


entropy = highest(ENTROPY)
least_confidence = highest(LEAST_CONFIDENCE)
predictive_entropy = highest(PREDICTIVE_ENTROPY)
bald = highest(BALD)
