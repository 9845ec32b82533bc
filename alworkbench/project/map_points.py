"""The points of the map with what people and the model say of each, as columns of few bytes.

Predictions of unanswered images of the audit set are left out, as in the gallery.

Dimensions used in this file
    N  images that have a place
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from alworkbench.core.domain import LabelClass
from alworkbench.core.ports import Reader
from alworkbench.project.image_columns import find_keys
from alworkbench.project.image_facts import CANNOT_TELL, NONE, SKIP, ImageFacts
from alworkbench.project.image_matching import shown_rows, values_of
from alworkbench.project.image_scores import ImageScores
from alworkbench.project.map_regions import STEPS, mark_of, on_grid
from alworkbench.project.session import stored_id

if TYPE_CHECKING:
    from alworkbench.project.feature_map import Layout, MapPositions
    from alworkbench.project.gallery import Gallery
    from alworkbench.project.session import Session

NO_CLASS, SKIPPED, UNCLEAR, FIRST_CLASS = 0, 1, 2, 3
"""Stand in the columns `label` and `predicted`; FIRST_CLASS + k is the class at position k of `classes`."""
UNKNOWN = STEPS + 1
"""The uncertainty of an image without a prediction."""


@dataclass(frozen=True, slots=True)
class MapPoints:
    """All points of a layout, by image id. One entry of each column belongs to one image."""

    positions: MapPositions
    classes: tuple[LabelClass, ...]
    """Those in use, then the former ones."""
    in_use: int
    images: Int[np.ndarray, "N"]
    """Ids, increasing."""
    x: Int[np.ndarray, "N"]
    """0 to STEPS over the longer side of the map, the same scale as `y`."""
    y: Int[np.ndarray, "N"]
    label: Int[np.ndarray, "N"]
    """Whose label counts: NO_CLASS, SKIPPED, UNCLEAR, or a class."""
    predicted: Int[np.ndarray, "N"]
    """The likeliest class, or NO_CLASS."""
    uncertainty: Int[np.ndarray, "N"]
    """Entropy of the prediction in STEPS of the logarithm of the number of classes; UNKNOWN without one."""
    round: Int[np.ndarray, "N"]
    """Number of the newest round that asked about the image; 0 for none."""
    predictions_of: int | None
    """Labels that the predicting model has learned from; None without predictions."""

    def packed(self) -> bytes:
        """As a browser reads it: the length of a JSON text (4 bytes, little-endian), the text, the columns.

        The text names the columns with their type, place and number of values; places count from the end of
        the text, which is filled with spaces so that each column begins at a multiple of 8 bytes.
        """
        columns = {
            "image": _narrow(self.images),
            **{
                name: getattr(self, name).astype("<u2")
                for name in ("x", "y", "label", "predicted", "uncertainty")
            },
            "round": _narrow(self.round),
        }
        places, parts, at = [], [], 0
        for name, column in columns.items():
            places.append(
                {"name": name, "type": column.dtype.name, "at": at, "length": len(column)}
            )
            filled = column.tobytes() + bytes(-column.nbytes % 8)
            parts.append(filled)
            at += len(filled)
        found = self.positions
        head = {
            "layout": found.layout.value,
            "mark": mark_of(found),
            "images": len(self.images),
            "fitted": found.fitted,
            "shares": found.shares,
            "newer": found.newer,
            "steps": STEPS,
            "most_entropy": math.log(self.in_use),
            "predictions_of": self.predictions_of,
            "classes": [
                {"id": c.id, "name": c.name, "colour": c.colour, "in_use": k < self.in_use}
                for k, c in enumerate(self.classes)
            ],
            "columns": places,
        }
        text = json.dumps(head, ensure_ascii=False).encode()
        text += b" " * (-(len(text) + 4) % 8)
        return len(text).to_bytes(4, "little") + text + b"".join(parts)


def map_version(session: Session, gallery: Gallery, layout: Layout) -> str:
    """Changes with every change of what `map_points` says. Raises what `FeatureMap.positions` raises."""
    found = gallery.map.positions(layout)
    with session.store.read() as reader:
        _, moment, scores = gallery.columns(reader)
        rounds = reader.rounds.all()
        parts = (
            layout, found.number, len(found.keys), found.newer, moment, reader.images.mark(),
            reader.classes.current().id, scores.number if scores else 0,
            rounds[-1].id if rounds else 0,
        )  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def map_points(session: Session, gallery: Gallery, layout: Layout) -> MapPoints:
    """The points of a layout as of now. Raises what `FeatureMap.positions` raises."""
    found = gallery.map.positions(layout)
    with session.store.read() as reader:
        facts, _, scores = gallery.columns(reader)
        classes = reader.classes.current()
        rounds = _rounds(reader, facts)
    at, placed = find_keys(found.keys, facts.keys)
    known = (*classes.classes, *classes.former)
    number_of = {stored_id(c.id): FIRST_CLASS + k for k, c in enumerate(known)}
    number_of |= {NONE: NO_CLASS, SKIP: SKIPPED, CANNOT_TELL: UNCLEAR}
    predicted = np.zeros(len(facts), np.int64)
    entropy = np.full(len(facts), np.nan)
    if scores is not None:
        rows = shown_rows(facts, scores)
        predicted = values_of(scores.likeliest(), rows, NONE)
        entropy = values_of(scores.column("entropy"), rows, np.nan)
    x, y = on_grid(found.xy)[at[placed]].T
    return MapPoints(
        positions=found,
        classes=known,
        in_use=len(classes),
        images=facts.ids[placed],
        x=x,
        y=y,
        label=_numbered(facts.answer[placed], number_of),
        predicted=_numbered(predicted[placed], number_of),
        uncertainty=_steps(entropy[placed] / math.log(len(classes))),
        round=rounds[placed],
        predictions_of=_labels(scores),
    )


def _labels(scores: ImageScores | None) -> int | None:
    return None if scores is None else scores.labels


def _rounds(reader: Reader, facts: ImageFacts) -> Int[np.ndarray, "M"]:
    found = np.zeros(len(facts), np.int64)
    for each in reader.rounds.all():
        found[facts.positions(reader.rounds.images(each.id))] = each.number
    return found


def _numbered(values: Int[np.ndarray, "N"], number_of: dict[int, int]) -> Int[np.ndarray, "N"]:
    known = np.array(sorted(number_of), np.int64)
    numbers = np.array([number_of[each] for each in known.tolist()], np.int64)
    return numbers[np.searchsorted(known, values)]


def _steps(shares: Float[np.ndarray, "N"]) -> Int[np.ndarray, "N"]:
    steps = np.rint(np.nan_to_num(shares).clip(0, 1) * STEPS)
    return np.where(np.isnan(shares), UNKNOWN, steps).astype(np.int64)


def _narrow(values: Int[np.ndarray, "N"]) -> np.ndarray:
    """In 4 bytes each, or as doubles where that is too narrow."""
    fits = not len(values) or int(values.max()) < 2**32
    return values.astype("<u4" if fits else "<f8")
