"""A score for every candidate, and the strategy that picks the highest scores.

Dimensions used in this file
    N  candidates
    C  values of each candidate: any number of axes
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.pool_runs import Run, over_runs
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, Strategy, batch_in_order
from alworkbench.acquisition.strategy_cards import strategy_card


@dataclass(frozen=True, slots=True)
class Score:
    """A value for each candidate. The higher it is, the sooner the image should be labelled."""

    name: str
    cost: Callable[[Size], Cost]
    """Cost of the score of all candidates. Picking among the values costs almost nothing."""
    of: Callable[[AcquisitionContext], Float[Tensor, "N"]]
    """Computes the score of all candidates."""
    at_once: Callable[[AcquisitionContext], int] | None = None
    """Candidates that it computes at once, each alone; a worker of an engine computes whole blocks of them.
    None: the score of a candidate hangs on the others."""

    @property
    def streams(self) -> bool:
        """Whether an engine can compute it."""
        return self.at_once is not None


def highest(score: Score) -> Strategy:
    """The strategy of this name, which picks the highest scores; ties go to the earlier row."""

    def choose(context: AcquisitionContext) -> Batch:
        return highest_batch(context, score)

    return Strategy(strategy_card(score.name), score.cost, choose, score.streams)


def highest_batch(context: AcquisitionContext, score: Score) -> Batch:
    """The candidates with the highest scores, and their scores. Raises EngineError."""
    if context.engine is not None:
        positions, values = scored_apart(context, score, context.batch_size)
        return Batch(
            tuple(context.candidates.cpu()[positions].tolist()),
            tuple(values.tolist()),
        )
    values = score.of(context)
    return batch_in_order(context, scores.best(values, context.batch_size), values)


def all_scores(context: AcquisitionContext, score: Score) -> Float[Tensor, "N"]:
    """The score of every candidate, on the CPU. Raises EngineError."""
    if context.engine is not None:
        return scored_apart(context, score, None)[1]
    return score.of(context).cpu()


# ------------------------------------------------------------------------------------ on an engine


@dataclass(frozen=True, slots=True)
class Scoring:
    """What the scores of every run need."""

    score: Score
    context: AcquisitionContext
    """Without candidates and without the names of the images."""
    keep: int | None
    """How many of the best a run gives back; None for all."""


def scored_apart(
    context: AcquisitionContext, score: Score, keep: int | None
) -> tuple[Int[Tensor, "n"], Float[Tensor, "n"]]:
    """Positions among the candidates and their scores, from the engine of the context.

    All, ascending; or with `keep` so many of the best, best first, of which equal ones ascend. Raises
    EngineError.
    """
    if score.at_once is None:
        raise ValueError(f"an engine cannot compute {score.name}")
    block, what = score.at_once(context), "scoring the pool"
    found = over_runs(context, block, best_of_run, lambda bare: Scoring(score, bare, keep), what)
    parts = ((at + positions, best) for at, (positions, best) in found)
    if keep is not None:
        return best_of_parts(parts, keep)
    places, values = [torch.zeros(0, dtype=torch.long)], [torch.zeros(0)]
    for positions, best in parts:
        places.append(positions)
        values.append(best)
    return torch.cat(places), torch.cat(values)


def best_of_parts(
    parts: Iterable[tuple[Tensor, Tensor]], keep: int
) -> tuple[Int[Tensor, "k"], Float[Tensor, "k"]]:
    """The `keep` best candidates, best first, of parts in the order of the candidates, while they come in.

    A part is positions and scores, one of each for a candidate; parts differ in length. It holds 2 `keep`
    candidates and one part, at most. A billion candidates are 15,259 parts, which together take gigabytes.
    """
    positions, values = torch.zeros(0, dtype=torch.long), torch.zeros(0)
    least = math.nan  # no score is at most this
    for places, scored in parts:
        better = ~(scored <= least)  # one that equals the last of `keep` comes later
        positions = torch.cat([positions, places[better]])
        values = torch.cat([values.to(scored), scored[better]])
        if len(values) >= 2 * keep:  # a sort for many parts
            order = scores.best(values, keep)
            positions, values = positions[order], values[order]
            least = float(values[-1])
    order = scores.best(values, keep)
    return positions[order], values[order]


def best_of_run(scoring: Scoring, run: Run) -> tuple[Int[Tensor, "n"], Float[Tensor, "n"]]:
    """Positions within the run and their scores: the best of them, or all in their order."""
    values = scoring.score.of(replace(scoring.context, candidates=run.rows())).cpu()
    if scoring.keep is None:
        return torch.arange(len(values)), values
    order = scores.best(values, scoring.keep)
    return order, values[order]


def joined(
    parts: Iterable[Tensor], count: int, device: torch.device | str = "cpu"
) -> Shaped[Tensor, "N *C"]:
    """Values of `count` candidates, which come block by block, in one tensor.

    It is made at the first block. A small tensor that is kept of each block would split the memory of the
    large ones that were freed beside it, so that each next block needs new memory.
    """
    whole, done = torch.zeros(0, device=device), 0
    for part in parts:
        if not done:
            whole = torch.empty(count, *part.shape[1:], dtype=part.dtype, device=device)
        whole[done : done + len(part)] = part
        done += len(part)
        del part  # before the next one is computed
    if done != count:
        raise ValueError(f"{done} values for {count} candidates")
    return whole
