"""What a page of the gallery says of each image, and what was computed for the images of a project.

Dimensions used in this file
    M  images of a list
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from alworkbench.core.domain import ClassList, EncoderRecord, LearnerRecord, Role
from alworkbench.core.ports import Reader
from alworkbench.project.image_facts import CANNOT_TELL, NONE, SKIP, ImageFacts
from alworkbench.project.image_groups import ImageGroups
from alworkbench.project.image_matching import shown_rows, values_of
from alworkbench.project.image_scores import ImageScores
from alworkbench.project.notes import ImageNotes, notes_of

_WORDS = {NONE: None, SKIP: "skip", CANNOT_TELL: "cannot_tell"}


@dataclass(frozen=True, slots=True)
class GalleryImage:
    """One image of a page, with its answer of now."""

    id: int
    hash: str
    role: Role
    width: int
    height: int
    path: str
    """The newest place of the picture, as it is stored."""
    answer: str | None
    """class, skip or cannot_tell; None without an answer that counts."""
    class_id: int | None
    """The class for which the answer counts."""
    class_name: str | None
    people: tuple[str, ...]
    """Whose answers count, by name."""
    differ: bool
    """Whether people gave different classes."""
    predicted_id: int | None
    """The likeliest class; None where it was not computed, or must not be seen before an answer."""
    predicted_name: str | None
    probability: float | None
    """Of the likeliest class, calibrated."""
    entropy: float | None
    """Of the prediction, in nats."""
    near: float | None
    """Cosine with the most similar other image; None where it was not computed."""
    cluster: int | None
    similarity: float | None = None
    """To what is searched for; None outside of a search."""
    flagged: bool = False
    notes: int = 0
    """How many notes people wrote about it."""


@dataclass(frozen=True, slots=True)
class GalleryPage:
    """A part of a list of images."""

    images: tuple[GalleryImage, ...]
    start: int
    """How many images of the list stand before this page."""
    total: int
    """Images of the list."""
    cursor: str
    """Of this page: with it, any part of the same list can be read."""
    next: str | None
    """Of the page after it; None at the end."""


@dataclass(frozen=True, slots=True)
class GalleryState:
    """What was computed for the images of a project."""

    images: int
    """Of pool and audit set."""
    predicted: bool
    """Whether there are stored predictions of the present classes."""
    labels: int
    """Labels that the predicting learner has learned from."""
    calibration: str
    """On what the probabilities are calibrated, in words; empty without predictions."""
    parts: bool
    """Whether the parts of the uncertainty are stored."""
    older: bool
    """Whether another learner than the newest predicted."""
    compared: int
    """Images that were compared with each other."""
    clusters: int
    encoded: bool
    """Whether the images have features."""
    texts: bool
    """Whether a model can read a text that is searched for."""

    @classmethod
    def of(
        cls,
        images: int,
        scores: ImageScores | None,
        groups: ImageGroups | None,
        newest: LearnerRecord | None,
        encoder: EncoderRecord | None,
        reads_texts: bool,
    ) -> GalleryState:
        """From what is stored."""
        return cls(
            images=images,
            predicted=scores is not None,
            labels=scores.labels if scores else 0,
            calibration=scores.calibration if scores else "",
            parts=bool(scores and scores.has_parts),
            older=bool(scores and scores.learner_id != (newest.id if newest else None)),
            compared=groups.images if groups else 0,
            clusters=groups.clusters if groups else 0,
            encoded=encoder is not None,
            texts=reads_texts,
        )


def describe(
    reader: Reader,
    facts: ImageFacts,
    images: Sequence[int],
    scores: ImageScores | None,
    groups: ImageGroups | None,
    person: str | None = None,
) -> list[GalleryImage]:
    """The images with these ids, in this order. `facts` are those of now.

    Flags and notes are those that the `person` may see (None: a script, which sees all).
    """
    names = reader.classes.current().given_names
    at = facts.positions(images)
    some = facts.at(at)
    predicted: list[tuple[int, float, float] | None] = [None] * len(at)
    if scores is not None:
        rows = shown_rows(some, scores).tolist()
        of, top, entropy = (
            scores.likeliest(), scores.column("top"), scores.column("entropy"),
        )  # fmt: skip
        predicted = [
            (int(of[row]), float(top[row]), float(entropy[row])) if row >= 0 else None
            for row in rows
        ]
    compared: list[tuple[float, int] | None] = [None] * len(at)
    if groups is not None:
        near, cluster = groups.column("near"), groups.column("cluster")
        compared = [
            (float(near[row]), int(cluster[row])) if row >= 0 else None
            for row in groups.rows(some.keys).tolist()
        ]
    shown = reader.images.some(images)
    notes, none = notes_of(reader, shown, person), ImageNotes()
    found = []
    for place, image in enumerate(shown):
        answer = int(some.answer[place])
        said, group = predicted[place], compared[place]
        found.append(
            GalleryImage(
                id=image.id,
                hash=image.hash,
                role=image.role,
                width=image.width,
                height=image.height,
                path=image.paths[-1] if image.paths else "",
                answer="class" if answer > 0 else _WORDS[answer],
                class_id=answer if answer > 0 else None,
                class_name=names.get(answer) if answer > 0 else None,
                people=tuple(sorted(facts.people.get(int(at[place]), ()))),
                differ=bool(some.differ[place]),
                predicted_id=said[0] if said else None,
                predicted_name=names.get(said[0]) if said else None,
                probability=said[1] if said else None,
                entropy=said[2] if said else None,
                near=group[0] if group else None,
                cluster=group[1] if group else None,
                flagged=notes.get(image.id, none).flagged,
                notes=len(notes.get(image.id, none).notes),
            )
        )
    return found


def counted(
    facts: ImageFacts,
    at: Int[np.ndarray, "M"],
    classes: ClassList,
    scores: ImageScores | None,
    groups: ImageGroups | None,
) -> dict[str, dict[str, int]]:
    """How many images at these positions have each class as label, as prediction, and are in each cluster.

    The parts are `label`, `predicted` and `cluster`.
    """
    names = classes.given_names
    found: dict[str, dict[str, int]] = {"label": {}, "predicted": {}, "cluster": {}}
    for number, count in Counter(facts.answer[at].tolist()).most_common():
        word = _WORDS[number] or "" if number in _WORDS else names.get(number, "")
        found["label"][word] = count
    if scores is not None:
        likeliest = values_of(scores.likeliest(), shown_rows(facts, scores), 0)[at]
        for number, count in Counter(likeliest.tolist()).most_common():
            if number:
                found["predicted"][names[number]] = count
    if groups is not None:
        cluster = values_of(groups.column("cluster"), groups.rows(facts.keys), 0)[at]
        for number, count in sorted(Counter(cluster.tolist()).items()):
            if number:
                found["cluster"][str(number)] = count
    return found
