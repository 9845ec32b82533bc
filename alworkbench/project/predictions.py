"""Calibrated predictions of images: what every screen, command and file shows as a probability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
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
from alworkbench.core.errors import FeaturesMissing
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders.head import Features
from alworkbench.engines.engine import Engine
from alworkbench.project.calibration import CalibratedLearner, calibrated, logit_source
from alworkbench.project.image_columns import ImageColumns
from alworkbench.project.learners import Learners
from alworkbench.project.predicted_rows import BLOCK, Predicted, Predicting, predicted
from alworkbench.project.session import Session, resolve, some_of
from alworkbench.project.uncertainty_parts import Uncertainty

MATCHED_IMAGES = 2048
"""Images of the pool, drawn with the project's seed, whose mean zero-shot confidence is matched."""


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
        engine: Engine | None = None,
    ) -> PredictionRun:
        """Predict all images of these roles, block by block, each with its `top` likeliest classes.

        With `uncertainty`, each row has the parts of its uncertainty as `Explanations.of` gives them. This
        takes four times as long as ranking the pool once by a strategy that draws. The workers of an
        `engine`, which must stay open while the rows are read, compute both. Raises FeaturesMissing,
        PosteriorMissing, EngineError, and ValueError for less than one class.
        """
        if top < 1:
            raise ValueError(f"a prediction has at least one class, found {top}")
        with self._session.store.read() as reader:
            classes = reader.classes.current()
            newest = reader.computed.learner()
            places = [
                (role, content, path)
                for role in roles
                for content, path in reader.images.hashes_and_paths(role)
            ]
        table = self._session.engine().table()
        rows = table.find([content for _, content, _ in places])
        unusable = table.quarantined()
        without = [places[at][1] for at in np.flatnonzero(rows < 0).tolist()]
        if missing := sum(content not in unusable for content in without):
            raise FeaturesMissing(missing, len(places))
        usable = places
        if without:
            usable = [place for place, row in zip(places, rows, strict=True) if row >= 0]
        learner = self.newest()
        work = Predicting(
            learner,
            table,
            torch.from_numpy(rows[rows >= 0]),
            min(top, len(classes)),
            self._session.settings().seed if uncertainty else None,
        )
        return PredictionRun(
            learner.calibration,
            newest.id if newest else None,
            newest.labels if newest else 0,
            len(usable),
            len(places) - len(usable),
            self._rows(classes.names, usable, predicted(work, engine, progress)),
            uncertainty,
        )

    def _rows(
        self,
        names: Sequence[str],
        places: Sequence[tuple[Role, str, str]],
        found: Iterator[Predicted],
    ) -> Iterator[Prediction]:
        start = 0
        for piece in found:
            block = places[start : start + len(piece)]
            start += len(piece)
            for (role, content, path), values, order, parts in zip(
                block,
                piece.probabilities.tolist(),
                piece.classes.tolist(),
                piece.uncertainties(),
                strict=True,
            ):
                yield Prediction(
                    str(resolve(self._session.folder, path)),
                    content,
                    role,
                    tuple(names[k] for k in order),
                    tuple(values),
                    parts,
                )

    def _matched_images(self) -> Iterator[Features]:
        """A random sample of the pool's images with features, fixed by the project's seed, in blocks."""
        session, engine = self._session, self._session.engine()
        with session.store.read() as reader:
            pool = ImageColumns.read(reader, Role.POOL)
        rows = some_of(session.encoded_of(pool).rows, MATCHED_IMAGES, session.settings().seed)
        for _, block in engine.table().blocks(torch.tensor(rows), BLOCK, engine.device):
            yield block
