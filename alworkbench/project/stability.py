"""How a learner stands on a fixed sample of the pool: recorded when it is made, read by stopping rules.

Screens then compute nothing over the pool. The sample is the same in every round: content hashes are
random numbers already, so the images whose hash is lowest are one; it changes only as the pool does.

Dimensions used in this file
    n  images of the sample
    C  classes
    K  draws
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.acquisition.scores import bald
from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.adaptation.learner import Learner
from alworkbench.core.domain import ClassList
from alworkbench.features.table import FeatureTable

SAMPLE = 500
"""Images whose predictions are compared from learner to learner."""
DRAWN = 200
"""Of these, images that posterior draws are looked at."""
DRAWS = 32
TOP = 0.1
"""Share of the images, those that would teach most, that the next batch is taken to come from."""


@dataclass(frozen=True, slots=True)
class Watch:
    """A learner on the sample."""

    labels: int
    """Learned from."""
    images: tuple[int, ...]
    """Image ids, in no meaningful order."""
    answers: tuple[int, ...]
    """The class id that it predicts for each."""
    confidence: float
    """Mean probability of the predicted class."""
    error_left: float
    """1 - mean probability of the likeliest class, averaged over posterior draws (moderated)."""
    information: float
    """Mean information, in nats, of the labels that would teach most about the model."""

    def as_json(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Watch:
        """The inverse of `as_json`."""
        return cls(
            labels=int(value["labels"]),
            images=tuple(int(each) for each in value["images"]),
            answers=tuple(int(each) for each in value["answers"]),
            confidence=float(value["confidence"]),
            error_left=float(value["error_left"]),
            information=float(value["information"]),
        )


def sample(
    images: Sequence[tuple[int, str]], seed: int, count: int = SAMPLE
) -> list[tuple[int, str]]:
    """(image id, content hash) of a random part of the pool that the seed fixes.

    The seed says from which digit on hashes are compared. Images that come or go leave the others in.
    """
    digit = seed % 32
    return heapq.nsmallest(count, images, key=lambda image: (image[1][digit:], image[1]))


def look(
    learner: Learner,
    table: FeatureTable,
    rows: Mapping[int, int],
    free: Sequence[bool],
    classes: ClassList,
    labels: int,
    seed: int,
) -> Watch:
    """How a learner of so many labels stands.

    `rows`: row of the table -> image id, of the sample; `free` says of each that it has no label.
    """
    context = AcquisitionContext(
        table=table,
        candidates=torch.tensor(list(rows), dtype=torch.long),
        targets=torch.zeros(0, dtype=torch.long),
        learner=learner,
        batch_size=1,
        seed=seed,
        draw_seed=seed,
        draws=DRAWS,
    )
    top = context.logits().softmax(dim=-1).max(dim=-1)
    images = list(rows.values())
    left, information = _drawn(context, [i for i, each in enumerate(free) if each][:DRAWN])
    return Watch(
        labels=labels,
        images=tuple(images),
        answers=tuple(classes.classes[index].id or 0 for index in top.indices.tolist()),
        confidence=float(top.values.double().mean()),
        error_left=left,
        information=information,
    )


def _drawn(context: AcquisitionContext, free: Sequence[int]) -> tuple[float, float]:
    """Predicted error, and information of the top labels, over images that have none."""
    if not free:
        return 0.0, 0.0
    few = replace(context, candidates=context.candidates[torch.tensor(list(free))])
    draws = torch.cat(list(few.drawn_probabilities()), dim=1).double()  # K n C
    gains: Float[Tensor, "n"] = bald(draws).sort(descending=True).values
    best = gains[: max(1, round(TOP * len(gains)))]
    moderated = draws.mean(dim=0).max(dim=-1).values
    return float(1 - moderated.mean()), float(best.mean().clamp_min(0.0))
