"""Predictions of rows of the features, in pieces of them: computed here, or by the workers of an engine.

Dimensions used in this file
    N  rows
    k  likeliest classes of each image
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from alworkbench.core.progress import Progress, silent
from alworkbench.engines.engine import Engine, mapped, refuse_device
from alworkbench.features.feature_rows import FeatureRows
from alworkbench.project.calibration import CalibratedLearner
from alworkbench.project.uncertainty_parts import AT_ONCE, Uncertainty, at_once, uncertainties

BLOCK = 4096
"""Images that are predicted at once, which bounds the memory."""
MOST_NUMBERS = 1 << 20
"""Probabilities that a worker gives back at once, at most, where its images can be fewer."""


@dataclass(frozen=True, slots=True)
class Predicting:
    """What the prediction of every piece needs."""

    learner: CalibratedLearner
    table: FeatureRows
    rows: Int[Tensor, "N"]
    likeliest: int
    """k."""
    seed: int | None
    """Of the draws behind the uncertainty; None: it is not asked for."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """The predictions of consecutive rows."""

    probabilities: Float[Tensor, "n k"]
    classes: Int[Tensor, "n k"]
    """Positions in the class list, the likeliest first."""
    parts: Float64[Tensor, "n 3"] | None
    """Uncertainty: in all, epistemic and aleatoric; nats."""

    def __len__(self) -> int:
        return len(self.probabilities)

    def uncertainties(self) -> Iterator[Uncertainty | None]:
        """Of each row, or None for each."""
        if self.parts is None:
            yield from [None] * len(self)
        else:
            yield from (Uncertainty(*each) for each in self.parts.tolist())


def predicted(
    work: Predicting, engine: Engine | None, progress: Progress = silent
) -> Iterator[Predicted]:
    """The predictions of all rows, piece by piece, in their order. Raises EngineError."""
    count, done = len(work.rows), 0
    size = AT_ONCE
    if engine is not None:
        refuse_device(work.learner.learner.class_activations.device.type, "predicting images")
        least = BLOCK if work.seed is None else at_once(work.learner.learner)
        while size > max(least, BLOCK) and size * work.likeliest > MOST_NUMBERS:
            size //= 2
    elif work.seed is None:
        size = BLOCK
    spans = [(start, min(start + size, count)) for start in range(0, count, size)]
    if engine is None:
        found = (predict_span(work, span, progress) for span in spans)
    else:
        apart = replace(work, table=work.table.without_names())
        found = mapped(engine, predict_span, apart, spans, "predicting images")
    for piece in found:
        done += len(piece)
        progress("predicting", done, count)
        yield piece


def predict_span(work: Predicting, span: tuple[int, int], progress: Progress = silent) -> Predicted:
    """The predictions of the rows from the first to before the second number of a span."""
    rows = work.rows[span[0] : span[1]]
    learner = work.learner.learner
    probabilities, classes = [], []
    for _, features in work.table.blocks(rows, BLOCK, learner.class_activations.device):
        best = work.learner.probabilities(features).topk(work.likeliest, dim=-1)
        probabilities.append(best.values.cpu())
        classes.append(best.indices.int().cpu())
    parts = None
    if work.seed is not None:

        def told(what: str, done: int, total: int) -> None:
            sets = total // max(1, len(rows))
            progress(what, sets * span[0] + done, sets * len(work.rows))

        drawn = uncertainties(learner, work.table, rows, work.seed, told)
        parts = torch.tensor(
            [(each.total, each.epistemic, each.aleatoric) for each in drawn], dtype=torch.float64
        )
    return Predicted(torch.cat(probabilities), torch.cat(classes), parts)
