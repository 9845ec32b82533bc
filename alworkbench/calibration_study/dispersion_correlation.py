"""Correlation of the dispersion of templates (ATFD) with another figure of them, over templates.

The published claim is about templates of nearly the same accuracy: among those within 3 points of the best
one, ATFD and calibration error correlate negatively (Yoon et al., 2024, arXiv:2403.14119). The intervals are
percentile bootstrap intervals over templates. Many templates differ in one word and all are measured on
the same images, so the intervals are too narrow.

Dimensions used in this file
    n  templates
    K  resamples
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.calibration_study.calibration_figures import Measured
from alworkbench.evaluation.image_bootstrap import middle
from alworkbench.prompts.ranking import MARGIN, TemplateFigures

REPEATS = 2000
FEWEST_TEMPLATES = 4
"""With fewer templates there is no correlation to speak of."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """Of two figures over templates."""

    templates: int
    pearson: Measured
    spearman: Measured

    def __str__(self) -> str:
        """Pearson's r with its interval, and Spearman's rank correlation with its own."""
        return f"{_words(self.pearson)}, {_words(self.spearman)}"


def near_the_best(figures: Sequence[TemplateFigures]) -> list[TemplateFigures]:
    """Templates within 3 points of the best accuracy; each needs figures of labelled images."""
    accuracies = [each.audit.accuracy for each in figures if each.audit is not None]
    if len(accuracies) < len(figures):
        raise ValueError("each template needs figures of labelled images")
    best = max(accuracies)
    pairs = zip(figures, accuracies, strict=True)
    return [each for each, accuracy in pairs if accuracy >= best - MARGIN - 1e-9]


def correlation(one: Sequence[float], other: Sequence[float]) -> Correlation | None:
    """The correlation of two figures; None for few templates or a figure without variation."""
    both = torch.tensor([list(one), list(other)], dtype=torch.float64)
    count = both.shape[1]
    if count < FEWEST_TEMPLATES or bool((both.std(dim=1) == 0).any()):
        return None
    chance = torch.Generator().manual_seed(0)
    rows = torch.randint(count, (REPEATS, count), generator=chance)
    samples = both[:, rows].swapaxes(0, 1)  # K 2 n
    return Correlation(
        count,
        _interval(_pearson(both[None]), _pearson(samples)),
        _interval(_pearson(_ranks(both[None])), _pearson(_ranks(samples))),
    )


def _interval(found: Float[Tensor, "1"], drawn: Float[Tensor, "K"]) -> Measured:
    # A resample without variation has no correlation.
    return Measured(float(found), *middle(drawn[drawn.isfinite()]))


def _pearson(values: Float[Tensor, "K 2 n"]) -> Float[Tensor, "K"]:
    centred = values - values.mean(dim=-1, keepdim=True)
    one, other = (centred / centred.norm(dim=-1, keepdim=True)).unbind(dim=1)
    return (one * other).sum(dim=-1)


def _ranks(values: Float[Tensor, "K 2 n"]) -> Float[Tensor, "K 2 n"]:
    """Ranks from 1; equal values have their mean rank."""
    ordered = values.sort(dim=-1).values.contiguous()
    below = torch.searchsorted(ordered, values.contiguous())
    up_to = torch.searchsorted(ordered, values.contiguous(), right=True)
    return (below + up_to + 1).double() / 2


def _words(found: Measured) -> str:
    return f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]"
