"""Several answers to one image become one soft label, by the rule that the project has chosen.

    deciding      one class: the most common one, of equally common ones that with the newest answer
    proportions   each class has the share of the answers that name it
    dawid-skene   each class has its probability under the model of Dawid and Skene, fitted to all answers

An image whose answers agree has this one class, whatever the rule. The weight of an image is the number of
its answers; with `deciding` it is the number of those that name the class.

Dimensions used in this file
    n  images
    C  classes
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Float

from alworkbench.core.domain import ClassList, Consensus, Label, Role
from alworkbench.core.ports import Reader

Given = Sequence[Sequence[tuple[str, int]]]
"""For each image the answers that count: (person, class index), at least one."""


def answers_that_teach(
    reader: Reader, classes: ClassList, role: Role, annotators: Collection[str] = ()
) -> list[list[Label]]:
    """For each image with one, the answers that teach, oldest first; images by their oldest answer.

    Of each annotator the newest answer counts. Those of retired classes teach nothing. With `annotators`, the
    answers of everybody else are left out.
    """
    found = []
    for answers in reader.labels.by_annotator(role).values():
        named = [
            each
            for each in answers
            if each.class_id in classes.counted and (not annotators or each.annotator in annotators)
        ]
        if named:
            found.append(named)
    return sorted(found, key=lambda answers: answers[0].id)


def soft_labels(
    given: Given, deciding: Sequence[int], class_count: int, rule: Consensus
) -> tuple[Float[np.ndarray, "n C"], Float[np.ndarray, "n"]]:
    """Target and weight of each image, float64. `deciding` is the class index that decides each."""
    counts = np.zeros((len(given), class_count))
    for row, answers in enumerate(given):
        np.add.at(counts[row], [index for _, index in answers], 1.0)
    weights = counts.sum(axis=1)
    targets = counts / np.maximum(weights[:, None], 1.0)
    differ = targets.max(axis=1, initial=0.0) < 1
    if rule is Consensus.PROPORTIONS or not differ.any():
        return targets, weights
    if rule is Consensus.DECIDING:
        chosen = np.asarray(deciding, dtype=np.int64)
        rows = np.arange(len(given))
        return np.eye(class_count)[chosen], counts[rows, chosen]
    targets[differ] = _by_dawid_skene(given, class_count)[differ]
    return targets, weights


def _by_dawid_skene(given: Given, class_count: int) -> Float[np.ndarray, "n C"]:
    from alworkbench.evaluation.dawid_skene import dawid_skene

    names = {name: at for at, name in enumerate(sorted({p for each in given for p, _ in each}))}
    flat = [(row, names[p], index) for row, each in enumerate(given) for p, index in each]
    images, people, classes = (np.asarray(column) for column in zip(*flat, strict=True))
    return dawid_skene(images, people, classes, class_count).probabilities
