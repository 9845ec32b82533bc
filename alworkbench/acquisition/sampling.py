"""Batches drawn at random in proportion to a score, one image after another without replacement.

The best by a score are near-copies of each other; drawing in proportion to it spreads a batch for
nothing, and the chance of each pick is known, so that estimates from the labels can be corrected for it
(Farquhar et al. 2021, arXiv:2101.11665). Of the n candidates left, image i with score s_i is drawn with

    (1 - eps) f_i / sum_j f_j + eps / n          f = s^beta (power), exp(beta s / std s) (softmax) or
                                                     rank^-beta (softrank)

Kirsch et al. 2021, arXiv:2106.12059, to which are added: the uniform share eps, without which an image
of score 0 would never be drawn and an estimate could not be corrected; and the standard deviation in
the softmax, since scores in nats differ in size by orders of magnitude. O(N B), 24 N bytes.

Dimensions used in this file
    N  candidates
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.epig.strategies import EPIG
from alworkbench.acquisition.score import Score
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, Strategy, strategy
from alworkbench.acquisition.uncertainty import BALD, ENTROPY, LEAST_CONFIDENCE, MARGIN

Kind = Literal["power", "softmax", "softrank"]

COLDNESS = 1.0
"""beta of Kirsch et al."""
UNIFORM_SHARE = 0.1
"""eps: a weight 1 / (n q) then is 1 / eps = 10 at most."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """An image that was drawn."""

    position: int
    """Among the candidates."""
    probability: float
    """With which it was drawn at its turn, given the picks before it."""


def masses(
    values: Float[Tensor, "N"], kind: Kind, coldness: float = COLDNESS
) -> Float[Tensor, "N"]:
    """f: what images are drawn in proportion to, not normalised, float64. All alike: all ones."""
    exact = values.double().cpu()
    if kind == "power":
        powers = exact.clamp_min(0.0) ** coldness
        return powers if float(powers.sum()) > 0 else torch.ones_like(powers)
    if kind == "softmax":
        spread = float(exact.std(correction=0))
        return torch.exp(coldness * (exact - exact.max()) / (spread if spread > 0 else 1.0))
    order = exact.argsort(descending=True, stable=True)
    ranks = torch.empty_like(exact)
    ranks[order] = torch.arange(1, len(exact) + 1, dtype=exact.dtype)
    return ranks**-coldness


def draw(
    weights: Float[Tensor, "N"], count: int, uniform_share: float, generator: torch.Generator
) -> list[Drawn]:
    """Up to `count` positions without replacement, each with its conditional probability."""
    left = torch.ones(len(weights), dtype=torch.float64)
    drawn: list[Drawn] = []
    for _ in range(min(count, len(weights))):
        chances = turn(weights, left, uniform_share)
        position = pick(chances, generator)
        drawn.append(Drawn(position, float(chances[position])))
        left[position] = 0.0
    return drawn


def turn(
    weights: Float[Tensor, "N"], left: Float[Tensor, "N"], uniform_share: float
) -> Float[Tensor, "N"]:
    """Probability of each candidate at one turn: zero for those not left, and one in all."""
    uniform = left / left.sum()
    own = weights * left
    total = own.sum()
    # the images of any score are all drawn: what is left is alike
    return uniform_share * uniform + (1 - uniform_share) * (own / total if total > 0 else uniform)


def pick(chances: Float[Tensor, "N"], generator: torch.Generator) -> int:
    """One position by its probability: the inverse of the distribution function."""
    cumulative = chances.cumsum(dim=0)
    point = torch.rand(1, generator=generator, dtype=torch.float64) * cumulative[-1]
    position = int(torch.searchsorted(cumulative, point, right=True))
    if position >= len(chances) or float(chances[position]) == 0:  # the rounding of the last sum
        position = int(chances.nonzero()[-1])
    return position


def sampled(
    score: Score,
    kind: Kind,
    *,
    coldness: float = COLDNESS,
    uniform_share: float = UNIFORM_SHARE,
) -> Callable[[AcquisitionContext], Batch]:
    """A choice that draws in proportion to any score."""
    if not 0 <= uniform_share <= 1:
        raise ValueError(f"the uniform share is between 0 and 1, found {uniform_share}")

    def choose(context: AcquisitionContext) -> Batch:
        values = score.of(context).cpu()
        weights = masses(values, kind, coldness)
        drawn = draw(weights, context.batch_size, uniform_share, context.generator())
        positions = torch.tensor([one.position for one in drawn], dtype=torch.long)
        return Batch(
            tuple(context.candidates.cpu()[positions].tolist()),
            tuple(values[positions].tolist()),
            tuple(one.probability for one in drawn),
        )

    return choose


def register_sampled(score: Score, kind: Kind, called: str | None = None) -> Strategy:
    """Register KIND-SCORE, with the usual coldness and uniform share; `called` names the score."""

    def cost(size: Size) -> Cost:
        base = score.cost(size)
        return Cost(base.operations + 4 * size.candidates * size.batch, base.memory)

    proportion = {
        "power": f"in proportion to {called or score.name}",
        "softmax": f"by a softmax of {called or score.name}",
        "softrank": f"by the rank of {called or score.name}",
    }
    register = strategy(
        f"{kind}-{score.name}",
        f"drawn at random {proportion[kind]}; one in {1 / UNIFORM_SHARE:.0f} evenly",
        unit=score.unit,
        cost=cost,
        source="Kirsch et al. 2021, arXiv:2106.12059",
        range=score.range,
    )
    return register(sampled(score, kind))


power_margin = register_sampled(MARGIN, "power", "1 - margin")
power_least_confidence = register_sampled(LEAST_CONFIDENCE, "power", "1 - confidence")
power_entropy = register_sampled(ENTROPY, "power")
power_bald = register_sampled(BALD, "power")
power_epig = register_sampled(EPIG, "power")
softmax_entropy = register_sampled(ENTROPY, "softmax")
softmax_bald = register_sampled(BALD, "softmax")
softmax_epig = register_sampled(EPIG, "softmax")
softrank_epig = register_sampled(EPIG, "softrank")
