"""Predictions of a learner on a fixed sample of the pool, recorded when it is made, for stopping rules.

Stopping rules then read records and compute nothing over the pool. The sample is the same in every
round: it holds the images with the lowest content hashes, which are random numbers. It changes only
where images of the pool come or go.

Dimensions used in this file
    n  images of the sample
    C  classes
    K  draws
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.acquisition.scores import bald
from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.adaptation.learner import Learner
from alworkbench.core.domain import ClassList
from alworkbench.features.table import FeatureTable
from alworkbench.project.image_columns import ImageColumns

SAMPLE = 500
"""Images whose predictions are compared from learner to learner."""
DRAWN = 200
"""At most so many of them, all without a label, are predicted under posterior draws."""
DRAWS = 32
"""Posterior draws."""
TOP = 0.1
"""Share of the images with the most information, which the next batch probably comes from."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The predictions of one learner on the sample."""

    labels: int
    """Number of labels that it learned from."""
    images: tuple[int, ...]
    """Image ids, in any order."""
    answers: tuple[int, ...]
    """The predicted class id of each image."""
    confidence: float
    """Mean probability of the predicted class."""
    error_left: float
    """Expected error: 1 - mean of the largest class probability, averaged over posterior draws."""
    information: float
    """Mean information (BALD, nats) of the labels of the TOP share of images."""

    def as_json(self) -> dict[str, Any]:
        """A JSON value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Snapshot:
        """The inverse of `as_json`."""
        return cls(
            labels=int(value["labels"]),
            images=tuple(int(each) for each in value["images"]),
            answers=tuple(int(each) for each in value["answers"]),
            confidence=float(value["confidence"]),
            error_left=float(value["error_left"]),
            information=float(value["information"]),
        )


def sample(images: ImageColumns, seed: int, count: int = SAMPLE) -> list[tuple[int, str]]:
    """A random part of the pool as (image id, content hash), fixed by the seed.

    Hashes are compared from a digit on that the seed chooses. Images that come or go do not change the
    choice of the others.
    """
    digit = seed % 32
    at = np.arange(len(images))
    if len(images) > count:
        # The first digits alone leave a few more than so many, whose order is then found.
        characters = np.ascontiguousarray(images.hashes).view(np.uint8).reshape(len(images), -1)
        first = np.ascontiguousarray(characters[:, digit : digit + 8]).view(">u8")[:, 0]
        at = np.flatnonzero(first <= np.partition(first, count - 1)[count - 1])
    hashes = (content.decode() for content in images.hashes[at].tolist())
    some = zip(images.ids[at].tolist(), hashes, strict=True)
    return heapq.nsmallest(count, some, key=lambda image: (image[1][digit:], image[1]))


def of_pool(
    learner: Learner,
    table: FeatureTable,
    classes: ClassList,
    pool: ImageColumns,
    taught: Collection[str],
    seed: int,
) -> Snapshot | None:
    """The snapshot of a learner on the sample of this pool; None for a pool without features.

    `taught` are the content hashes of learned images.
    """
    part = sample(pool, seed)
    found = table.find([content for _, content in part]).tolist()
    rows = {row: image for row, (image, _) in zip(found, part, strict=True) if row >= 0}
    if not rows:
        return None
    hash_of = dict(part)
    free = [hash_of[image] not in taught for image in rows.values()]
    return take_snapshot(learner, table, rows, free, classes, len(taught), seed)


def take_snapshot(
    learner: Learner,
    table: FeatureTable,
    rows: Mapping[int, int],
    free: Sequence[bool],
    classes: ClassList,
    labels: int,
    seed: int,
) -> Snapshot:
    """Predict the sample with a learner of so many labels.

    `rows` is row of the table -> image id of the sample. `free` says of each image whether it has no
    label. The seed fixes the posterior draws.
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
    return Snapshot(
        labels=labels,
        images=tuple(images),
        answers=tuple(classes.classes[index].id or 0 for index in top.indices.tolist()),
        confidence=float(top.values.double().mean()),
        error_left=left,
        information=information,
    )


def _drawn(context: AcquisitionContext, free: Sequence[int]) -> tuple[float, float]:
    """(error_left, information) over these candidates; 0 where there are none."""
    if not free:
        return 0.0, 0.0
    few = replace(context, candidates=context.candidates[torch.tensor(list(free))])
    draws = torch.cat(list(few.drawn_probabilities()), dim=1).double()  # K n C
    gains: Float[Tensor, "n"] = bald(draws).sort(descending=True).values
    best = gains[: max(1, round(TOP * len(gains)))]
    moderated = draws.mean(dim=0).max(dim=-1).values
    return float(1 - moderated.mean()), float(best.mean().clamp_min(0.0))
