"""Which images of a project a query asks for, and by what they are sorted.

Dimensions used in this file
    N  images of the project
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from alworkbench.core.domain import ClassList, NotesMoment, ProjectFolder, Role
from alworkbench.core.errors import UnknownClass, UnknownRound
from alworkbench.core.ports import Reader
from alworkbench.project.image_facts import CANNOT_TELL, NONE, ROLES, SKIP, ImageFacts, key_of
from alworkbench.project.image_groups import ImageGroups
from alworkbench.project.image_query import Against, Answered, ImageFilter, ImageQuery, Order
from alworkbench.project.image_scores import ImageScores
from alworkbench.project.kept_targets import load_targets
from alworkbench.project.notes import flagged_for, noted_for
from alworkbench.project.session import stored_id

if TYPE_CHECKING:
    from alworkbench.project.evidence_images import EvidenceImages


def shown_rows(facts: ImageFacts, scores: ImageScores) -> Int[np.ndarray, "N"]:
    """The row of each image's prediction; -1 without one, and for unanswered images of the audit set."""
    hidden = (facts.role == ROLES.index(Role.AUDIT)) & (facts.answer == NONE)
    return np.where(hidden, -1, scores.rows(facts.keys))


def values_of(values: np.ndarray, rows: Int[np.ndarray, "N"], missing: float | int) -> np.ndarray:
    """The values of these rows, and `missing` for row -1."""
    return np.where(rows >= 0, np.append(values, missing)[rows], missing)


def matching(
    reader: Reader,
    facts: ImageFacts,
    wanted: ImageFilter,
    classes: ClassList,
    scores: ImageScores | None,
    groups: ImageGroups | None,
    evidence: EvidenceImages | None = None,
) -> Bool[np.ndarray, "N"]:
    """Whether each image meets all conditions. Raises UnknownClass, UnknownRound.

    `evidence` is that of the filter, which is empty without it.
    """
    fits = np.ones(len(facts), bool)
    if wanted.evidence is not None:
        fits &= _in_evidence(facts, wanted, classes, evidence)
    if wanted.role is not None:
        fits &= facts.role == ROLES.index(wanted.role)
    if wanted.answered is not None:
        fits &= _answered(facts, wanted.answered)
    if wanted.classes and wanted.evidence is None:
        fits &= np.isin(facts.answer, ids_of(classes, wanted.classes))
    if wanted.round is not None:
        rounds = {each.number: each.id for each in reader.rounds.all()}
        if wanted.round not in rounds:
            raise UnknownRound(wanted.round, len(rounds))
        fits &= _at(facts, facts.positions(reader.rounds.images(rounds[wanted.round])))
    if wanted.person is not None:
        own = [at for at, people in facts.people.items() if wanted.person in people]
        fits &= _at(facts, np.array(own, np.int64))
    if wanted.disagreement:
        fits &= facts.differ
    if wanted.suggestion is not None:
        both = (facts.suggested > 0) & (facts.answer > 0)
        same = facts.suggested == facts.answer
        fits &= both & (same if wanted.suggestion is Against.AGREES else ~same)
    if scores is not None and wanted.asks_predictions:
        fits &= _predicted(facts, wanted, classes, scores)
    if groups is not None and wanted.asks_groups:
        rows = groups.rows(facts.keys)
        if wanted.near is not None:
            fits &= values_of(groups.column("near"), rows, -np.inf) >= wanted.near
        if wanted.cluster is not None:
            fits &= values_of(groups.column("cluster"), rows, 0) == wanted.cluster
    return fits


def marked(
    reader: Reader,
    facts: ImageFacts,
    wanted: ImageFilter,
    moment: NotesMoment,
    folder: ProjectFolder,
    person: str | None = None,
) -> Bool[np.ndarray, "N"]:
    """Whether each image has the flag and the note of a moment, and is in the target set, that are asked for.

    Flags and notes are those that the `person` may see (None: a script, which sees all). Raises
    InvalidTargets.
    """
    fits = np.ones(len(facts), bool)
    if wanted.flagged:
        fits &= _at(facts, facts.positions(flagged_for(reader, person, moment)))
    if wanted.noted:
        fits &= _at(facts, facts.positions(noted_for(reader, person, moment)))
    if wanted.targets is not None:
        fits &= np.isin(
            facts.keys, [key_of(each) for each in load_targets(folder, wanted.targets).hashes]
        )
    return fits


