"""Strategies that score each image by its own uncertainty and pick the highest scores. Formulas: `scores`."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.cost import draws_cost, streamed_logits_cost
from alworkbench.acquisition.score import Score, highest, joined
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, batch_in_order, strategy

Formula = Callable[[Tensor], Tensor]


def _of_predictions(formula: Formula) -> Callable[[AcquisitionContext], Float[Tensor, "N"]]:
    """A formula of class probabilities (n C), applied to the learner's predictions of all candidates."""
    return lambda context: joined(
        [formula(logits.softmax(dim=-1)) for logits in context.streamed_logits()]
    )


def _of_draws(formula: Formula) -> Callable[[AcquisitionContext], Float[Tensor, "N"]]:
    """A formula of drawn class probabilities (K n C), applied to all candidates."""
    return lambda context: joined([formula(block) for block in context.drawn_probabilities()])


_margins = _of_predictions(scores.margin)

ENTROPY = Score("entropy", streamed_logits_cost, _of_predictions(scores.entropy))
LEAST_CONFIDENCE = Score(
    "least-confidence", streamed_logits_cost, _of_predictions(scores.least_confidence)
)
MARGIN = Score("margin", streamed_logits_cost, lambda context: 1 - _margins(context))
"""1 - margin, so that undecided images have high scores. The strategy `margin` shows the margin itself."""
PREDICTIVE_ENTROPY = Score("predictive-entropy", draws_cost, _of_draws(scores.predictive_entropy))
BALD = Score("bald", draws_cost, _of_draws(scores.bald))


@strategy(MARGIN.name, cost=MARGIN.cost)
def margin(context: AcquisitionContext) -> Batch:
    """The images with the smallest margin. The scores of the batch are the margins."""
    values = _margins(context)
    return batch_in_order(context, scores.best(-values, context.batch_size), values)


entropy = highest(ENTROPY)
least_confidence = highest(LEAST_CONFIDENCE)
predictive_entropy = highest(PREDICTIVE_ENTROPY)
bald = highest(BALD)
