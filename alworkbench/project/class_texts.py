"""What the model reads of the class names: prompts that are cut, and classes with the same text features.

A model cannot tell apart two classes whose text features are equal, whatever the reason: both names are cut
at the same place, or the tokenizer drops what makes them different.

Dimensions used in this file
    C  classes
    Q  width of a text activation
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.core.domain import ClassList
from alworkbench.core.errors import FeaturesMissing
from alworkbench.encoders.context_length import cut_prompts
from alworkbench.project.session import Session

CLOSEST = 1e-4
"""Distance of two unit vectors below which they are the same: rounding alone explains it."""
ROWS = 512
"""Rows that are compared with all others at once."""


def same_rows(activations: Float[Tensor, "C Q"]) -> list[list[int]]:
    """Groups of rows with the same direction, each of at least two, in the order of the rows."""
    unit = torch.nn.functional.normalize(activations.cpu().double(), dim=-1)
    groups: list[list[int]] = []
    taken: set[int] = set()
    for start in range(0, len(unit), ROWS):
        cosines = unit[start : start + ROWS] @ unit.T
        near = (2 - 2 * cosines) < CLOSEST**2
        for row in (near.sum(dim=1) > 1).nonzero().flatten().tolist():
            if start + row not in taken:
                group = near[row].nonzero().flatten().tolist()
                groups.append(group)
                taken.update(group)
    return groups


def same_names(session: Session, classes: ClassList) -> tuple[tuple[str, ...], ...]:
    """Groups of classes with the same text features; empty before the prompts are encoded."""
    try:
        activations = session.engine().class_activations(classes)
    except FeaturesMissing:
        return ()
    names = classes.names
    return tuple(tuple(names[row] for row in group) for group in same_rows(activations))


def cut_names(session: Session, classes: ClassList) -> tuple[str, ...]:
    """Names of classes with a prompt that is longer than the model can read.

    Empty where features came from a file. Raises EncoderError where the tokenizer cannot be loaded.
    """
    record = session.encoder_record()
    if record.from_file:
        return ()
    cut = set(cut_prompts(record.spec, _prompts(classes)))
    return tuple(each.name for each in classes.classes if not cut.isdisjoint(each.prompts))


def _prompts(classes: ClassList) -> Sequence[str]:
    return [prompt for each in classes.classes for prompt in each.prompts]