def _answered(facts: ImageFacts, wanted: Answered) -> np.ndarray:
    match wanted:
        case Answered.NO:
            return facts.newest == 0
        case Answered.YES:
            return facts.newest > 0
        case Answered.CLASS:
            return facts.answer > 0
        case Answered.SKIP:
            return facts.answer == SKIP
        case Answered.CANNOT_TELL:
            return facts.answer == CANNOT_TELL


def _in_evidence(
    facts: ImageFacts, wanted: ImageFilter, classes: ClassList, evidence: EvidenceImages | None
) -> np.ndarray:
    """The images of the evidence with these labels and predictions."""
    if evidence is None:
        return np.zeros(len(facts), bool)
    labels, said = evidence.class_ids(evidence.labels), evidence.class_ids(evidence.predicted)
    fits = np.ones(len(evidence), bool)
    if wanted.classes:
        fits &= np.isin(labels, ids_of(classes, wanted.classes))
    if wanted.predicted:
        fits &= np.isin(said, ids_of(classes, wanted.predicted))
    if wanted.prediction is not None:
        fits &= (labels == said) == (wanted.prediction is Against.AGREES)
    return _at(facts, facts.positions(evidence.images[fits].tolist()))


def _predicted(
    facts: ImageFacts, wanted: ImageFilter, classes: ClassList, scores: ImageScores
) -> np.ndarray:
    rows = shown_rows(facts, scores)
    likeliest = values_of(scores.likeliest(), rows, 0)
    fits = rows >= 0
    if wanted.predicted and wanted.evidence is None:
        fits &= np.isin(likeliest, ids_of(classes, wanted.predicted))
    if wanted.prediction is not None and wanted.evidence is None:
        same = likeliest == facts.answer
        fits &= (facts.answer > 0) & (same if wanted.prediction is Against.AGREES else ~same)
    entropy = values_of(scores.column("entropy"), rows, np.nan)
    if wanted.least_uncertainty is not None:
        fits &= entropy >= wanted.least_uncertainty
    if wanted.most_uncertainty is not None:
        fits &= entropy <= wanted.most_uncertainty
    return fits


def sort_key(
    facts: ImageFacts,
    query: ImageQuery,
    classes: ClassList,
    scores: ImageScores | None,
    groups: ImageGroups | None,
    similarity: Float[np.ndarray, "N"] | None,
) -> Float[np.ndarray, "N"] | None:
    """What ascends in the order of the list, infinite for images without it; None: the order of import.

    Raises UnknownClass.
    """
    if query.order is Order.IMPORTED:
        return None
    if query.order is Order.ANSWERED:
        found = np.where(facts.newest > 0, -facts.newest, np.nan)
    elif query.order is Order.SIMILARITY:
        found = np.full(len(facts), np.nan) if similarity is None else -similarity
    elif query.order is Order.NEAR:
        missing = np.full(len(facts), np.nan)
        found = (
            missing
            if groups is None
            else -values_of(groups.column("near"), groups.rows(facts.keys), np.nan)
        )
    else:
        found = np.full(len(facts), np.nan)
        if scores is not None:
            found = values_of(_score(query, classes, scores), shown_rows(facts, scores), np.nan)
    directed = (-found if query.reverse else found).astype(np.float64)
    return np.where(np.isnan(directed), np.inf, directed)


def _score(query: ImageQuery, classes: ClassList, scores: ImageScores) -> np.ndarray:
    """What ascends in the order of the list, of each image that was predicted."""
    if query.order is Order.MARGIN:
        return scores.column("margin")
    if query.order is Order.PROBABILITY:
        return -scores.probability(ids_of(classes, (query.of or "",))[0])
    return -scores.column("entropy" if query.order is Order.UNCERTAINTY else "epistemic")


def ids_of(classes: ClassList, names: Sequence[str]) -> list[int]:
    """Ids of classes that are or were in use. Raises UnknownClass."""
    found = []
    for name in names:
        known = classes.ever_with_name(name)
        if known is None:
            raise UnknownClass(name, classes.names, "The list of images")
        found.append(stored_id(known.id))
    return found


def _at(facts: ImageFacts, positions: np.ndarray) -> np.ndarray:
    """True at these positions."""
    found = np.zeros(len(facts), bool)
    found[positions] = True
    return found
