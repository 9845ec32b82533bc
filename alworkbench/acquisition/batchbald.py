"""BatchBALD: greedy batches of most information about the model. Kirsch et al. 2019, arXiv:1906.08158.

With y the labels of the picks so far, the gain of one more image is

    I(y_i; w | y) = E_y H[ sum_k q_k(y) p_ki ] - mean_k H[ p_ki ]          q_k(y) = p_k(y) / sum_l p_l(y)

which adds up to the information of the whole batch, and for the first pick is BALD. As long as the C^b
labellings of b picks are few they are all gone through, each with its probability; from then on
`LABELLINGS` of them are drawn, with as many from each draw of the model, and each goes on with every
pick. Kept are q, as logarithms: products of many probabilities would vanish.

A gain is never above the BALD of its image, 0 <= gain <= BALD <= log C, and all of them together are
never above log K: K draws cannot tell more than which of them it is, and past that the batch is as good
as unordered. O(N K C S) a pick with S labellings, K C numbers a candidate; where these do not fit the
memory, the greedy choice is among the best by BALD, as many as fit.

Dimensions used in this file
    K  draws
    N  candidates
    C  classes
    S  labellings of the picks so far
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.epig.sampled import stacked
from alworkbench.acquisition.score import joined
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, strategy

LABELLINGS = 1024
BLOCK_BYTES = 16 << 20
"""Of the products of labellings and images, made block by block."""


@dataclass(frozen=True, slots=True)
class Labellings:
    """Labels that the picks so far may get."""

    log_likelihood: Float[Tensor, "S K"]
    """log p_k(y)."""
    weights: Float[Tensor, "S"]
    """Probability of each labelling; those drawn weigh alike. They sum to one."""
    source: Int[Tensor, "S"] | None
    """Draw of the model that each labelling was drawn from; None while all are gone through."""

    @classmethod
    def none(cls, like: Float[Tensor, "K N C"]) -> Labellings:
        """Before the first pick there is one labelling: the empty one."""
        return cls(like.new_zeros(1, len(like)), like.new_ones(1), None)

    def posterior(self) -> Float[Tensor, "S K"]:
        """q_k(y)."""
        return self.log_likelihood.softmax(dim=-1)

    def with_pick(
        self,
        picks: Float[Tensor, "b K C"],
        generator: torch.Generator,
        most: int,
    ) -> Labellings:
        """After one more pick; `picks` are the drawn probabilities of all of them, newest last."""
        _, draws, classes = picks.shape
        tiny = torch.finfo(picks.dtype).tiny
        if self.source is None and len(self.weights) * classes <= most:
            newest = picks[-1].T.clamp_min(tiny).log()  # C K
            log_likelihood = (self.log_likelihood[:, None] + newest).flatten(0, 1)  # S C, K
            weights = log_likelihood.logsumexp(dim=-1).sub(math.log(draws)).exp()
            return Labellings(log_likelihood, weights / weights.sum(), None)
        if self.source is None:
            source = torch.arange(most, device=picks.device) % draws
            log_likelihood = picks.new_zeros(most, draws)
            fresh = picks
        else:
            source, log_likelihood, fresh = self.source, self.log_likelihood, picks[-1:]
        for drawn in fresh:  # K C
            labels = torch.multinomial(drawn.cpu()[source.cpu()], 1, generator=generator)[:, 0]
            told = drawn.T[labels.to(drawn.device)]  # S K
            log_likelihood = log_likelihood + told.clamp_min(tiny).log()
        return Labellings(log_likelihood, picks.new_full((most,), 1 / most), source)


@dataclass(frozen=True, slots=True)
class Gain:
    """An image that was picked, with what its label adds to the labels of the picks before it."""

    position: int
    """Among the images given."""
    nats: float
    """I(y_i; w | the picks before it)."""


def batch_bald(
    draws: Float[Tensor, "K N C"],
    count: int,
    generator: torch.Generator,
    *,
    labellings: int = LABELLINGS,
    block_bytes: int = BLOCK_BYTES,
) -> list[Gain]:
    """Up to `count` images, one by one, each given those before it; ties go to the earlier one."""
    draws_count, images, classes = draws.shape
    certain = torch.cat([scores.entropy(part).mean(dim=0) for part in draws.split(4096, dim=1)])
    free = torch.ones(images, dtype=torch.bool, device=draws.device)
    state = Labellings.none(draws)
    picks: list[Gain] = []
    for _ in range(min(count, images)):
        posterior = state.posterior()
        block = max(1, block_bytes // (8 * classes * (len(posterior) + draws_count)))
        expected = [
            _expected_entropy(part, posterior, state.weights) for part in draws.split(block, dim=1)
        ]
        gains = torch.cat(expected) - certain  # N
        position = int(torch.where(free, gains, -torch.inf).argmax())
        picks.append(Gain(position, float(gains[position])))
        free[position] = False
        if len(picks) < min(count, images):
            taken = torch.tensor([pick.position for pick in picks], device=draws.device)
            state = state.with_pick(draws[:, taken].transpose(0, 1), generator, labellings)
    return picks


def _expected_entropy(
    draws: Float[Tensor, "K n C"], posterior: Float[Tensor, "S K"], weights: Float[Tensor, "S"]
) -> Float[Tensor, "n"]:
    """E_y H[ sum_k q_k(y) p_k ]."""
    mixed = posterior @ draws.flatten(1)  # S, n C
    entropies = torch.special.entr(mixed).T @ weights  # n C
    return entropies.reshape(draws.shape[1:]).sum(dim=-1)


def _row(size: Size) -> int:
    return 4 * size.draws * size.classes


def _held(size: Size) -> int:
    """Labellings and the products of one block, beside the images' draws."""
    return 24 * LABELLINGS * size.draws + BLOCK_BYTES


def _cost(size: Size) -> Cost:
    pick = size.candidates * size.draws * size.classes * LABELLINGS
    held = _held(size) + 2 * size.batch * _row(size) + 24 * size.candidates + size.drawn_row
    streaming = held + size.step_memory
    return Cost(
        size.logits + size.drawn(size.candidates) + (size.batch - 1) * pick,
        max(size.draws_memory, streaming),
    )


@strategy(
    "batchbald",
    "greedy batch of most information about the model, by joint draws",
    unit="nats",
    cost=_cost,
    source="Kirsch et al. 2019, arXiv:1906.08158",
    range="0 to log C, the batch in all at most log K",
)
def batchbald(context: AcquisitionContext) -> Batch:
    """Greedy maximisation of the joint mutual information of the batch's labels and the model."""
    size = context.size
    draws = context.learner.draws(context.draws, context.draw_seed)
    candidates = context.candidates.cpu()
    beside = _held(size) + 24 * size.candidates
    free = context.memory - beside - size.step_memory - size.drawn_row
    most = max(size.batch, free // _row(size) // 2)
    if len(candidates) > most:
        alone = joined([scores.bald(p) for p in context.drawn_probabilities(draws=draws)])
        candidates = candidates[scores.best(alone, most).sort().values]
    held = beside + len(candidates) * _row(size)
    drawn = stacked(
        context.drawn_probabilities(candidates, draws=draws, held=held), size, len(candidates)
    )
    found = batch_bald(drawn, context.batch_size, context.generator())
    rows = candidates[torch.tensor([gain.position for gain in found], dtype=torch.long)]
    return Batch(tuple(rows.tolist()), tuple(gain.nats for gain in found))
