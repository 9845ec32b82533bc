"""The candidates in runs of neighbouring rows, which the workers of an engine work on.

The blocks are those of one process, so that what is computed of them has the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Int
from torch import Tensor

from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.engines.engine import mapped, refuse_device

GROUP_ROWS = 65_536
"""Candidates that a worker takes at a time, at most: as many as a shard has rows."""

Work = TypeVar("Work")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive candidates: rows of the table, as the starts and stops of neighbouring rows."""

    starts: Int[Tensor, "R"]
    stops: Int[Tensor, "R"]

    @classmethod
    def of(cls, rows: Int[Tensor, "n"]) -> Run:
        """Rows in any order."""
        breaks = ((rows[1:] - rows[:-1]) != 1).nonzero()[:, 0]
        return cls(
            rows[torch.cat([torch.zeros(1).long(), breaks + 1])],
            rows[torch.cat([breaks, torch.tensor([len(rows) - 1])])] + 1,
        )

    def rows(self) -> Int[Tensor, "n"]:
        """The rows, in their order."""
        pairs = zip(self.starts.tolist(), self.stops.tolist(), strict=True)
        return torch.cat([torch.arange(start, stop) for start, stop in pairs])


def over_runs(
    context: AcquisitionContext,
    block: int,
    function: Callable[[Work, Run], Result],
    work: Callable[[AcquisitionContext], Work],
    what: str,
) -> Iterator[tuple[int, Result]]:
    """`function(work, run)` of all candidates, and how many candidates come before each run.

    Every run but the last is a whole number of blocks of `block` candidates. `work` makes what all runs need
    from the context without its candidates and without the names of the images; `what` names the work in
    messages. Raises EngineError.
    """
    engine, rows = context.engine, context.candidates.cpu()
    if engine is None:
        raise ValueError("the context has no engine")
    refuse_device(context.learner.class_activations.device.type, what)
    if not len(rows):
        return
    size = block * max(1, GROUP_ROWS // block)
    # An empty part of the rows would bring all of them to the workers.
    none, table = rows.new_empty(0), context.table.without_names()
    bare = replace(context, table=table, candidates=none, engine=None)
    starts = range(0, len(rows), size)
    groups = [Run.of(rows[at : at + size]) for at in starts]
    yield from zip(starts, mapped(engine, function, work(bare), groups, what), strict=True)
