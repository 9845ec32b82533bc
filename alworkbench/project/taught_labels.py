"""What the answers of a project teach: one label for each image, soft where annotators disagree.

Of each annotator the newest answer counts, once. Answers that were taken back, skips and "cannot tell"
teach nothing. The target of an image is the mean of its one-hot answers, and its weight is their number.
An answer never replaces that of another annotator, whether it came from the labelling page or from a
file; labels of a file are the answers of the annotator that the import names.

Dimensions used in this file
    n  images with an answer that teaches
    C  classes
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.core.domain import ClassList, Role, deciding_label
from alworkbench.core.ports import Reader
from alworkbench.project.consensus import answers_that_teach, soft_labels
from alworkbench.project.session import stored_id


@dataclass(frozen=True, slots=True)
class TaughtLabels:
    """One label for each image of one role that has an answer which teaches.

    Images are in the order of the oldest answer that counts, so that a second answer to an image leaves
    the order, and with it the noise of posterior draws, as it was.
    """

    images: tuple[int, ...]
    """Image ids."""
    targets: Float[Tensor, "n C"]
    """Of each image, by the rule of the project (see `consensus`), float64."""
    weights: Float[Tensor, "n"]
    """How many answers each target stands for, float64."""
    answers: tuple[tuple[int, ...], ...]
    """Class ids of the answers of each image as they were given, oldest first."""
    classes: tuple[int, ...]
    """Class index of each image where only one class can be used (`deciding_label`)."""


def taught_labels(reader: Reader, classes: ClassList, role: Role = Role.POOL) -> TaughtLabels:
    """The labels that a learner of these classes learns from.

    The label of a merged class teaches the class that it was merged into; that of a retired class teaches
    nothing. Those of the audit set teach no learner: its temperature is fitted to them in the same form.
    """
    index_of = classes.counted
    taught = answers_that_teach(reader, classes, role)
    class_ids = tuple(tuple(stored_id(each.class_id) for each in answers) for answers in taught)
    decided = tuple(index_of[stored_id(deciding_label(a, index_of).class_id)] for a in taught)
    given = [[(each.annotator, index_of[stored_id(each.class_id)]) for each in a] for a in taught]
    rule = reader.settings().consensus
    targets, weights = soft_labels(given, decided, len(classes), rule)
    return TaughtLabels(
        images=tuple(answers[0].image_id for answers in taught),
        targets=torch.from_numpy(targets),
        weights=torch.from_numpy(weights),
        answers=class_ids,
        classes=decided,
    )
