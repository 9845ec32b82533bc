"""Calibrated predictions of images: what every screen, command and file shows as a probability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from alworkbench.adaptation.learner import Learner
from alworkbench.core.domain import (
    Calibration,
    ClassList,
    LabelFreeCalibration,
    LearnerRecord,
    MetricRecord,
    PosteriorRecord,
    Role,
)
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders.head import Features
from alworkbench.project.calibration import CalibratedLearner, calibrated, logit_source
from alworkbench.project.learners import Learners
from alworkbench.project.session import Session, resolve, some_of
from alworkbench.project.uncertainty_parts import Uncertainty, uncertainties

MATCHED_IMAGES = 2048
"""Images of the pool, drawn with the project's seed, whose mean zero-shot confidence is matched."""
BLOCK = 4096
"""Images that are predicted at once, which bounds the memory."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The classes of one image, the likeliest first."""

    path: str
    hash: str
    role: Role
    classes: tuple[str, ...]
    """The k likeliest of the list."""
    probabilities: tuple[float, ...]
    """Of these classes."""
    uncertainty: Uncertainty | None = None
    """In nats, of the model's own draws, which are not calibrated. None: not asked for."""


@dataclass(frozen=True, slots=True)
class PredictionRun:
    """Predictions of many images, computed while they are read, and what they come from."""

    calibration: Calibration
    learner_id: int | None
    """None: the zero-shot model."""
    labels: int
    """Labels that the learner learned from."""
    images: int
    without_features: int
    """Images that the encoder refused; they are left out."""
    rows: Iterator[Prediction]
    """Can be read once."""
    uncertainty: bool = False
    """Whether the rows have the uncertainty."""


class Predictions:
    """Predicts images with the newest learner and the best calibration. Writes nothing."""

    def __init__(self, session: Session, learners: Learners) -> None:
        self._session = session
        self._learners = learners

    def newest(self) -> CalibratedLearner:
        """The newest learner, or before the first label the zero-shot model, calibrated.

        Raises FeaturesMissing, PosteriorMissing.
        """
        with self._session.computing:
            with self._session.store.read() as reader:
                classes = reader.classes.current()
                posterior = self._session.posterior_record(reader)
                newest = reader.computed.learner()
                measured = reader.computed.metrics()
            learner = self._learners.load(newest, classes, posterior)
            return self.calibrated(learner, newest, classes, posterior, measured)

    def calibrated(
        self,
        learner: Learner,
        newest: LearnerRecord | None,
        classes: ClassList,
        posterior: PosteriorRecord | None,
        measured: Sequence[MetricRecord],
    ) -> CalibratedLearner:
        """A learner that was loaded by its record (None: the zero-shot model), calibrated."""
        encoder_id = self._session.engine().encoder_id
        return calibrated(
            learner,
            logit_source(learner, newest.id if newest else None, classes, encoder_id),
            measured,
            self._session.settings().label_free_calibration,
            lambda: self._learners.zero_shot(classes, posterior),
            self._matched_images,
        )

    def choose_calibration(self, choice: LabelFreeCalibration) -> None:
        """Calibrate by this while no labels of an audit set do, from now on."""
        with self._session.store.write() as writer:
            writer.save_settings(replace(writer.settings(), label_free_calibration=choice))

    def of(
        self,
        roles: Sequence[Role] = tuple(Role),
        top: int = 1,
        progress: Progress = silent,
        *,
        uncertainty: bool = False,
    ) -> PredictionRun:
        """Predict all images of these roles, block by block, each with its `top` likeliest classes.

        With `uncertainty`, each row has the parts of its uncertainty as `Explanations.of` gives them. This
        takes four times as long as ranking the pool once by a strategy that draws. Raises
        FeaturesMissing, PosteriorMissing, and ValueError for less than one class.
        """
        if top < 1:
            raise ValueError(f"a prediction has at least one class, found {top}")
        with self._session.store.read() as reader:
            classes = reader.classes.current()
            newest = reader.computed.learner()
            images = {role: reader.images.ids_and_hashes(role) for role in roles}
            places = [
                (role, content, path)
                for role in roles
                for content, path in reader.images.hashes_and_paths(role)
            ]
        for role in roles:
            self._session.rows_of(images[role])  # raises for images that were never encoded
        row_of = self._session.engine().table().rows_by_hash()
        usable = [place for place in places if place[1] in row_of]
        learner = self.newest()
        return PredictionRun(
            learner.calibration,
            newest.id if newest else None,
            newest.labels if newest else 0,
            len(usable),
            len(places) - len(usable),
            self._rows(
                learner, classes.names, usable, min(top, len(classes)), uncertainty, progress
            ),
            uncertainty,
        )

    def _rows(
        self,
        learner: CalibratedLearner,
        names: Sequence[str],
        places: Sequence[tuple[Role, str, str]],
        top: int,
        uncertainty: bool,
        progress: Progress,
    ) -> Iterator[Prediction]:
        engine = self._session.engine()
        table = engine.table()
        row_of = table.rows_by_hash()
        all_rows = torch.tensor([row_of[content] for _, content, _ in places], dtype=torch.long)
        seed = self._session.settings().seed
        parts = uncertainties(learner.learner, table, all_rows, seed, progress)
        for start in range(0, len(places), BLOCK):
            block = places[start : start + BLOCK]
            rows = all_rows[start : start + BLOCK]
            found = learner.probabilities(table.gather(rows, engine.device))
            best = found.topk(top, dim=-1)
            for (role, content, path), values, order in zip(
                block, best.values.tolist(), best.indices.tolist(), strict=True
            ):
                yield Prediction(
                    str(resolve(self._session.folder, path)),
                    content,
                    role,
                    tuple(names[k] for k in order),
                    tuple(values),
                    next(parts) if uncertainty else None,
                )
            progress("predicting", start + len(block), len(places))

    def _matched_images(self) -> Iterator[Features]:
        """A random sample of the pool's images with features, fixed by the project's seed, in blocks."""
        session, engine = self._session, self._session.engine()
        with session.store.read() as reader:
            pool = reader.images.ids_and_hashes(Role.POOL)
        rows = some_of(list(session.rows_of(pool)), MATCHED_IMAGES, session.settings().seed)
        for _, block in engine.table().blocks(torch.tensor(rows), BLOCK, engine.device):
            yield block
