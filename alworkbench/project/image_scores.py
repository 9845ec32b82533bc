"""Predictions of all images, computed once for a learner and stored, so that a gallery sorts by them.

Dimensions used in this file
    N  images that were predicted
    C  classes
    M  images asked for
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from alworkbench.core.domain import ClassList, JobKind, ProjectFolder
from alworkbench.core.progress import Progress, silent
from alworkbench.project.gallery_files import GalleryFile, newest_file, write_next
from alworkbench.project.session import Session, stored_id

if TYPE_CHECKING:
    import torch

    from alworkbench.project.calibration import CalibratedLearner
    from alworkbench.project.predictions import Predictions

KIND = "scores"
COLUMNS = ("key", "likeliest", "top", "margin", "entropy", "probability")
PARTS = ("epistemic", "aleatoric")
_BLOCK = 4096


@dataclass
class ImageScores:
    """Stored predictions. Columns are read when they are first needed."""

    file: GalleryFile
    _columns: dict[tuple[str, int | None], np.ndarray] = field(default_factory=dict, repr=False)

    @property
    def number(self) -> int:
        """That of their file."""
        return self.file.number

    @property
    def facts(self) -> dict[str, Any]:
        """What is said of them."""
        return self.file.facts

    @property
    def learner_id(self) -> int | None:
        """Whose predictions they are; None: those of the zero-shot model."""
        found = self.facts.get("learner")
        return None if found is None else int(found)

    @property
    def labels(self) -> int:
        """Labels that this learner has learned from."""
        return int(self.facts["labels"])

    @property
    def calibration(self) -> str:
        """On what the probabilities are calibrated, in words."""
        return str(self.facts["calibration"])

    @property
    def class_ids(self) -> list[int]:
        """The classes, by position."""
        return [int(each) for each in self.facts["classes"]]

    @property
    def has_parts(self) -> bool:
        """Whether the parts of the uncertainty were computed."""
        return bool(self.facts.get("parts")) and self.file.names.issuperset(PARTS)

    def rows(self, keys: Int[np.ndarray, "M"]) -> Int[np.ndarray, "M"]:
        """Of images by their keys (`key_of`): the row of each, -1 for one that was not predicted."""
        known = self._column("key")
        at = np.searchsorted(known, keys)
        there = at < len(known)
        there[there] = known[at[there]] == keys[there]
        return np.where(there, at, -1)

    def likeliest(self) -> Int[np.ndarray, "N"]:
        """Id of the likeliest class."""
        return np.array(self.class_ids, np.int64)[self._column("likeliest")]

    def column(self, name: str) -> Float[np.ndarray, "N"]:
        """`top`, `entropy`, `margin`, and with parts `epistemic` and `aleatoric`."""
        return self._column(name).astype(np.float64)

    def probability(self, class_id: int) -> Float[np.ndarray, "N"]:
        """Probabilities of a class, rounded to float16."""
        return self._column("probability", self.class_ids.index(class_id)).astype(np.float64)

    def _column(self, name: str, row: int | None = None) -> np.ndarray:
        if (name, row) not in self._columns:
            self._columns[name, row] = self.file.column(name, row)
        return self._columns[name, row]


def stored_scores(
    folder: ProjectFolder, classes: ClassList, number: int | None = None
) -> ImageScores | None:
    """The newest predictions, or those with this number; None where there are none of these classes."""
    ids = [c.id for c in classes.classes]
    found = newest_file(folder, KIND, COLUMNS, lambda facts: facts.get("classes") == ids, number)
    return None if found is None else ImageScores(found)


def score_images(
    session: Session, predictions: Predictions, progress: Progress = silent, *, parts: bool = False
) -> ImageScores:
    """Predict every image that has features with the newest learner, and store it.

    With `parts`, also the part of the uncertainty that labels can remove and the part that stays. This takes
    four times as long as ranking the pool once by a strategy that draws. Raises FeaturesMissing,
    PosteriorMissing, JobRuns and JobCancelled.
    """
    from alworkbench.project.encoded_images import encoded_images

    title = "predict all images" + (" with their uncertainty" if parts else "")
    with session.jobs.claim(JobKind.SCORE, lambda: title, progress) as told:
        table = session.engine().table()
        with session.store.read() as reader:
            classes = reader.classes.current()
            newest = reader.computed.learner()
            keys, rows = encoded_images(reader, table)
        with session.computing:
            learner = predictions.newest()
        columns = {"key": keys, **_columns(_blocks(session, learner, rows, told))}
        if parts:
            columns |= _parts(session, learner, rows, told)
        facts = {
            "learner": newest.id if newest else None,
            "labels": newest.labels if newest else 0,
            "classes": [stored_id(c.id) for c in classes.classes],
            "calibration": learner.calibration.words,
            "parts": parts,
            "made_at": session.now().isoformat(),
        }
        told("storing", 0, 1)  # the last moment at which it can be stopped
        return ImageScores(write_next(session.folder, KIND, columns, facts))


def _blocks(
    session: Session, learner: CalibratedLearner, rows: torch.Tensor, told: Progress
) -> Iterator[Float[np.ndarray, "B C"]]:
    engine = session.engine()
    done = 0
    for _, features in engine.table().blocks(rows, _BLOCK, engine.device):
        yield learner.probabilities(features).cpu().double().numpy()
        done += len(features)
        told("predicting", done, len(rows))


def _columns(blocks: Iterable[Float[np.ndarray, "B C"]]) -> dict[str, np.ndarray]:
    """The columns of the file; probabilities are stored class by class, so that one class is read alone."""
    likeliest, top, margin, entropy, kept = [], [], [], [], []
    for found in blocks:
        two = np.partition(found, found.shape[1] - 2, axis=1)[:, -2:]  # C is at least 2
        likeliest.append(found.argmax(axis=1).astype(np.int32))
        top.append(two[:, 1])
        margin.append(two[:, 1] - two[:, 0])
        plain = np.clip(found, np.finfo(np.float64).tiny, None)
        entropy.append(-(found * np.log(plain)).sum(axis=1))
        kept.append(found.T.astype(np.float16))
    if not kept:
        kept, likeliest = [np.zeros((0, 0), np.float16)], [np.zeros(0, np.int32)]
        top = margin = entropy = [np.zeros(0)]
    return {
        "likeliest": np.concatenate(likeliest),
        "top": np.concatenate(top).astype(np.float32),
        "margin": np.concatenate(margin).astype(np.float32),
        "entropy": np.concatenate(entropy).astype(np.float32),
        "probability": np.concatenate(kept, axis=1),
    }


def _parts(
    session: Session, learner: CalibratedLearner, rows: torch.Tensor, told: Progress
) -> dict[str, np.ndarray]:
    from alworkbench.project.uncertainty_parts import uncertainties

    table, seed = session.engine().table(), session.settings().seed
    found = [
        (each.epistemic, each.aleatoric)
        for each in uncertainties(learner.learner, table, rows, seed, told)
    ]
    columns = np.array(found, np.float32).reshape(-1, 2)
    return {"epistemic": columns[:, 0], "aleatoric": columns[:, 1]}
