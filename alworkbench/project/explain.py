"""Why a prediction is uncertain: the part that labels can remove, and the classes in conflict.

What the model believes of the image itself is made in `image_belief`; here, the image is ranked in the pool.

The ranks are those of the strategies, which score images under SET_OF_DRAWS joint draws of the model. That
costs K P D products an image, and a large pool would take minutes. An image is compared with at most RANKED
random images of the pool, so that the rank in a larger pool is an estimate.

Dimensions used in this file
    N  images of the pool
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from alworkbench.core.domain import Calibration, Image, Role
from alworkbench.core.progress import Progress, silent
from alworkbench.features.table import FeatureTable
from alworkbench.project.calibration import CalibratedLearner
from alworkbench.project.find_image import find_image
from alworkbench.project.image_belief import ClassBelief, believe
from alworkbench.project.image_columns import ImageColumns
from alworkbench.project.learners import Learners
from alworkbench.project.predictions import Predictions
from alworkbench.project.rank_in_pool import Standing, pool_scores, standing
from alworkbench.project.session import Session, some_of
from alworkbench.project.uncertainty_parts import SET_OF_DRAWS, Uncertainty

RANKED = 512
"""Most images of the pool that an image is compared with. The 95 % interval of the percentile is at most 8.6
points wide; two cores score so many in one to three seconds."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The uncertainty of one image, its classes, and its rank in the pool."""

    image: Image
    in_pool: bool
    """False: an image of the audit set, which is ranked against the pool."""
    label: str | None
    """The class that counts, `skip` or `cannot_tell`; None without an answer."""
    uncertainty: Uncertainty
    classes: tuple[ClassBelief, ...]
    """All of them, the likeliest (moderated) first."""
    conflict: tuple[str, ...]
    """Names of the classes in conflict, see `ImageBelief`."""
    by_entropy: Standing
    """In the pool, by predictive entropy, over SET_OF_DRAWS draws."""
    by_bald: Standing
    draws: int
    """Behind the uncertainty and the wins, which are estimates."""
    error: float
    """Standard error of the uncertainty from the draws: the largest of its parts, in nats."""
    closed_form: bool
    """Whether the deviations are exact. Not where the covariance is too large, see `fits_closed_form`."""
    labels: int
    """Labels that the model has learned from."""
    calibration: Calibration
    """Of the probabilities of the classes."""


def explain(
    predicting: CalibratedLearner,
    table: FeatureTable,
    row: int,
    pool: Int[Tensor, "N"],
    image: Image,
    names: Sequence[str],
    *,
    seed: int,
    label: str | None = None,
    progress: Progress = silent,
) -> Explanation:
    """Explain the image in this row of the table, and rank it in the pool (rows; it may be one).

    The same seed gives the same draws and the same sample. Ranks are those of the strategies with that
    seed, which look at the learner of the labels. The rest is of the prediction that people see.
    """
    learner = predicting.learner
    features = table.gather(torch.tensor([row]), learner.model.classes.unit.device)
    chooser = learner.base  # strategies look at the learner of the labels
    first = chooser.draws(SET_OF_DRAWS, seed)
    others = pool[pool != row]
    sample = torch.tensor(some_of(others.tolist(), RANKED, seed), dtype=torch.long)
    scored = pool_scores(chooser, table, sample, first, progress=progress)
    # Apart from a score of its own the image must not stand above or below its exact copies.
    own = pool_scores(chooser, table, torch.tensor([row]), first)
    found = believe(predicting, features, names, seed, lambda: first)
    return Explanation(
        image=image,
        in_pool=bool((pool == row).any()),
        label=label,
        uncertainty=found.uncertainty,
        classes=found.classes,
        conflict=found.conflict,
        by_entropy=standing(float(own.entropy[0]), scored.entropy, len(others)),
        by_bald=standing(float(own.bald[0]), scored.bald, len(others)),
        draws=found.draws,
        error=found.error,
        closed_form=found.closed_form,
        labels=found.labels,
        calibration=found.calibration,
    )


class Explanations:
    """Explains images of the pool and of the audit set. Nothing is written."""

    def __init__(self, session: Session, learners: Learners, predictions: Predictions) -> None:
        self._session = session
        self._learners = learners
        self._predictions = predictions

    def of(self, image: str, progress: Progress = silent) -> Explanation:
        """Why the model is uncertain about an image, and its rank in the pool.

        `image` is a path, the end of a path, or a content hash. It is ranked among all images of the pool,
        also those with an answer, or a random sample of RANKED of them; an image of the audit set is ranked
        against them. Raises ImageNotFound, FeaturesMissing, PosteriorMissing.
        """
        with self._session.computing:
            with self._session.store.read() as reader:
                found = find_image(reader, image)
                settings = reader.settings()
                classes = reader.classes.current()
                pool = ImageColumns.read(reader, Role.POOL)
                answer = reader.labels.current(found.role).get(found.id)
                record = self._session.posterior_record(reader)
                newest = reader.computed.learner()
                measured = reader.computed.metrics()
                label = None
                if answer is not None:
                    named = classes.counted_names.get(answer.class_id)
                    label = named or answer.kind.value
            learner = self._learners.load(newest, classes, record)
            table = self._session.engine().table()
            return explain(
                self._predictions.calibrated(learner, newest, classes, record, measured),
                table,
                int(table.rows_of([found.hash])[0]),
                torch.from_numpy(self._session.encoded_of(pool).rows),
                found,
                classes.names,
                seed=settings.seed,
                label=label,
                progress=progress,
            )
