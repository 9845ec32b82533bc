"""Why a prediction is uncertain: the part that labels can remove, and the classes in conflict.

The parts of the uncertainty are defined in `uncertainty_parts`.

The logits of the image are Gaussian, and their means and covariance have a closed form. Its entropies and
the classes that win are expectations over this Gaussian, estimated by many draws of C numbers.

The ranks are those of the strategies, which score images under SET_OF_DRAWS joint draws of the model. That
costs K P D products an image, and a large pool would take minutes. An image is compared with at most RANKED
random images of the pool, so that the rank in a larger pool is an estimate.

Dimensions used in this file
    K  draws
    N  images of the pool
    C  classes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.predictive_variance import fits_closed_form, label_covariance
from alworkbench.core.domain import Calibration, Image, Role
from alworkbench.core.progress import Progress, silent
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.predictive import LogitMoments, probit_logits
from alworkbench.project.calibration import CalibratedLearner
from alworkbench.project.find_image import find_image
from alworkbench.project.learners import Learners
from alworkbench.project.predictions import Predictions
from alworkbench.project.rank_in_pool import Standing, pool_scores, standing
from alworkbench.project.session import Session, some_of
from alworkbench.project.uncertainty_parts import (
    SET_OF_DRAWS,
    Uncertainty,
    drawn_logits,
    gaussian_draws,
    standard_error,
    uncertainty,
)

RANKED = 512
"""Most images of the pool that an image is compared with. The 95 % interval of the percentile is at most 8.6
points wide; two cores score so many in one to three seconds."""
SETTLED = 0.95
"""The classes in conflict are the likeliest ones that together win this share of the draws."""


@dataclass(frozen=True, slots=True)
class ClassBelief:
    """The prediction of one class for one image."""

    name: str
    probability: float
    """Probability at the mean of the posterior (MAP), calibrated: what suggestions and predictions show."""
    moderated: float
    """Probability with the uncertainty of the logits (probit approximation). A temperature of the plain
    logits does not hold for it, so that it is never calibrated; nor are draws and entropies."""
    mean: float
    """Mean of the logit: exact."""
    deviation: float
    """Standard deviation of the logit: exact where the explanation is `closed_form`, else of its draws."""
    wins: float
    """Share of the draws in which this class is the likeliest: an estimate."""


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
    """Names of the classes in conflict, the likeliest first; one name: the prediction is certain."""
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


def class_beliefs(
    names: Sequence[str],
    logits: Float[Tensor, "C"],
    variance: Float[Tensor, "C"],
    draws: Float[Tensor, "K C"],
    calibrated: Float[Tensor, "C"],
) -> tuple[ClassBelief, ...]:
    """The prediction of each class from its mean logit, variance and draws, the likeliest first.

    `calibrated` are the probabilities that people see.
    """
    exact = draws.double()
    plain, variance = logits.double(), variance.double().clamp_min(0)
    moments = LogitMoments(plain[None], variance[None])
    moderated = probit_logits(moments)[0].softmax(dim=-1)
    wins = torch.bincount(exact.argmax(dim=-1), minlength=len(names)) / len(exact)
    columns = (calibrated.double(), moderated, plain, variance.sqrt(), wins)
    rows = zip(names, *(column.tolist() for column in columns), strict=True)
    beliefs = [ClassBelief(*row) for row in rows]
    return tuple(sorted(beliefs, key=lambda belief: -belief.moderated))


def in_conflict(beliefs: Sequence[ClassBelief]) -> tuple[str, ...]:
    """The fewest classes that win SETTLED of the draws, the one that wins most first."""
    chosen: list[str] = []
    won = 0.0
    for belief in sorted(beliefs, key=lambda b: -b.wins):
        if won >= SETTLED:
            break
        chosen.append(belief.name)
        won += belief.wins
    return tuple(chosen)


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
    closed_form = fits_closed_form(learner)
    mean = learner.logits(features)[0].cpu()
    if closed_form:
        del first
        covariance = label_covariance(learner, features).cpu()
        variance, draws = covariance.diagonal(), gaussian_draws(mean, covariance, seed)
    else:
        scaled = first.map(lambda part: learner.label_scale * part)
        draws = drawn_logits(learner, features, scaled)[:, 0].cpu().double()
        variance = draws.var(dim=0)
    shown = predicting.probabilities(features)[0].cpu()
    beliefs = class_beliefs(names, mean, variance, draws, shown)
    probabilities = draws.softmax(dim=-1)
    return Explanation(
        image=image,
        in_pool=bool((pool == row).any()),
        label=label,
        uncertainty=uncertainty(probabilities),
        classes=beliefs,
        conflict=in_conflict(beliefs),
        by_entropy=standing(float(own.entropy[0]), scored.entropy, len(others)),
        by_bald=standing(float(own.bald[0]), scored.bald, len(others)),
        draws=len(draws),
        error=standard_error(probabilities),
        closed_form=closed_form,
        labels=0 if learner.state is None else len(learner.state.images),
        calibration=predicting.calibration,
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
                pool = reader.images.ids_and_hashes(Role.POOL)
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
                torch.tensor(list(self._session.rows_of(pool)), dtype=torch.long),
                found,
                classes.names,
                seed=settings.seed,
                label=label,
                progress=progress,
            )
