"""The strategy of EPIG in closed form: candidates stream past the targets. Formulas: `closed_form.py`."""

from __future__ import annotations

from collections.abc import Iterator

from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.epig.closed_form import (
    DIRECTIONS,
    LEADING,
    RANK,
    ClosedForm,
    Rows,
    closed_form_scores,
)
from alworkbench.acquisition.epig.strategies import SOURCE, balanced_weights
from alworkbench.acquisition.score import Score, joined, top
from alworkbench.acquisition.strategy import AcquisitionContext


def _leading(size: Size) -> int:
    return min(LEADING, size.classes)


def _rank(size: Size) -> int:
    return min(RANK, size.labelled * size.classes)


def _row(size: Size) -> int:
    """Bytes of one image prepared."""
    inner = size.embedding + 5 * size.classes + _rank(size)
    own = size.activation + size.embedding + size.classes
    if size.own_numbers:
        inner, own = inner + size.classes, own + size.activation
    return 4 * (_leading(size) * inner + own)


def _working_row(size: Size) -> int:
    """Bytes of one image while it is prepared: prepared twice, and what labels took away of it."""
    return size.logits_row + 3 * _row(size) + 24 * _rank(size) * size.classes


def _pair_row(size: Size) -> int:
    """Bytes of one candidate with all targets."""
    return 16 * size.targets * _leading(size) ** 2


def _held(size: Size) -> int:
    """The targets, and what the labels took away."""
    taken = 4 * _rank(size) * size.labelled * size.classes
    return size.targets * _row(size) + taken + 24 * size.candidates


def _cost(size: Size) -> Cost:
    rank = _rank(size)
    pairs = size.candidates * size.targets * _leading(size) ** 2
    inner = size.embedding + 3 * size.classes + rank
    images = size.candidates + size.targets
    whiten = images * size.activation * (size.activation + size.embedding)
    conditioned = images * rank * size.classes * (2 * size.labelled + size.classes)
    directions = min(DIRECTIONS, size.labelled * size.classes)
    operations = size.logits + whiten + pairs * inner + conditioned + 10 * directions**3
    gram = 24 * directions**2 + 24 * size.labelled * size.classes * max(64, rank)
    held = _held(size) + _working_row(size) + _pair_row(size)
    return Cost(operations, held + gram)


def prepared(
    context: AcquisitionContext, form: ClosedForm, rows: Int[Tensor, "n"], held: int
) -> Iterator[Rows]:
    """Images of these rows of the table, block by block, in order."""
    model = context.learner.model
    for features in context.blocks(rows, _working_row(context.size), held):
        yield form.rows(model.images(features), context.learner.logits(features))


def _scores(context: AcquisitionContext) -> Float[Tensor, "N"]:
    size = context.size
    form = ClosedForm.of(context.learner)
    held = _held(size)
    targets = Rows.concatenate(list(prepared(context, form, context.targets, held)))
    weights = balanced_weights(targets.probabilities)
    free = (context.memory - held) // 2
    pairs = max(1, min(256, free // _pair_row(size)))
    return joined(
        [
            closed_form_scores(block, targets, weights, block=pairs)
            for block in prepared(context, form, context.candidates, held + free)
        ]
    )


EPIG_CLOSED = Score("epig-closed", "nats", "0 and above, of second order", SOURCE, _cost, _scores)
epig_closed = top(
    EPIG_CLOSED, "most information about the targets, each image alone, in closed form"
)
