"""What a strategy is asked, what it answers, and where strategies are found by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.settings import DEFAULT_SETTINGS, AcquisitionSettings
from alworkbench.adaptation.learner import Learner
from alworkbench.core.domain import Goal
from alworkbench.core.errors import MemoryBudgetTooSmall
from alworkbench.encoders.head import Features
from alworkbench.posterior.linearisation import WeightUpdate

if TYPE_CHECKING:
    from alworkbench.features.table import FeatureTable

BLOCK_ROWS = 8192
"""Images that stream through the model at once."""


def _none() -> Int[Tensor, "L"]:
    return torch.zeros(0, dtype=torch.long)


@dataclass(frozen=True, slots=True)
class AcquisitionContext:
    """Everything that a strategy may look at: no label is in it that was not given before."""

    table: FeatureTable
    candidates: Int[Tensor, "N"]
    """Rows of the table that may be asked."""
    targets: Int[Tensor, "M"]
    """Rows whose predictions matter; by default a random sample of the pool."""
    learner: Learner
    batch_size: int
    seed: int
    """Of this round: anything random comes from a generator seeded with it."""
    draw_seed: int
    """Of the posterior draws: the same in all rounds of a project (common random numbers)."""
    labelled: Int[Tensor, "L"] = field(default_factory=_none)
    """Rows that have a label already, in the order in which they were given."""
    labels: Int[Tensor, "L"] = field(default_factory=_none)
    """Class index of each of them."""
    refused: Int[Tensor, "R"] = field(default_factory=_none)
    """Rows that were asked and got no class: skipped, or nobody could tell."""
    pool_is_target: bool = False
    """Whether the targets are a random sample of the pool: then the candidates matter, all of them."""
    goal: Goal = Goal.BALANCED
    unknown_names: int = 0
    """Class names that the model does not know, where its posterior can tell (`vocabulary`)."""
    draws: int = 128
    memory: int = 1 << 30
    """Bytes that a strategy may hold beside the features."""
    settings: AcquisitionSettings = DEFAULT_SETTINGS
    """The tuned numbers."""

    @property
    def size(self) -> Size:
        """The figures that a strategy's cost depends on."""
        classes = self.learner.model.classes
        return Size(
            candidates=len(self.candidates),
            targets=len(self.targets),
            classes=len(classes.unit),
            draws=self.draws,
            batch=min(self.batch_size, len(self.candidates)),
            labelled=len(self.labelled),
            embedding=classes.unit.shape[1],
            activation=self.learner.model.head.image_projection.shape[1],
            text_activation=classes.whitened.shape[1],
            residual_head=self.learner.state is not None
            and self.learner.state.residual_head is not None,
            pool_is_target=self.pool_is_target,
            settings=self.settings,
        )

    def generator(self) -> torch.Generator:
        """A generator seeded for this round."""
        return torch.Generator().manual_seed(self.seed)

    def block_rows(self, bytes_per_row: int, held: int = 0) -> int:
        """Rows to stream at once, when `held` bytes are held beside. Raises MemoryBudgetTooSmall."""
        rows = (self.memory - held) // max(1, bytes_per_row)
        if rows < 1:
            raise MemoryBudgetTooSmall(held + bytes_per_row, self.memory)
        return min(BLOCK_ROWS, rows)

    def logits(self) -> Float[Tensor, "N C"]:
        """The learner's logits of all candidates, streamed."""
        return self.logits_of(self.candidates)

    def logits_of(self, rows: Int[Tensor, "n"]) -> Float[Tensor, "n C"]:
        """The learner's logits of these rows of the table, streamed."""
        device = self.learner.class_activations.device
        blocks = [
            self.learner.logits(features)
            for _, features in self.table.blocks(rows, BLOCK_ROWS, device)
        ]
        return torch.cat(blocks)

    def blocks(
        self, rows: Int[Tensor, "n"], bytes_per_row: int, held: int = 0
    ) -> Iterator[Features]:
        """Features of these rows in order, in blocks that fit the memory beside `held` bytes."""
        device = self.learner.class_activations.device
        block = self.block_rows(bytes_per_row, held)
        for _, features in self.table.blocks(rows, block, device):
            yield features

    def streamed_logits(self, held: int = 0) -> Iterator[Float[Tensor, "n C"]]:
        """The learner's logits of the candidates, block by block, in order."""
        return self.streamed_logits_of(self.candidates, held)

    def streamed_logits_of(
        self, rows: Int[Tensor, "n"], held: int = 0
    ) -> Iterator[Float[Tensor, "b C"]]:
        """The learner's logits of these rows of the table, block by block, in order."""
        for features in self.blocks(rows, self.size.logits_row, held):
            yield self.learner.logits(features)

    def drawn_probabilities(
        self,
        rows: Int[Tensor, "m"] | None = None,
        *,
        draws: WeightUpdate | None = None,
        held: int = 0,
    ) -> Iterator[Float[Tensor, "K n C"]]:
        """Class probabilities under joint draws, block by block, in order.

        Of these rows of the table; by default of the candidates. `draws`, where they
        were made already; `held` are bytes held beside the blocks and the draws.
        """
        model, size = self.learner.model, self.size
        if draws is None:
            draws = self.learner.draws(self.draws, self.draw_seed)
        wanted = self.candidates if rows is None else rows
        for features in self.blocks(wanted, size.drawn_row, held + size.step_memory):
            changes = model.jvp(model.images(features), draws)  # K n C
            yield (self.learner.logits(features) + changes).softmax(dim=-1)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch in the order in which it was chosen, with what the strategy thought of each."""

    rows: tuple[int, ...]
    """Rows of the table."""
    scores: tuple[float, ...]
    probabilities: tuple[float, ...] | None = None
    """With which each was drawn among the candidates left at its turn. None: nothing was drawn."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A named way to choose a batch, with what it costs and where it comes from."""

    name: str
    summary: str
    """One line for lists."""
    unit: str
    """Of the scores: nats, probability, or none."""
    cost: Callable[[Size], Cost]
    """What a batch costs, known before it is chosen."""
    choose: Callable[[AcquisitionContext], Batch]
    source: str = ""
    """Where it comes from: authors, year, arXiv number."""
    range: str = ""
    """Of the scores, in their unit."""

    def select(self, context: AcquisitionContext) -> Batch:
        """The batch. Raises MemoryBudgetTooSmall where it cannot be chosen within the memory."""
        needed = self.cost(context.size).memory
        if needed > context.memory:
            raise MemoryBudgetTooSmall(needed, context.memory, self.name)
        return self.choose(context)


def strategy(
    name: str,
    summary: str,
    *,
    unit: str,
    cost: Callable[[Size], Cost],
    source: str = "",
    range: str = "",
) -> Callable[[Callable[[AcquisitionContext], Batch]], Strategy]:
    """Decorator that turns a choosing function into a `Strategy` with these fields.

    The strategy is listed once it stands in `catalogue.STRATEGIES`.
    """

    def described(choose: Callable[[AcquisitionContext], Batch]) -> Strategy:
        return Strategy(name, summary, unit, cost, choose, source, range)

    return described


def batch_in_order(context: AcquisitionContext, order: Tensor, scores: Tensor) -> Batch:
    """The first images of an order over the candidates, with their scores."""
    order = order[: context.batch_size].cpu()
    rows = context.candidates.cpu()[order]
    return Batch(tuple(rows.tolist()), tuple(scores.cpu()[order].tolist()))
