"""Which classes an image of a round probably has: conformal sets whose thresholds the audit set gives.

The scores are the learner's own probabilities. They are not divided by the temperature that was fitted to
the audit set: it has seen the labels that calibrate the sets, and the sets might hold less often than they
promise. A learner never learns from labels of the audit set, so the promise holds for images that are
drawn like it (`evaluation.calibration.conformal`). It does not hold for images that a strategy chose. A
learner that has seen the pool without labels (`pool-taught`) does not treat these images like the audit
set: on one of two data sets the sets hold a point less often there (P10 in docs/experiments/posterior.md).

Dimensions used in this file
    M  images of a round
    C  classes
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from alworkbench.acquisition.strategy import Batch
from alworkbench.adaptation.learner import Learner
from alworkbench.core.domain import (
    AUDIT_STRATEGY,
    ClassList,
    ClassSets,
    Item,
    Role,
    Round,
    Selection,
)
from alworkbench.core.ports import Reader
from alworkbench.core.words import percent
from alworkbench.evaluation.calibration.conformal import conformal_sets
from alworkbench.evaluation.intervals import wilson_interval
from alworkbench.project.learned_images import learned_hashes
from alworkbench.project.measurements import audit_truth, logits_of
from alworkbench.project.session import Session, stored_id


@dataclass(frozen=True, slots=True)
class SetSettings:
    """What the sets of a round promise."""

    alpha: float = 0.1
    """Largest share of images whose class is not in their set."""
    by_class: bool = False
    """Promise it for every class. A class with fewer than (1 - alpha) / alpha audit images, 9 by default, is
    then in every set: use it only where the audit set has many images of each class."""


DEFAULT_SETS = SetSettings()


def class_sets(
    session: Session,
    learner: Learner,
    classes: ClassList,
    batch: Batch,
    candidates: int,
    settings: SetSettings,
) -> ClassSets | None:
    """The sets of a batch that a strategy selected from so many candidates.

    None where the audit set has too few labels, so that every class would be in every set. Raises
    ValueError for an alpha outside of (0, 1).
    """
    with session.store.read() as reader:
        labelled = audit_truth(reader, classes)
        learned = learned_hashes(session, reader)
        selection = _selection(reader, batch, candidates)
    engine = session.engine()
    rows = engine.table().find(list(labelled)).tolist()
    truth = {
        row: label
        for row, (image, label) in zip(rows, labelled.items(), strict=True)
        if row >= 0 and image not in learned
    }
    if not truth:
        return None
    audit = logits_of(engine, learner, torch.tensor(list(truth))).double()
    labels = torch.tensor(list(truth.values()), dtype=torch.long, device=audit.device)
    fitted = conformal_sets(
        audit.softmax(dim=-1), labels, alpha=settings.alpha, by_class=settings.by_class
    )
    if not bool(fitted.thresholds.isfinite().any()):
        return None
    asked = logits_of(engine, learner, torch.tensor(batch.rows)).double()  # M C
    inside = fitted.sets(asked.softmax(dim=-1)).tolist()
    ids = [stored_id(each.id) for each in classes.classes]
    order = asked.argsort(dim=-1, descending=True).tolist()
    limits = fitted.thresholds.tolist() if settings.by_class else [float(fitted.thresholds[0])]
    return ClassSets(
        alpha=settings.alpha,
        by_class=settings.by_class,
        images=len(truth),
        classes=len(classes),
        selection=selection,
        thresholds=tuple(each if math.isfinite(each) else None for each in limits),
        sets=tuple(
            tuple(ids[k] for k in best_first if held[k])
            for best_first, held in zip(order, inside, strict=True)
        ),
    )


@dataclass(frozen=True, slots=True)
class SetCheck:
    """How often the class that people gave was in the set of the image."""

    round: int
    """Number of the round."""
    labelled: int
    """Images of the round whose answer is a class."""
    held: int
    """Of these, images whose class was in their set."""
    promised: float
    """Share that is expected of images drawn like the audit set."""
    selection: Selection

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the share."""
        return wilson_interval(self.held, self.labelled)

    @property
    def words(self) -> str:
        """Such as `Of the 50 labelled images of round 3, 43 had their class among the likely classes`."""
        low, high = self.interval
        share = f"{percent(self.held / self.labelled, 0)}, 95 % interval {100 * low:.0f} to {100 * high:.0f}"
        promised = f"{100 * self.promised:g} %"
        said = (
            f"Of the {self.labelled:,} labelled images of round {self.round}, {self.held:,} had their class "
            f"among the likely classes ({share})."
        )
        if self.selection is Selection.CHOSEN:
            return f"{said} The sets promise {promised} of random images; a strategy chose these."
        return f"{said} The sets promise {promised} of random images."


def check_sets(round_: Round, items: Sequence[Item]) -> SetCheck | None:
    """Compare the sets of a round with its answers. None without shown sets, and without answers.

    Sets of all classes, which are not shown, count: the promise is over all images.
    """
    sets = round_.class_sets
    if sets is None or not any(sets.shown(each.position) for each in items):
        return None
    given = [
        each.label.class_id in sets.sets[each.position]
        for each in items
        if each.label is not None and each.label.class_id is not None
    ]
    if not given:
        return None
    return SetCheck(round_.number, len(given), sum(given), 1 - sets.alpha, sets.selection)


def _selection(reader: Reader, batch: Batch, candidates: int) -> Selection:
    """What tells whether the images of a batch are drawn like the audit set.

    They are if the batch is drawn uniformly, all audit images were drawn from the pool, and every answered
    image of the pool was drawn uniformly. A strategy tells how it drew by the probabilities of its picks.
    """
    if not drawn_uniformly(batch.probabilities or (), candidates):
        return Selection.CHOSEN
    drawn: dict[bool, set[int]] = {True: set(), False: set()}  # of the audit set, or not
    for each in reader.rounds.all():
        items = reader.rounds.items(each.id)
        probabilities = [item.probability for item in items]
        audit = each.strategy == AUDIT_STRATEGY
        if audit or drawn_uniformly(probabilities, int(each.settings.get("candidates", 0))):
            drawn[audit] |= {item.image_id for item in items}
    alike = reader.labels.current(Role.AUDIT).keys() <= drawn[True]
    alike = alike and reader.labels.current(Role.POOL).keys() <= drawn[False]
    return Selection.LIKE_AUDIT if alike else Selection.AT_RANDOM


def drawn_uniformly(probabilities: Sequence[float | None], candidates: int) -> bool:
    """Whether each pick had the probability 1 / (images that were left). False for picks without one."""
    return len(probabilities) > 0 and all(
        each is not None and math.isclose(each * (candidates - taken), 1)
        for taken, each in enumerate(probabilities)
    )
