"""The two parts of the uncertainty of predictions: what labels can remove, and what stays.

A prediction's entropy is the sum of two parts, in nats:

    H[mean_k p_k]  =  mean_k I  (epistemic: BALD, which labels reduce)  +  mean_k H[p_k]  (aleatoric)

over K joint draws of the model given the labels, or K draws of the Gaussian of one image's logits, which are
the same in distribution. Houlsby et al., 2011, arXiv:1112.5745; Depeweg et
al., 2018, arXiv:1710.07283. The parts are those of the model's own draws. A temperature, which calibrates
the probability that people see, does not apply to them.

Dimensions used in this file
    K  draws
    N  images
    C  classes
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.adaptation.learner import Learner
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders.head import Features
from alworkbench.features.feature_rows import FeatureRows
from alworkbench.posterior.linearisation import WeightUpdate

DRAWS = 512
"""Joint draws behind the figures of each image of many."""
IMAGE_DRAWS = 16_384
"""Most draws of the logits of one image, which cost C^2 products each; IMAGE_NUMBERS bounds them."""
IMAGE_NUMBERS = 1 << 22
"""Numbers that the draws of one image may have: 32 MiB in float64."""
SET_OF_DRAWS = 128
"""Draws at once, which bounds the memory. The first set is that of the strategies and ranks the pool."""
NOT_CALIBRATED = (
    "The uncertainty in nats is of the model's own draws. It is not calibrated, whatever calibrates the "
    "probabilities."
)
"""Stands beside these figures in words."""

AT_ONCE = 65_536
"""Images whose sums over the draws are kept at once, at most: as many as a worker of an engine takes."""
_SEEDS_APART = 1_000_003
_MEMORY = 1 << 28
"""Bytes that the logits of a block under one set of draws may take; sums of many images may take as many."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Of one image, in nats: total = epistemic + aleatoric, all between 0 and log C."""

    total: float
    """Entropy of the prediction averaged over the draws (predictive entropy)."""
    epistemic: float
    """Mutual information of label and model (BALD), which labels reduce."""
    aleatoric: float
    """Expected entropy: what stays with any number of labels."""


def gaussian_draws(
    mean: Float[Tensor, "C"], covariance: Float[Tensor, "C C"], seed: int
) -> Float[Tensor, "K C"]:
    """Draws of the logits of one image, float64 on the CPU; the same seed gives the same draws.

    The covariance may be singular: directions without variance stay at the mean.
    """
    classes = len(mean)
    count = max(DRAWS, min(IMAGE_DRAWS, IMAGE_NUMBERS // classes))
    values, vectors = torch.linalg.eigh(covariance.cpu().double())
    root = vectors * values.clamp_min(0).sqrt()  # C C; rounding alone makes an eigenvalue negative
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, classes, generator=generator, dtype=torch.float64)
    return mean.cpu().double() + normal @ root.T


def standard_error(draws: Float[Tensor, "K C"]) -> float:
    """The largest standard error of the three parts of `uncertainty`, from the same K draws, in nats.

    Each part is a mean over the draws: of -log p of the mean prediction, of the entropy, or of the difference
    of both; that the mean prediction is estimated too changes this to second order only.
    """
    exact = draws.double()
    cross = -(exact * exact.mean(dim=0).clamp_min(torch.finfo(exact.dtype).tiny).log()).sum(dim=-1)
    left = scores.entropy(exact)
    deviations = torch.stack((cross, left, cross - left)).std(dim=1, correction=0)
    return float(deviations.max()) / len(exact) ** 0.5


def uncertainty(draws: Float[Tensor, "K C"]) -> Uncertainty:
    """Of one image, from its class probabilities under each draw."""
    exact = draws.double()[:, None]  # K 1 C
    return _split(float(scores.predictive_entropy(exact)[0]), float(scores.entropy(exact).mean()))


def set_seed(seed: int, index: int) -> int:
    """The seed of one of the DRAWS / SET_OF_DRAWS sets of draws, counted from 0."""
    return seed + index * _SEEDS_APART


def at_once(learner: Learner) -> int:
    """Images whose sums over the draws fit the memory: AT_ONCE, or the half, a quarter and so on of it."""
    most = max(1, _MEMORY // (8 * len(learner.model.classes.unit)))
    return min(AT_ONCE, 1 << (most.bit_length() - 1))


def uncertainties(
    learner: Learner,
    table: FeatureRows,
    rows: Int[Tensor, "N"],
    seed: int,
    progress: Progress = silent,
) -> Iterator[Uncertainty]:
    """Of the images in these rows, in their order: what `uncertainty` says of the same DRAWS draws.

    Memory does not grow with N: images are read in blocks, and the sums over the draws are kept for some
    blocks at a time, for which each set of draws is drawn again. 4 K P D products an image with the K of
    one set: four times the work of ranking the pool.
    """
    classes = learner.model.classes.unit
    wide = classes.shape[1] + 3 * len(classes)
    block = max(1, _MEMORY // (8 * SET_OF_DRAWS * wide))
    many = at_once(learner)
    sets = DRAWS // SET_OF_DRAWS
    done, steps = 0, sets * len(rows)
    for some in rows.split(many):
        mean = torch.zeros(len(some), len(classes), dtype=torch.float64)
        aleatoric = torch.zeros(len(some), dtype=torch.float64)
        for index in range(sets):
            draws = learner.draws(SET_OF_DRAWS, set_seed(seed, index))
            start = 0
            for _, features in table.blocks(some, block, classes.device):
                # On the CPU, since not every accelerator has double precision.
                found = drawn_logits(learner, features, draws).softmax(dim=-1).cpu().double()
                part = slice(start, start + len(features))
                mean[part] += found.mean(dim=0) / sets
                aleatoric[part] += scores.entropy(found).mean(dim=0) / sets
                start += len(features)
                done += len(features)
                progress("drawing uncertainties", done, steps)
        for total, left in zip(scores.entropy(mean).tolist(), aleatoric.tolist(), strict=True):
            yield _split(total, left)


def drawn_logits(
    learner: Learner, images: Features, draws: WeightUpdate, scale: float = 1.0
) -> Float[Tensor, "K N C"]:
    """The logits of some images under each draw, whose distance from the mean is multiplied by `scale`."""
    model = learner.model
    return learner.logits(images) + scale * model.jvp(model.images(images), draws)


def _split(total: float, aleatoric: float) -> Uncertainty:
    return Uncertainty(
        total, max(0.0, total - aleatoric), aleatoric
    )  # not negative but for rounding
