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
from alworkbench.core.errors import EncoderMismatch, FeaturesMissing
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.context_length import cut_prompts
from alworkbench.features.prompts import encode_missing
from alworkbench.features.store import FeatureStore
from alworkbench.project.artifacts import load_project_encoder
from alworkbench.project.session import Session

CLOSEST = 1e-4
"""Distance of two unit vectors below which they are the same: rounding alone explains it."""
ROWS = 512
"""Rows that are compared with all others at once."""
WITHOUT_ENCODER = (
    "Encode its prompts where the file was made, and start a new project with the new file."
)
"""What to do where features came from a file and new prompts are needed."""


def encode_classes(
    session: Session, classes: ClassList, encoder: Encoder | None, progress: Progress = silent
) -> None:
    """Encode the prompts that have no features yet, by the project's encoder or by `encoder`.

    Raises FeaturesMissing before the first encoding, EncoderMismatch, and UnknownEncoder where the features
    came from a file.
    """
    record = session.encoder_record()
    features = FeatureStore(session.folder.features / record.id)
    if not features.missing_prompts(_prompts(classes)):
        return
    if encoder is None:
        encoder = load_project_encoder(
            record, session.device, "the prompts of a class", WITHOUT_ENCODER
        )
    elif encoder.id != record.id:
        raise EncoderMismatch("The project's features", record.id, encoder.id)
    encode_missing(features, encoder, _prompts(classes), progress)


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
