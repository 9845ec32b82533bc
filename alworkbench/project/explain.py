"""Why a prediction is uncertain: the part that labels can remove, and the classes in conflict.

The parts of the uncertainty are defined in `uncertainty_parts`.

Drawing the predictions of an image costs K P D products, and a large pool would take minutes. An image is
compared with at most RANKED random images of the pool, so that the rank in a larger pool is an estimate.

Dimensions used in this file
    K  draws
    N  images of the pool
    C  classes
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.strategy import BLOCK_ROWS
from alworkbench.adaptation.learner import Learner
from alworkbench.core.domain import Calibration, Image, Role
from alworkbench.core.progress import Progress, silent
from alworkbench.evaluation.intervals import wilson_interval
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.linearisation import WeightUpdate
from alworkbench.posterior.predictive import LogitMoments, probit_logits
from alworkbench.project.calibration import CalibratedLearner
from alworkbench.project.find_image import find_image
from alworkbench.project.learners import Learners
from alworkbench.project.predictions import Predictions
from alworkbench.project.session import Session, some_of
from alworkbench.project.uncertainty_parts import (
    DRAWS,
    SET_OF_DRAWS,
    Uncertainty,
    drawn_logits,
    set_seed,
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
    """Mean of the logit over the draws."""
    deviation: float
    """Standard deviation of the logit over the draws."""
    wins: float
    """Share of the draws in which this class is the likeliest."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The rank of a score among the images of the pool, estimated where not all of them were scored."""

    score: float
    rank: int
    """1 is the highest; equal scores share the best rank."""
    of: int
    """Images that the rank is among: the pool, and this image where it is not of the pool."""
    percentile: float
    """Share of the other images with a score not above this one, in percent: 100 at rank 1."""
    compared: int
    """Other images that were scored: all, or a random sample."""
    low: int
    """Lowest rank of the 95 % interval (Wilson); the rank itself where all were scored."""
    high: int
    """Highest rank of the interval."""

    @property
    def exact(self) -> bool:
        """Whether every other image was scored."""
        return self.compared == self.of - 1


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
    labels: int
    """Labels that the model has learned from."""
    calibration: Calibration
    """Of the probabilities of the classes."""


def class_beliefs(
    names: Sequence[str],
    logits: Float[Tensor, "C"],
    draws: Float[Tensor, "K C"],
    calibrated: Float[Tensor, "C"],
) -> tuple[ClassBelief, ...]:
    """The prediction of each class from the logits of the model and of its draws, the likeliest first.

    `calibrated` are the probabilities that people see.
    """
    exact = draws.double()
    variance, mean = torch.var_mean(exact, dim=0)  # C
    plain = logits.double()
    moments = LogitMoments(plain[None], variance[None])
    moderated = probit_logits(moments)[0].softmax(dim=-1)
    wins = torch.bincount(exact.argmax(dim=-1), minlength=len(names)) / len(exact)
    columns = (calibrated.double(), moderated, mean, variance.sqrt(), wins)
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


def standing(score: float, scored: Float[Tensor, "n"], others: int) -> Standing:
    """The rank of a score among `others` images, from the scores of all of them or of a random sample.

    Without others: rank 1, percentile 100. The interval of an estimated rank is the Wilson interval of the
    share of images above, within what the sample itself leaves possible. Wilson, 1927.
    """
    above, compared = int((scored > score).sum()), len(scored)
    if not compared:
        return Standing(score, 1, others + 1, 100.0, 0, 1, others + 1)
    percentile = 100 * (compared - above) / compared
    if compared == others:
        return Standing(score, above + 1, others + 1, percentile, compared, above + 1, above + 1)
    least, most = wilson_interval(above, compared)
    low = 1 + max(above, math.floor(least * others))
    high = 1 + min(others - (compared - above), math.ceil(most * others))
    rank = 1 + round(above / compared * others)
    return Standing(score, rank, others + 1, percentile, compared, low, high)


@dataclass(frozen=True, slots=True)
class PoolScores:
    """Scores of many images under the same draws, float32 on the CPU."""

    entropy: Float[Tensor, "N"]
    bald: Float[Tensor, "N"]


def pool_scores(
    learner: Learner,
    table: FeatureTable,
    rows: Int[Tensor, "N"],
    draws: WeightUpdate,
    *,
    memory: int = 1 << 30,
    progress: Progress = silent,
) -> PoolScores:
    """Score these rows under the draws, block by block, within the memory (bytes).

    K P D products an image: about 200 images/s at the sizes of a ViT-B/32 on two cores.
    """
    classes = learner.model.classes.unit
    wide = classes.shape[1] + 3 * len(classes)
    block = max(1, min(BLOCK_ROWS, memory // (8 * len(draws) * wide)))
    found_entropy, found_bald = [torch.zeros(0)], [torch.zeros(0)]
    done = 0
    for _, features in table.blocks(rows, block, classes.device):
        probabilities = drawn_logits(learner, features, draws).softmax(dim=-1)
        found_entropy.append(scores.predictive_entropy(probabilities).cpu())
        found_bald.append(scores.bald(probabilities).cpu())
        done += len(features)
        progress("ranking the pool", done, len(rows))
    return PoolScores(torch.cat(found_entropy), torch.cat(found_bald))


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
    scaled = first.map(lambda part: learner.label_scale * part)
    drawn = [drawn_logits(learner, features, scaled)[:, 0]]
    del first, scaled
    for k in range(1, DRAWS // SET_OF_DRAWS):
        more = learner.draws(SET_OF_DRAWS, set_seed(seed, k))
        drawn.append(drawn_logits(learner, features, more)[:, 0])
    # On the CPU, since not every accelerator has double precision.
    draws = torch.cat(drawn).cpu()  # K C
    shown = predicting.probabilities(features)[0].cpu()
    beliefs = class_beliefs(names, learner.logits(features)[0].cpu(), draws, shown)
    return Explanation(
        image=image,
        in_pool=bool((pool == row).any()),
        label=label,
        uncertainty=uncertainty(draws.softmax(dim=-1)),
        classes=beliefs,
        conflict=in_conflict(beliefs),
        by_entropy=standing(float(own.entropy[0]), scored.entropy, len(others)),
        by_bald=standing(float(own.bald[0]), scored.bald, len(others)),
        draws=len(draws),
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
