"""What tuned prompts change, against the present prompts of the project: both without any label of the pool.

Dimensions used in this file
    C  classes
    D  embedding size
    M  compared images
    m  those with a label of the audit set
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.features.decode import Task
from alworkbench.project.measurements import audit_truth
from alworkbench.project.prompt_tuning import BLOCK, PreparedTuning
from alworkbench.project.session import Session
from alworkbench.prompts.audit_figures import AuditFigures
from alworkbench.prompts.ensembles import mean_probabilities, unit_images, unit_texts

MOST_SHOWN = 100
"""Changed images that are listed: those whose tuned answer is the most confident."""


@dataclass(frozen=True, slots=True)
class ChangedAnswer:
    """An image whose tuned answer is another class than that of the present prompts."""

    hash: str
    path: str
    before: str
    tuned: str
    confidence_before: float
    confidence_tuned: float
    label: str | None
    """In the audit set; None without a label there."""


@dataclass(frozen=True, slots=True)
class TuningEffect:
    """The answers of tuned prompts beside those of the present prompts, on the same images."""

    images: int
    """Answered images that are encoded: only those have an answer of the present prompts."""
    changed: int
    confidence_before: float
    """Mean probability of the predicted class, with the present prompts; 0 without images."""
    confidence_tuned: float
    audit_images: int
    """Images of these with a label of the audit set."""
    audit_before: AuditFigures | None
    """None without such labels."""
    audit_tuned: AuditFigures | None
    examples: tuple[ChangedAnswer, ...]


def tuning_effect(session: Session, prepared: PreparedTuning) -> TuningEffect:
    """Compare the answers for the chosen images. Raises FeaturesMissing before any encoding."""
    classes = session.classes()
    with session.store.read() as reader:
        truth = audit_truth(reader, classes)
    names = classes.names
    images, before_sum, tuned_sum = 0, 0.0, 0.0
    changed: list[ChangedAnswer] = []
    measured: list[tuple[int, Tensor, Tensor]] = []
    for task, before, tuned in _pairs(session, prepared):
        images += 1
        old, new = int(before.argmax()), int(tuned.argmax())
        label = truth.get(task.hash)
        before_sum += float(before[old])
        tuned_sum += float(tuned[new])
        if label is not None:
            measured.append((label, before, tuned))
        if old != new:
            named = None if label is None else names[label]
            confidences = float(before[old]), float(tuned[new])
            changed.append(
                ChangedAnswer(task.hash, task.path, names[old], names[new], *confidences, named)
            )
    audit_before = audit_tuned = None
    if measured:
        labels, old_rows, new_rows = zip(*measured, strict=True)
        right = torch.tensor(labels, dtype=torch.long)
        audit_before = AuditFigures.of(torch.stack(old_rows), right)
        audit_tuned = AuditFigures.of(torch.stack(new_rows), right)
    return TuningEffect(
        images=images,
        changed=len(changed),
        confidence_before=before_sum / max(1, images),
        confidence_tuned=tuned_sum / max(1, images),
        audit_images=len(measured),
        audit_before=audit_before,
        audit_tuned=audit_tuned,
        examples=tuple(heapq.nlargest(MOST_SHOWN, changed, key=lambda each: each.confidence_tuned)),
    )


def _pairs(
    session: Session, prepared: PreparedTuning
) -> Iterator[tuple[Task, Float[Tensor, "C"], Float[Tensor, "C"]]]:
    """Each answered image that is encoded, with its probabilities of the present and the tuned prompts."""
    engine = session.engine()
    table, head = engine.table(), engine.head
    answered = [task for task in prepared.images if task.hash in prepared.answers]
    known = table.has([task.hash for task in answered])
    tasks = [task for task, has in zip(answered, known, strict=True) if has]
    texts = unit_texts(head, engine.class_activations(session.classes()))[None]
    rows = table.rows_of([task.hash for task in tasks])
    following = iter(tasks)
    for _, block in table.blocks(rows, BLOCK, engine.device):
        for before in mean_probabilities(head, unit_images(head, block), texts).cpu():
            task = next(following)
            tuned = torch.tensor(prepared.answers.probabilities(task.hash), dtype=before.dtype)
            yield task, before, tuned
