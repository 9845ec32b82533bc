"""Learning by remembering: class means, and a cache of the labelled embeddings.

Dimensions used in this file
    n  labelled images, N images
    C  classes
    D  embedding size
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from alworkbench.adaptation.learner import Learner, Predictor
from alworkbench.adaptation.method import Lesson, Settings, adaptation
from alworkbench.encoders.head import Features, Head

TEXT_COUNTS_AS = 4.0
"""Images of the class that its name is worth in the mean."""
MIXES = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Shares of the logit scale that a full match in the cache adds: alpha."""
SHARPNESS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""beta."""


def unit_embeddings(head: Head, features: Features) -> Float[Tensor, "N D"]:
    """Image embeddings of length 1."""
    return normalize(head.embed_images(features), dim=-1)


@dataclass(frozen=True, slots=True)
class NearestMean:
    """Cosine to the mean embedding of each class."""

    head: Head
    means: Float[Tensor, "C D"]
    """Unit vectors."""

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """The logit scale times the cosine to each class mean."""
        units = unit_embeddings(self.head, features)
        return self.head.logit_scale * units @ self.means.to(units).T


@adaptation("nearest-mean", "cosine to the class mean of labelled images, the name counted in")
def nearest_mean(learner: Learner, lesson: Lesson, settings: Settings) -> Predictor:
    """m_c = normalised(4 t_c + sum_i weight_i y_ic u_i), logit s u . m_c; no label: the name alone.

    Nearest class mean (Mensink et al., 2013) with the text embedding as four more images.
    """
    model = learner.model.double()
    units = unit_embeddings(model.head, lesson.labelled)  # n D
    sums = (lesson.weights[:, None] * lesson.targets).T @ units  # C D
    means = normalize(TEXT_COUNTS_AS * model.classes.unit + sums, dim=-1)
    return NearestMean(learner.model.head, means)


@dataclass(frozen=True, slots=True)
class Cache:
    """Zero-shot logits plus a kernel-weighted vote of the labelled images."""

    head: Head
    names: Float[Tensor, "C D"]
    keys: Float[Tensor, "n D"]
    values: Float[Tensor, "n C"]
    """weight_i y_i."""
    mix: float
    sharpness: float

    def logits(self, features: Features) -> Float[Tensor, "N C"]:
        """Zero-shot logits plus the votes of the cache."""
        units = unit_embeddings(self.head, features)
        scale = self.head.logit_scale
        matches = (-self.sharpness * (1 - units @ self.keys.to(units).T)).exp()  # N n
        own = scale * units @ self.names.to(units).T + self.head.logit_bias
        return own + self.mix * scale * matches @ self.values.to(units)


@adaptation("cache", "zero-shot logits plus what similar labelled images say (Tip-Adapter)")
def cache(learner: Learner, lesson: Lesson, settings: Settings) -> Predictor:
    """z + alpha s sum_i exp(-beta (1 - u . u_i)) weight_i y_i, training-free.

    alpha (0 to 10; 0 is zero-shot) and beta (1 to 100) are those of least leave-one-out negative
    log-likelihood on the given labels: the own entry of an image is taken out of the cache. Zhang et
    al., 2022, "Tip-Adapter", arXiv:2111.03930 (which tunes them on validation labels).
    """
    model = learner.model.double()
    keys = unit_embeddings(model.head, lesson.labelled)  # n D
    values = lesson.weights[:, None] * lesson.targets
    cosines = keys @ keys.T  # n n
    scale = model.head.logit_scale
    own = scale * keys @ model.classes.unit.T  # n C

    def loss(mix: float, sharpness: float) -> float:
        matches = (-sharpness * (1 - cosines)).exp()
        matches.fill_diagonal_(0.0)
        said = (own + mix * scale * matches @ values).log_softmax(dim=-1)
        return float(-(values * said).sum())

    # Of equals the first: the smaller mix.
    best = min(product(MIXES, SHARPNESS), key=lambda pair: loss(*pair))
    return Cache(learner.model.head, model.classes.unit, keys, values, *best)
