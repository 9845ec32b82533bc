"""What a strategy is: a function from an `AcquisitionContext` to a `Batch`, with a name and a stated cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition.acquisition_settings import DEFAULT_SETTINGS, AcquisitionSettings
from alworkbench.acquisition.cost import Cost, Estimate, Size
from alworkbench.acquisition.strategy_cards import StrategyCard, strategy_card
from alworkbench.adaptation.learner import Learner
from alworkbench.core.domain import Goal
from alworkbench.core.errors import EngineError, MemoryBudgetTooSmall
from alworkbench.encoders.head import Features
from alworkbench.posterior.linearisation import WeightUpdate

if TYPE_CHECKING:
    from alworkbench.engines.engine import Engine
    from alworkbench.features.feature_rows import FeatureRows

BLOCK_ROWS = 8192
"""Largest number of images that stream through the model at once."""


def _none() -> Int[Tensor, "L"]:
    return torch.zeros(0, dtype=torch.long)


@dataclass(frozen=True, slots=True)
class AcquisitionContext:
    """Everything that a strategy may look at. It has no labels but those that people gave."""

    table: FeatureRows
    candidates: Int[Tensor, "N"]
    """Rows of the table that can be picked."""
    targets: Int[Tensor, "M"]
    """Rows of the images whose predictions matter; by default a random sample of the pool."""
    learner: Learner
    batch_size: int
    seed: int
    """Seed of this round. Everything random in the strategy comes from it, but for the posterior draws."""
    draw_seed: int
    """Seed of the posterior draws: the same in all rounds of a project (common random numbers)."""
    labelled: Int[Tensor, "L"] = field(default_factory=_none)
    """Rows of the labelled images, in the order in which the labels were given."""
    labels: Int[Tensor, "L"] = field(default_factory=_none)
    """Class of each labelled image: its index in the class list."""
    refused: Int[Tensor, "R"] = field(default_factory=_none)
    """Rows of images that people answered without a class: skipped, or nobody could tell."""
    pending: Int[Tensor, "A"] = field(default_factory=_none)
    """Rows of images that an open round asks and nobody has answered yet. They are no candidates."""
    pool_is_target: bool = False
    """Whether the targets are a random sample of the pool. All candidates are then targets."""
    goal: Goal = Goal.BALANCED
    """Whether all classes count equally, or all images."""
    unknown_names: int = 0
    """Number of class names that the model does not know; 0 if its posterior cannot tell (`name_novelty`)."""
    draws: int = 128
    """K: posterior draws, for strategies that use them."""
    memory: int = 1 << 30
    """Bytes that a strategy may hold beside the features."""
    settings: AcquisitionSettings = DEFAULT_SETTINGS
    """The tuned numbers."""
    engine: Engine | None = None
    """Computes what strategies that stream need of each candidate; None: this process does."""

    @property
    def size(self) -> Size:
        """The sizes that the cost of a strategy depends on."""
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
        """Images to stream at once while `held` bytes are in use. Raises MemoryBudgetTooSmall."""
        rows = (self.memory - held) // max(1, bytes_per_row)
        if rows < 1:
            raise MemoryBudgetTooSmall(held + bytes_per_row, self.memory)
        return min(BLOCK_ROWS, rows)

    def logits(self) -> Float[Tensor, "N C"]:
        """The learner's logits of all candidates."""
        return self.logits_of(self.candidates)

    def logits_of(self, rows: Int[Tensor, "n"]) -> Float[Tensor, "n C"]:
        """The learner's logits of these rows of the table."""
        device = self.learner.class_activations.device
        blocks = [
            self.learner.logits(features)
            for _, features in self.table.blocks(rows, BLOCK_ROWS, device)
        ]
        return torch.cat(blocks)

    def blocks(
        self, rows: Int[Tensor, "n"], bytes_per_row: int, held: int = 0
    ) -> Iterator[Features]:
        """Features of these rows, in order, in blocks that fit the memory beside `held` bytes."""
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
        """Class probabilities under K joint posterior draws, block by block, in order.

        `rows` are rows of the table, by default the candidates. `draws` are posterior draws, by default
        those of `draw_seed`. `held` is the number of bytes in use beside the blocks and the draws.
        """
        model, size = self.learner.model, self.size
        if draws is None:
            draws = self.learner.draws(self.draws, self.draw_seed)
        wanted = self.candidates if rows is None else rows
        for features in self.blocks(wanted, size.drawn_row, held + size.draws_held):
            changes = model.jvp(model.images(features), draws)  # K n C
            yield (self.learner.logits(features) + changes).softmax(dim=-1)


@dataclass(frozen=True, slots=True)
class Batch:
    """The images that a strategy picked, in order, with their scores."""

    rows: tuple[int, ...]
    """Rows of the table."""
    scores: tuple[float, ...]
    """One score for each image, in the unit that the strategy states."""
    probabilities: tuple[float, ...] | None = None
    """Probability of each pick among the candidates that were left. None if the picks were not sampled."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """A named way to choose a batch, with its cost and source."""

    card: StrategyCard
    """What lists say of it."""
    cost: Callable[[Size], Cost]
    """Cost of a batch, known before it is chosen."""
    choose: Callable[[AcquisitionContext], Batch]
    """Picks min(batch size, N) distinct candidates. Call `select`, which checks the memory first."""
    streams: bool = False
    """Whether an engine can compute what grows with the pool: of each image alone."""

    @property
    def name(self) -> str:
        """Name on the command line and in records."""
        return self.card.name

    @property
    def unit(self) -> str:
        """Unit of the scores: nats, probability, or none."""
        return self.card.unit

    def select(self, context: AcquisitionContext) -> Batch:
        """The batch. Raises MemoryBudgetTooSmall if it cannot be chosen within the memory, and EngineError
        if the context has an engine and the strategy needs the pool in one process."""
        if context.engine is not None and not self.streams:
            raise EngineError(
                f"The strategy {self.name} compares the images of the pool with each other, in one process. "
                f"Leave --engine out, or choose one that streams, such as coverage, margin or bald."
            )
        needed = self.cost(context.size).memory
        if needed > context.memory:
            raise MemoryBudgetTooSmall(needed, context.memory, self.name)
        return self.choose(context)

    def estimate(self, size: Size, allowed: int) -> Estimate:
        """The cost of a batch of this size, when `allowed` bytes may be held."""
        cost = self.cost(size)
        return Estimate(self.name, size, cost.operations, cost.seconds, cost.memory, allowed)


def strategy(
    name: str, *, cost: Callable[[Size], Cost], streams: bool = False
) -> Callable[[Callable[[AcquisitionContext], Batch]], Strategy]:
    """Decorator that turns a choosing function into the `Strategy` of the card with this name.

    It is found once it stands in `catalogue.STRATEGIES`.
    """

    def described(choose: Callable[[AcquisitionContext], Batch]) -> Strategy:
        return Strategy(strategy_card(name), cost, choose, streams)

    return described


def batch_in_order(context: AcquisitionContext, order: Tensor, scores: Tensor) -> Batch:
    """The batch of the first candidates in `order` (positions among the candidates), with their scores."""
    order = order[: context.batch_size].cpu()
    rows = context.candidates.cpu()[order]
    return Batch(tuple(rows.tolist()), tuple(scores.cpu()[order].tolist()))
