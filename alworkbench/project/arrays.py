"""Features and labels of a project as arrays, and its model as a scikit-learn classifier.

Dimensions used in this file
    N  images
    P  activation size, D  embedding size
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS
from alworkbench.core.domain import Role
from alworkbench.core.errors import PosteriorMissing
from alworkbench.encoders.head import Features
from alworkbench.estimators.laplace_vlm import LaplaceVLMClassifier
from alworkbench.project.pool_samples import PoolSamples
from alworkbench.project.session import Session
from alworkbench.project.taught_labels import taught_labels


class LabelledRows(NamedTuple):
    """What the answers to images of the pool teach: one row for each image and each class given to it."""

    X: np.ndarray
    """Features (N, P) or, of a model with residuals, (N, P + D); float32."""
    y: np.ndarray
    """Class names (N,)."""
    sample_weight: np.ndarray
    """How many annotators gave this class to the image (N,); float64."""
    hashes: np.ndarray
    """Content hashes (N,). A hash repeats where annotators disagree."""


class Arrays:
    """Reads features and labels for estimators of scikit-learn."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def features(self, hashes: Iterable[str]) -> np.ndarray:
        """Features of images by their content hashes, in this order: (N, P) or (N, P + D), float32.

        They are rows of X of `Workbench.classifier`: an activation and, of a model with residuals, the
        residual after it. Raises FeaturesMissing for an image that has none.
        """
        wanted = list(hashes)
        table = self._session.engine().table()
        return _rows(table.gather(table.rows_of(wanted), "cpu"))

    def labelled(self) -> LabelledRows:
        """All that the answers to images of the pool teach, oldest answer first. Raises FeaturesMissing.

        Labels of the audit set are never among them: they measure.
        """
        with self._session.store.read() as reader:
            classes = reader.classes.current()
            taught = taught_labels(reader, classes)
            hash_of = dict(reader.images.ids_and_hashes(Role.POOL))
        counts = taught.targets * taught.weights[:, None]  # n C
        at, given = counts.nonzero(as_tuple=True)
        hashes = [hash_of[taught.images[row]] for row in at.tolist()]
        return LabelledRows(
            self.features(hashes),
            np.array(classes.names)[given.numpy()],
            counts[at, given].numpy(),
            np.array(hashes, dtype=str),
        )

    def unlabelled(self) -> np.ndarray | None:
        """Features of images of the pool that teach without a label, as in the project's own learner.

        A random sample without the labelled images, fixed by the project's seed; None where there is no such
        image. Give it to `fit` as `pool`.
        """
        labelled = set(self.labelled().hashes.tolist())
        found = PoolSamples(self._session).unlabelled(DEFAULT_SETTINGS, labelled)
        return None if found is None else _rows(found.to("cpu"))


def project_classifier(session: Session, **parameters: Any) -> LaplaceVLMClassifier:
    """The project's model before any label, as a scikit-learn classifier with the names of its classes.

    It has head, posterior and class activations, so that it predicts without `fit`. `parameters` are further
    ones of LaplaceVLMClassifier. Raises FeaturesMissing, PosteriorMissing.
    """
    engine = session.engine()
    with session.store.read() as reader:
        classes = reader.classes.current()
        record = session.posterior_record(reader)
    if record is None:
        raise PosteriorMissing(engine.encoder_id)
    return LaplaceVLMClassifier(
        engine.head.to("cpu", torch.float32),
        engine.posterior(record).to("cpu"),
        engine.class_activations(classes).cpu(),
        list(classes.names),
        **parameters,
    )


def _rows(features: Features) -> np.ndarray:
    parts = [features.activations]
    if features.residuals is not None:
        parts.append(features.residuals)
    return torch.cat(parts, dim=-1).float().numpy()
