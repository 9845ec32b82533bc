"""A way of learning on top of a linearised learner whose step is known already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.registry import DEFAULT, Lesson, Settings, find_adaptation
from alworkbench.heads import Features

ZERO_SHOT = "zero-shot"


def apply_adaptation(
    name: str,
    start: Learner,
    learned: Learner,
    labelled: Features,
    labels: Sequence[int],
    seed: int,
) -> Learner:
    """What `find_adaptation(name)` makes of n labels, where the linearised learner is there.

    `start` is the model as it came, `learned` what the linearised model learned from `labelled` with
    these class indices. Raises UnknownAdaptation.
    """
    way = find_adaptation(name)
    if name == ZERO_SHOT or not labels:
        return start
    if name == DEFAULT:
        return learned
    classes = learned.class_activations
    targets = torch.nn.functional.one_hot(
        torch.tensor(labels, dtype=torch.long, device=classes.device), len(classes)
    ).double()
    lesson = Lesson(
        labelled.to(classes.device, torch.float64), targets, torch.ones_like(targets[:, 0])
    )
    return replace(learned, predictor=way.teach(learned, lesson, Settings(seed=seed)))
