"""A way of learning on top of a linearised learner whose step is known already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.method import ZERO_SHOT, Lesson, Settings
from alworkbench.adaptation.methods import find_adaptation
from alworkbench.encoders.head import Features


def apply_adaptation(
    name: str,
    start: Learner,
    learned: Learner,
    labelled: Features,
    labels: Sequence[int],
    seed: int,
    pool: Callable[[], Features | None] = lambda: None,
) -> Learner:
    """What `find_adaptation(name)` makes of n labels, where the learner beneath it is there.

    `start` is the model as it came, `learned` what `Adaptation.beneath` learned from `labelled` with
    these class indices. Where weights of the classes' own are needed and missing (an older file,
    or a class was added since), they are learned again, with what `pool` gives then (see
    `Adaptation.beneath`). Raises UnknownAdaptation.
    """
    way = find_adaptation(name)
    if way.name == ZERO_SHOT or not labels:
        return start
    classes = learned.class_activations
    targets = torch.nn.functional.one_hot(
        torch.tensor(labels, dtype=torch.long, device=classes.device), len(classes)
    ).double()
    if way.own_weights and (learned.step is None or learned.step.offset is None):
        learned = way.beneath(start, labelled, targets, pool=pool())
    lesson = Lesson(
        labelled.to(classes.device, torch.float64), targets, torch.ones_like(targets[:, 0])
    )
    return replace(learned, predictor=way.teach(learned, lesson, Settings(seed=seed)))
