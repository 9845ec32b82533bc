"""BatchBALD: a greedy batch with the most information about the model. Kirsch et al. 2019, arXiv:1906.08158.

Let y be the labels of the picks so far. The gain of one more image is

    I(y_i; w | y) = E_y H[ sum_k q_k(y) p_ki ] - mean_k H[ p_ki ]          q_k(y) = p_k(y) / sum_l p_l(y)

The gains add up to the information of the whole batch, and the first gain is BALD. While the C^b
labellings of b picks are few, all of them are enumerated, each with its probability. After that,
`LABELLINGS` labellings are sampled, equally many from each draw of the model, and every pick extends
them. q is kept as logarithms, because products of many probabilities underflow.

A gain is at most the BALD of its image: 0 <= gain <= BALD <= log C. All gains together are at most log K,
because K draws cannot tell more than which of them it is; beyond that the order of the batch means
nothing. O(N K C S) operations a pick with S labellings, K C numbers a candidate. If these do not fit the
memory, the batch is chosen among the candidates with the highest BALD, as many as fit.

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
"""Labellings that are enumerated or sampled at most."""
BLOCK_BYTES = 16 << 20
"""Bytes of the products of labellings and images, which are computed in blocks."""


@dataclass(frozen=True, slots=True)
class Labellings:
    """Possible labels of the picks so far."""

    log_likelihood: Float[Tensor, "S K"]
    """log p_k(y)."""
    weights: Float[Tensor, "S"]
    """Probability of each labelling; equal for sampled ones. They sum to 1."""
    source: Int[Tensor, "S"] | None
    """Draw of the model that each labelling was sampled from; None while all are enumerated."""

    @classmethod
    def none(cls, like: Float[Tensor, "K N C"]) -> Labellings:
        """Before the first pick: one empty labelling."""
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
        """After one more pick. `picks` are the drawn probabilities of all picks, newest last."""
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
    """Position among the images that were given."""
    nats: float
    """I(y_i; w | labels of the earlier picks)."""


def batch_bald(
    draws: Float[Tensor, "K N C"],
    count: int,
    generator: torch.Generator,
    *,
    labellings: int = LABELLINGS,
    block_bytes: int = BLOCK_BYTES,
) -> list[Gain]:
    """Up to `count` picks, each given the earlier ones; ties go to the earlier image."""
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
    """Bytes of the labellings and of the products of one block, beside the draws of the images."""
    return 24 * LABELLINGS * size.draws + BLOCK_BYTES


def _cost(size: Size) -> Cost:
    pick = size.candidates * size.draws * size.classes * LABELLINGS
    held = _held(size) + 2 * size.batch * _row(size) + 24 * size.candidates + size.drawn_row
    streaming = held + size.draws_held
    return Cost(
        size.logits + size.drawn(size.candidates) + (size.batch - 1) * pick,
        max(size.draws_peak, streaming),
    )


@strategy("batchbald", cost=_cost)
def batchbald(context: AcquisitionContext) -> Batch:
    """Greedy maximisation of the joint mutual information of the batch's labels and the model."""
    size = context.size
    draws = context.learner.draws(context.draws, context.draw_seed)
    candidates = context.candidates.cpu()
    beside = _held(size) + 24 * size.candidates
    free = context.memory - beside - size.draws_held - size.drawn_row
    most = max(size.batch, free // _row(size) // 2)
    if len(candidates) > most:
        found = (scores.bald(p) for p in context.drawn_probabilities(draws=draws))
        alone = joined(found, len(candidates))
        candidates = candidates[scores.best(alone, most).sort().values]
    held = beside + len(candidates) * _row(size)
    drawn = stacked(
        context.drawn_probabilities(candidates, draws=draws, held=held), size, len(candidates)
    )
    picks = batch_bald(drawn, context.batch_size, context.generator())
    rows = candidates[torch.tensor([gain.position for gain in picks], dtype=torch.long)]
    return Batch(tuple(rows.tolist()), tuple(gain.nats for gain in picks))
