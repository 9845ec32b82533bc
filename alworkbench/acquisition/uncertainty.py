"""Strategies that rank each image by its own uncertainty and take the top. Formulas: `scores.py`."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.cost import of_draws, of_streamed_logits
from alworkbench.acquisition.score import Score, joined, top
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, batch_in_order, strategy


def _entropy(context: AcquisitionContext) -> Float[Tensor, "N"]:
    return joined([scores.entropy(z.softmax(dim=-1)) for z in context.streamed_logits()])


def _least_confidence(context: AcquisitionContext) -> Float[Tensor, "N"]:
    return joined([scores.least_confidence(z.softmax(-1)) for z in context.streamed_logits()])


def _margins(context: AcquisitionContext) -> Float[Tensor, "N"]:
    return joined([scores.margin(z.softmax(dim=-1)) for z in context.streamed_logits()])


def _predictive_entropy(context: AcquisitionContext) -> Float[Tensor, "N"]:
    return joined([scores.predictive_entropy(p) for p in context.drawn_probabilities()])


def _bald(context: AcquisitionContext) -> Float[Tensor, "N"]:
    return joined([scores.bald(p) for p in context.drawn_probabilities()])


ENTROPY = Score(
    "entropy",
    "nats",
    "0 to log C",
    "Settles 2009",
    of_streamed_logits,
    _entropy,
)
LEAST_CONFIDENCE = Score(
    "least-confidence",
    "probability",
    "0 to 1 - 1/C",
    "Lewis and Gale 1994",
    of_streamed_logits,
    _least_confidence,
)
MARGIN = Score(
    "margin",
    "probability",
    "0 to 1",
    "Scheffer et al. 2001",
    of_streamed_logits,
    lambda context: 1 - _margins(context),
)
"""1 - margin, so that undecided images score high; the strategy itself shows the margin."""
PREDICTIVE_ENTROPY = Score(
    "predictive-entropy",
    "nats",
    "0 to log C",
    "Gal et al. 2017, arXiv:1703.02910",
    of_draws,
    _predictive_entropy,
)
BALD = Score(
    "bald",
    "nats",
    "0 to log C",
    "Houlsby et al. 2011, arXiv:1112.5745",
    of_draws,
    _bald,
)
entropy = top(ENTROPY, "highest entropy of the model's prediction (no posterior)")


@strategy(
    MARGIN.name,
    "smallest gap between the two likeliest classes (no posterior)",
    unit=MARGIN.unit,
    cost=MARGIN.cost,
    source=MARGIN.source,
    range=MARGIN.range,
)
def margin(context: AcquisitionContext) -> Batch:
    """The images with the smallest margin; the margin is the score that is shown."""
    value = _margins(context)
    return batch_in_order(context, scores.best(-value, context.batch_size), value)


least_confidence = top(LEAST_CONFIDENCE, "least probability of the likeliest class (no posterior)")
predictive_entropy = top(
    PREDICTIVE_ENTROPY, "highest entropy of the prediction averaged over the posterior"
)
bald = top(BALD, "most information of the label about the model, by joint draws")
